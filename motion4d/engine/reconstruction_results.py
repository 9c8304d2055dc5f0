"""The files that a reconstruction leaves for one sequence, visible only when all are there.

    points.ply           points of all frames in one world, with colours
    scene.glb            the same, and a pyramid per camera (glTF)
    trajectory.txt       camera_to_world of every frame: stamp tx ty tz qx qy qz qw (TUM; stamps are frame numbers
                         where no frame rate is known)
    intrinsics.txt       fx fy cx cy of every frame, in pixels of the video
    colmap/              cameras.txt, images.txt, points3D.txt
    frames/NAME.png      on request: the images that the COLMAP model names
    depth/NAME.png       z, 16 bit: value / depth_per_unit (summary.json), 0 where nothing is known
    depth.npz            on request: z per frame, float32
    depth_intrinsics.txt on request: as intrinsics.txt, for depth at the network's size
    depth.mp4            one colour scale for all frames, near is bright
    motion_masks/NAME.png if the model says what moves: 255 moves, at the video's own size
    contact_sheet.png    up to 8 frames: image, depth, confidence, and what moves
    camera_path.png      where the camera went
    preview.mp4          per frame: the image with what moves, its depth, and the scene from outside
    monst3r/             on request: the files of MonST3R's demo (motion4d.engine.monst3r_files)
    viewer/NAME.npz      unless refused: image, depth, confidence, masks, camera at the network's size, for the viewer
    tracks.npz, .mp4     with a tracker: points followed in the images and in the world (motion4d.engine.scene_tracks)
    summary.json         what was done and found; written last, so that it marks a sequence as finished

The world is the first camera's frame (x right, y down, z forward).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.engine.monst3r_files import Monst3rFolder
from motion4d.engine.result_folder import ResultFolder, read_finished
from motion4d.engine.scene_depth import DepthFiles, WaitingDepth
from motion4d.engine.scene_preview import ScenePreview
from motion4d.engine.scene_tracks import Piece, lifted, write_tracks
from motion4d.io.colmap import write_colmap
from motion4d.io.files import write_text
from motion4d.io.frames_4d import Frame4D, write_frame_4d
from motion4d.io.glb import LINES, POINTS, Shape, write_glb
from motion4d.io.images import write_image
from motion4d.io.masks import write_mask
from motion4d.io.ply import PointCloud, write_ply
from motion4d.io.tum_files import write_poses
from motion4d.reconstruct.cloud import CloudSample, PointFilter
from motion4d.reconstruct.feed_forward import PlacedFrame
from motion4d.viz.camera_path import camera_path, frusta
from motion4d.viz.colours import heat
from motion4d.viz.grid import picture_grid
from motion4d.viz.overlay import overlay
from motion4d.viz.sheet import EvenPicker

_MARK = "motion4d reconstruction"
_RESULTS = (
    *("points.ply", "scene.glb", "trajectory.txt", "intrinsics.txt", "colmap", "frames", "depth", "depth.npz"),
    *("depth_intrinsics.txt", "depth.mp4", "contact_sheet.png", "camera_path.png", "tracks.npz", "tracks.mp4"),
    *("motion_masks", "preview.mp4", "monst3r", "viewer"),
)
_DEFAULT_RATE = 24.0  # of a depth video whose frames carry no time
_DRAWN = 60_000  # points in the picture of the camera's path


@dataclass(frozen=True)
class SceneFiles:
    """What is written. points: which pixels become points; frames: whether the images are written too; monst3r: whether
    the files of MonST3R's demo are; viewer: whether those are that motion4d.viz.viewer shows.

    colmap_points: points in points3D.txt at most; track_grid: points a side of those that a tracker follows.
    """

    points: PointFilter = field(default_factory=PointFilter)
    depth: DepthFiles = field(default_factory=DepthFiles)
    frames: bool = False
    colmap_points: int = 100_000
    track_grid: int = 16
    monst3r: bool = False
    viewer: bool = True

    def __post_init__(self) -> None:
        if self.track_grid < 1:
            raise ValueError(f"track_grid must be at least 1, not {self.track_grid}")
        if self.colmap_points < 0:
            raise ValueError(f"colmap_points must not be negative, but it is {self.colmap_points}")


class SceneWriter:
    """Use as a context manager: `add` every frame, then `finish`; leaving it unfinished removes everything."""

    def __init__(self, folder: str | Path, files: SceneFiles, *, frame_rate: float | None) -> None:
        self.files = files
        self.frame_rate = frame_rate
        self.cloud = CloudSample(files.points.most)
        self._results = ResultFolder(Path(folder), mark=_MARK, names=_RESULTS)
        self._hidden = self._results.hidden
        self._depth = WaitingDepth(self._hidden / "waiting", files.depth)
        self._cameras: list[tuple[Tensor, Tensor, Tensor]] = []  # pose, intrinsics of the video and of the network
        self._picker: EvenPicker[_Thumbnail] = EvenPicker()
        self._preview = ScenePreview(self._hidden / "preview")
        self._published = Monst3rFolder(self._hidden / "monst3r") if files.monst3r else None
        self._moving: list[float] = []  # share of the pixels of every frame that move, if anyone knows
        self._last: PlacedFrame

    def __enter__(self) -> Self:
        self._results.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._results.clear()

    def save_image(self, name: str, image: Tensor) -> None:
        """Write a frame [3, H, W] uint8 itself, if frames are wanted."""
        if self.files.frames:
            write_image(self._hidden / "frames" / name, image.permute(1, 2, 0).numpy())

    def add(self, name: str, frame: PlacedFrame) -> None:
        """Take the next frame, whose files are called `name`."""
        image = (frame.image.permute(1, 2, 0).clamp(0, 1) * 255).round().to(torch.uint8)
        keep = self.files.points.keep(frame)
        self.cloud.add(frame.points_world[keep], image[keep])
        self._preview.add(frame, image.numpy(), keep)
        if self._published is not None:
            self._published.add(frame, image.numpy())
        moving = None if frame.moving is None else frame.moving.numpy()
        if self.files.viewer:
            write_frame_4d(self._hidden / "viewer" / f"{name}.npz", _frame_4d(frame, image.numpy(), moving))
        if frame.moving is not None:
            self._moving.append(float(frame.moving.float().mean()))
            write_mask(self._hidden / "motion_masks" / f"{name}.png", frame.framing.undo_labels(frame.moving).numpy())
        self._picker.offer(
            len(self._cameras), lambda: _Thumbnail(name, image.numpy(), frame.confidence.numpy(), moving)
        )
        self._depth.add(name, frame.depth, frame.confidence > 0)
        self._cameras.append((frame.camera_to_world, frame.native_intrinsics, frame.intrinsics))
        self._last = frame

    def add_tracks(self, pieces: Iterator[Piece]) -> int:
        """After all frames: follow points through them; returns the number of tracks."""

        def lift(number: int, pixels: Tensor) -> Tensor:
            pose, _, intrinsics = self._cameras[number]
            depth = torch.from_numpy(self._depth.load(self._depth.names[number]))
            return lifted(depth, intrinsics, pose, self._last.framing.points(pixels))

        return write_tracks(self._hidden, pieces, lift, frame_rate=self.frame_rate or _DEFAULT_RATE)

    def finish(self, title: str, images: Sequence[str], summary: Mapping[str, Any]) -> dict[str, Any]:
        """Write everything, put it in place of older results, and return the summary with its figures.

        images: file names of the frames, for COLMAP.
        """
        framing = self._last.framing
        poses, native, small = (torch.stack(part).numpy() for part in zip(*self._cameras, strict=True))
        cloud = _cloud(*self.cloud.drawn())
        write_ply(self._hidden / "points.ply", cloud.points, cloud.colours)
        shapes = [Shape("points", POINTS, cloud.points, cloud.colours)]
        lines, colours = frusta(poses, native, framing.native, 0.2 * self._depth.median_range[0])
        write_glb(self._hidden / "scene.glb", [*shapes, Shape("cameras", LINES, lines, colours)])
        write_poses(self._hidden / "trajectory.txt", np.arange(len(poses)) / (self.frame_rate or 1.0), poses)
        _write_intrinsics(self._hidden / "intrinsics.txt", native)
        if not self.files.depth.native:
            _write_intrinsics(self._hidden / "depth_intrinsics.txt", small)
        some = _cloud(*self.cloud.drawn(self.files.colmap_points))
        write_colmap(self._hidden / "colmap", images, framing.native, native, poses, some)
        per_unit = self._depth.write(self._hidden, framing, frame_rate=self.frame_rate or _DEFAULT_RATE)
        few = _cloud(*self.cloud.drawn(_DRAWN))
        path = camera_path(poses, native, framing.native, few.points, few.colours, title)
        write_image(self._hidden / "camera_path.png", path)
        write_image(self._hidden / "contact_sheet.png", self._sheet(title))
        preview = self._hidden / "preview.mp4"
        self._preview.write(
            preview, self._depth, poses, small, framing.size, frame_rate=self.frame_rate or _DEFAULT_RATE
        )
        if self._published is not None:
            self._published.finish(poses, small, self._depth)
            shutil.copyfile(self._hidden / "scene.glb", self._hidden / "monst3r" / "scene.glb")
        self._results.publish({**summary, **self._figures(poses, native), "depth_per_unit": per_unit})
        return finished_scene(self._results.folder) or {}

    def _sheet(self, title: str) -> NDArray[np.uint8]:
        chosen = self._picker.pick(8)
        sure = np.log(np.maximum(np.stack([one.confidence for one in chosen]), 1e-6))
        least, most = np.quantile(sure, (0.02, 0.98))
        rows = {
            "image": [one.image for one in chosen],
            "depth\n(near: bright)": [self._depth.colours(self._depth.load(one.name)) for one in chosen],
            "confidence\n(sure: bright)": [heat((one - least) / max(most - least, 1e-6)) for one in sure],
        }
        moving = [overlay(one.image, one.moving) for one in chosen if one.moving is not None]
        return picture_grid(rows | ({"what moves": moving} if moving else {}), title)

    def _figures(self, poses: NDArray[np.float64], intrinsics: NDArray[np.float64]) -> dict[str, Any]:
        low, high = self._depth.median_range
        steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
        turned = np.trace(poses[0, :3, :3].T @ poses[:, :3, :3], axis1=1, axis2=2)
        medians = np.median(intrinsics, axis=0)[(0, 1, 0, 1), (0, 1, 2, 2)]
        names = ("fx", "fy", "cx", "cy")
        width_and_height = np.array(self._last.framing.native[::-1])
        views = np.degrees(2 * np.arctan(width_and_height / 2 / medians[:2]))
        return {
            "unit": "metre" if self._last.scale_is_metric else "arbitrary",
            "network_size": list(self._last.framing.size),
            "points": len(self.cloud),
            "path_length": round(float(steps.sum()), 6),
            "largest_turn_degrees": round(float(np.degrees(np.arccos(np.clip((turned - 1) / 2, -1, 1))).max()), 3),
            "intrinsics_median": {name: round(float(value), 3) for name, value in zip(names, medians, strict=True)},
            "field_of_view_degrees": [round(float(view), 2) for view in views],  # horizontal, vertical
            "depth_near": round(low, 6),
            "depth_far": round(high, 6),
            **({"moving_share": round(float(np.mean(self._moving)), 6)} if self._moving else {}),
        }


@dataclass(frozen=True)
class _Thumbnail:
    """What the contact sheet shows of a frame: image [h, w, 3] uint8, confidence [h, w], moving [h, w] bool."""

    name: str
    image: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    moving: NDArray[np.bool_] | None


def finished_scene(folder: str | Path) -> dict[str, Any] | None:
    """The summary of a sequence whose reconstruction was finished in this folder, or None."""
    return read_finished(folder, mark=_MARK)


def _frame_4d(frame: PlacedFrame, image: NDArray[np.uint8], moving: NDArray[np.bool_] | None) -> Frame4D:
    camera = (frame.camera_to_world.double().numpy(), frame.intrinsics.double().numpy())
    return Frame4D(image, frame.depth.numpy(), frame.confidence.log().numpy(), moving, *camera)


def _cloud(points: Tensor, colours: Tensor) -> PointCloud:
    return PointCloud(points.numpy(), colours.numpy(), np.zeros((len(points), 3), np.float32))


def _write_intrinsics(path: Path, intrinsics: NDArray[np.float64]) -> None:
    rows = (f"{k[0, 0]:.6f} {k[1, 1]:.6f} {k[0, 2]:.6f} {k[1, 2]:.6f}\n" for k in intrinsics)
    write_text(path, "# fx fy cx cy\n" + "".join(rows))
