"""preview.mp4 of a reconstruction: per moment the frame with what moves, its depth, and the scene from outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.engine.scene_depth import WaitingDepth
from motion4d.io.files import make_folder
from motion4d.io.images import resized
from motion4d.io.video import open_video_writer
from motion4d.reconstruct.cloud import CloudSample
from motion4d.reconstruct.feed_forward import PlacedFrame
from motion4d.viz.overlay import overlay
from motion4d.viz.scene_view import SceneView

_STILL, _OWN = 80_000, 4_000  # points of the whole scene, and of one moment's moving pixels
_SIDE = 240  # height of the panels, pixels


class ScenePreview:
    """`add` every frame, then `write`. Frames wait on disk as small pictures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._still = CloudSample(_STILL)
        self._own: list[tuple[Tensor, Tensor]] = []  # points and colours of what moves, per frame

    def add(self, frame: PlacedFrame, image: NDArray[np.uint8], keep: Tensor) -> None:
        """image [h, w, 3] at the network's size; keep [h, w] bool: pixels that are worth a point."""
        points, colours = frame.points_world, torch.from_numpy(image)
        moving = torch.zeros_like(keep) if frame.moving is None else frame.moving
        self._still.add(points[keep & ~moving], colours[keep & ~moving])
        own = CloudSample(_OWN)
        own.add(points[keep & moving], colours[keep & moving])
        shown = resized(overlay(image, moving.numpy()), (_SIDE, _width(image.shape[:2])))
        np.save(make_folder(self._folder) / f"{len(self._own)}.npy", shown, allow_pickle=False)
        self._own.append(own.drawn())

    def write(
        self,
        path: Path,
        depth: WaitingDepth,
        poses: NDArray[np.floating],
        intrinsics: NDArray[np.floating],
        size: tuple[int, int],
        *,
        frame_rate: float,
    ) -> None:
        """poses [N, 4, 4]; intrinsics [N, 3, 3] and size (h, w) of the network's input."""
        points, colours = (part.numpy() for part in self._still.drawn())
        view = SceneView(points, colours, poses, intrinsics, size, (_SIDE, _SIDE * 3 // 2))
        with open_video_writer(path, frame_rate=frame_rate) as video:
            for number, (name, own) in enumerate(zip(depth.names, self._own, strict=True)):
                image = np.load(self._folder / f"{number}.npy", allow_pickle=False)
                near = resized(depth.colours(depth.load(name)), image.shape[:2])
                scene = view.frame(number, *(part.numpy() for part in own))
                video.add(np.concatenate((image, near, scene), 1))


def _width(size: tuple[int, ...]) -> int:
    """Of a panel that shows an image of `size` (H, W)."""
    return max(2, round(_SIDE * size[1] / size[0]))
