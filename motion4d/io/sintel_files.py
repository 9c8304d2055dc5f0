"""Depth (.dpt) and cameras (.cam) of MPI Sintel (Butler et al. 2012): little-endian, behind a float32 tag. No torch.

.dpt: tag, int32 width, int32 height, float32 depth row by row
.cam: tag, float64 intrinsics 3x3, float64 world_to_camera 3x4
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import atomic_path

TAG = np.array(202021.25, "<f4").tobytes()
CAMERA = 8 * (9 + 12)  # bytes


def read_dpt(path: str | Path) -> NDArray[np.float32]:
    """[H, W] float32. A ValueError names a file that is damaged or of another kind."""
    content = _after_tag(path)
    width, height = (int(number) for number in np.frombuffer(content[:8].ljust(8, b"\0"), "<i4"))
    if width < 1 or height < 1 or len(content) != 8 + 4 * width * height:
        raise ValueError(f"{path} is damaged: {len(content)} bytes do not hold {width} x {height} depths")
    return np.frombuffer(content, "<f4", offset=8).reshape(height, width).astype(np.float32)


def write_dpt(path: str | Path, depth: NDArray[np.floating]) -> None:
    """Write [H, W] atomically."""
    height, width = depth.shape
    header = TAG + np.array([width, height], "<i4").tobytes()
    _write(path, header + np.ascontiguousarray(depth, "<f4").tobytes())


def read_cam(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intrinsics [3, 3] and world_to_camera [4, 4]. A ValueError names a file that is damaged or of another kind."""
    content = _after_tag(path)
    if len(content) != CAMERA:
        raise ValueError(f"{path} is damaged: a camera is {CAMERA} bytes behind the tag, not {len(content)}")
    numbers = np.frombuffer(content, "<f8").astype(np.float64)
    return numbers[:9].reshape(3, 3), np.vstack((numbers[9:].reshape(3, 4), [0, 0, 0, 1]))


def write_cam(path: str | Path, intrinsics: NDArray[np.floating], world_to_camera: NDArray[np.floating]) -> None:
    """Write intrinsics [3, 3] and world_to_camera [4, 4] (or [3, 4]) atomically."""
    parts = (np.ascontiguousarray(part, "<f8").tobytes() for part in (intrinsics, world_to_camera[:3]))
    _write(path, TAG + b"".join(parts))


def _after_tag(path: str | Path) -> bytes:
    content = Path(path).read_bytes()
    if content[:4] != TAG:
        raise ValueError(f"{path} does not begin like a file of MPI Sintel; restore it")
    return content[4:]


def _write(path: str | Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
