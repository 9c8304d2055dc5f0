"""One frame of a reconstruction in one small file, for viewers and other programs: image, depth, confidence, masks.

image           [h, w, 3] uint8          depth_share   [h, w] float16: z / farthest
log_confidence  [h, w] float16, -inf where nothing is known
moving          [h, w] bool; left out if nobody knows
farthest        float64                  camera_to_world [4, 4], intrinsics [3, 3] float64, in pixels of the image
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion4d.io.arrays import read_arrays
from motion4d.io.files import atomic_path

_SHAPES = {
    **{"image": (None, None, 3), "depth_share": (None, None), "log_confidence": (None, None)},
    **{"farthest": (), "camera_to_world": (4, 4), "intrinsics": (3, 3)},
}


@dataclass(frozen=True)
class Frame4D:
    """A frame and what was reconstructed of it.

    image [h, w, 3] uint8; depth [h, w] float32, z; log_confidence [h, w] float32, -inf where nothing is known; moving
    [h, w] bool, or None if nobody knows; camera_to_world [4, 4] and intrinsics [3, 3] (pixels of the image) float64.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    log_confidence: NDArray[np.float32]
    moving: NDArray[np.bool_] | None
    camera_to_world: NDArray[np.float64]
    intrinsics: NDArray[np.float64]


def write_frame_4d(path: str | Path, frame: Frame4D) -> None:
    """Write an .npz file atomically: depth to about 0.05 percent, confidence to three digits."""
    known = np.isfinite(frame.log_confidence) & np.isfinite(frame.depth)
    farthest = float(np.abs(frame.depth[known]).max(initial=0.0)) or 1.0
    parts: dict[str, Any] = {} if frame.moving is None else {"moving": frame.moving}
    with atomic_path(path) as temporary, np.errstate(over="ignore", under="ignore"):
        np.savez_compressed(
            temporary,
            image=frame.image,
            depth_share=(np.where(known, frame.depth, 0) / farthest).astype(np.float16),
            log_confidence=np.where(known, frame.log_confidence, -np.inf).astype(np.float16),
            farthest=np.float64(farthest),
            camera_to_world=frame.camera_to_world.astype(np.float64),
            intrinsics=frame.intrinsics.astype(np.float64),
            **parts,
        )


def read_frame_4d(path: str | Path, *, has_motion: bool) -> Frame4D:
    """Read what `write_frame_4d` wrote; has_motion: the file must say what moves. A ValueError names a broken file."""
    names = [*_SHAPES, *(["moving"] if has_motion else [])]
    parts = dict(zip(names, read_arrays(path, names), strict=True))
    size = parts["image"].shape[:2]
    for name, shape in {**_SHAPES, **({"moving": (None, None)} if has_motion else {})}.items():
        wanted = size + shape[2:] if shape[:1] == (None,) else shape
        if parts[name].shape != wanted or parts[name].dtype.kind not in "fiub":
            raise ValueError(f"{path}: {name} is of shape {parts[name].shape}, not {wanted}; restore this file")
    cameras = [parts[name].astype(np.float64) for name in ("camera_to_world", "intrinsics")]
    if not all(np.isfinite(part).all() for part in cameras) or abs(np.linalg.det(cameras[1])) < 1e-12:
        raise ValueError(f"{path}: its camera is not a camera; restore this file")
    return Frame4D(
        parts["image"].astype(np.uint8),
        parts["depth_share"].astype(np.float32) * np.float32(parts["farthest"]),
        parts["log_confidence"].astype(np.float32),
        parts["moving"].astype(bool) if has_motion else None,
        *cameras,
    )
