"""The folder that MonST3R's demo leaves, file by file, for programs that read it (its viewer, evaluations).

    pred_traj.txt          k tx ty tz qw qx qy qz per frame, camera_to_world: not the order of TUM
    pred_intrinsics.txt    nine numbers per frame, pixels of the network's input
    pred_focal.txt         one number per frame
    frame_0000.npy, .png   depth float32, and the image, at the network's size
    _depth_maps.gif        near is bright
    init_conf_0.npy        logarithm of the confidence; conf_0.npy: without points that hide surer ones
    dynamic_mask_0.png     255 moves; enlarged_dynamic_mask_0.png: grown by one pixel. Only if anyone knows
    scene.glb              as beside the folder

| deviation from the released code | why |
|---|---|
| the principal point in pred_intrinsics.txt is the one that was used | viewers need not add half a pixel |
| a confidence of 0 is stored as log(1e-6), not as -infinity | readers take means |
| masks are those that the alignment used | published: SAM2's alone, while the union is used |
| _depth_maps.gif does not wrap at 256 | it is meant to be looked at |
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation
from torch import Tensor

from motion4d.engine.scene_depth import WaitingDepth
from motion4d.geometry.projection import transform_points, unproject
from motion4d.io.files import make_folder, write_text
from motion4d.io.images import write_image
from motion4d.io.masks import write_mask
from motion4d.io.tum_files import pose_numbers
from motion4d.reconstruct.cleaning import without_floaters
from motion4d.reconstruct.feed_forward import PlacedFrame

_LEAST = 1e-6  # confidence of a point that nobody trusts
_GIF_MS = 100  # per frame


class Monst3rFolder:
    """`add` every frame, then `finish`; what is written lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def add(self, frame: PlacedFrame, image: NDArray[np.uint8]) -> None:
        """The files of the next frame; image [h, w, 3] at the network's size."""
        make_folder(self.folder)
        number = self._count
        self._count += 1
        np.save(self.folder / f"frame_{number:04d}.npy", frame.depth.numpy(), allow_pickle=False)
        write_image(self.folder / f"frame_{number:04d}.png", image)
        _save_log(self.folder / f"init_conf_{number}.npy", frame.confidence)
        if frame.moving is not None:
            mask = frame.moving.numpy()
            write_mask(self.folder / f"dynamic_mask_{number}.png", mask)
            write_mask(self.folder / f"enlarged_dynamic_mask_{number}.png", binary_dilation(mask, np.ones((3, 3))))

    def finish(self, poses: NDArray[np.float64], intrinsics: NDArray[np.float64], depth: WaitingDepth) -> None:
        """What needs all frames. poses [N, 4, 4]; intrinsics [N, 3, 3] at the network's size."""
        numbers = pose_numbers(poses)[:, (0, 1, 2, 6, 3, 4, 5)]
        self._write_rows("pred_traj.txt", [[float(k), *row] for k, row in enumerate(numbers)])
        self._write_rows("pred_intrinsics.txt", intrinsics.reshape(-1, 9))
        self._write_rows("pred_focal.txt", intrinsics[:, :1, 0])
        for number, confidence in enumerate(self._cleaned(poses, intrinsics)):
            _save_log(self.folder / f"conf_{number}.npy", confidence)
        first, *others = (Image.fromarray(depth.colours(depth.load(name))) for name in depth.names)
        first.save(self.folder / "_depth_maps.gif", save_all=True, append_images=others, duration=_GIF_MS, loop=0)

    def _cleaned(self, poses: NDArray[np.float64], intrinsics: NDArray[np.float64]) -> Tensor:
        """Confidences [N, h, w] of all frames, 0 where a point hides a surer one."""
        frames = range(self._count)
        depth = torch.stack([_load(self.folder / f"frame_{k:04d}.npy") for k in frames])
        confidence = torch.stack([_load(self.folder / f"init_conf_{k}.npy").exp() for k in frames])
        cameras, matrices = torch.from_numpy(poses).float(), torch.from_numpy(intrinsics).float()
        points = transform_points(cameras, unproject(depth, matrices))
        return without_floaters(confidence, depth, points, cameras, matrices)

    def _write_rows(self, name: str, rows: object) -> None:
        text = "".join(" ".join(f"{number:.6f}" for number in row) + "\n" for row in np.asarray(rows))
        write_text(self.folder / name, text)


def _load(path: Path) -> Tensor:
    return torch.from_numpy(np.load(path, allow_pickle=False))


def _save_log(path: Path, confidence: Tensor) -> None:
    np.save(path, confidence.clamp_min(_LEAST).log().numpy(), allow_pickle=False)
