"""A long clip through a feed-forward network, window by window, in one world frame.

Neighbouring windows share frames. Every window's answer has a frame and a scale of its own, so it is moved by the
similarity that takes its world points of the shared frames to where they already lie: weighted by both confidences,
relative to depth, and robust (motion4d.geometry.alignment). On the overlap the older answer fades into the newer one,
so that no seam shows. The last window ends with the clip, and so may share more: no frame is left over. The world is
the first camera's frame, in the unit of the first window. Memory is that of one window, however long the clip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from motion4d.backbones.base import CapabilityError
from motion4d.clip import Clip, Geometry, Scene, Source
from motion4d.framing import Framing
from motion4d.geometry.alignment import Similarity, robust_umeyama
from motion4d.geometry.poses import nearest_rotation, se3, se3_inverse
from motion4d.geometry.projection import pixel_grid, transform_points
from motion4d.io.frames import part_of

_MOST_POINTS = 50_000  # of the shared frames, that a similarity is made from


class GeometrySource(Protocol):
    """What the functions below need of a model (motion4d.models.geometry is one)."""

    framing: Callable[[int, int], Framing]

    @property
    def available_heads(self) -> frozenset[str]:
        """Of "points", "pose", "confidence", "depth"."""
        ...

    def geometry(self, clip: Clip, *, heads: Collection[str]) -> Geometry:
        """The cameras and the depth of a framed clip, at its size."""
        ...


@runtime_checkable
class SceneSource(Protocol):
    """A model that says more of a clip than its geometry (motion4d.reconstruct.pair_scene is one)."""

    def scene(self, clip: Clip) -> Scene:
        """The scene of a framed clip, at its size."""
        ...


@dataclass(frozen=True)
class PlacedFrame:
    """One frame's geometry in the clip's world, on the CPU.

    image [3, h, w], points_camera [h, w, 3] and confidence [h, w] (0 where nothing is known: padding, or no finite
    point in front of the camera) are float32 at the network's size; camera_to_world [4, 4] and intrinsics [3, 3] (in
    pixels of the network's input) float64. framing leads back to the frame's own size. scale_is_metric: the unit
    is a metre, as far as the network knows. moving [h, w] bool: pixels that move in the world, None: not known.
    """

    index: int
    image: Tensor
    camera_to_world: Tensor
    intrinsics: Tensor
    points_camera: Tensor
    confidence: Tensor
    framing: Framing
    scale_is_metric: bool = False
    moving: Tensor | None = None

    @property
    def depth(self) -> Tensor:
        """[h, w], z in the camera's frame."""
        return self.points_camera[..., 2]

    @property
    def points_world(self) -> Tensor:
        """[h, w, 3]."""
        return transform_points(self.camera_to_world.float(), self.points_camera)

    @property
    def native_intrinsics(self) -> Tensor:
        """[3, 3] in pixels of the frame's own size."""
        return self.framing.undo_intrinsics(self.intrinsics)

    def moved(self, similarity: Similarity) -> PlacedFrame:
        """The same frame in another world and scale."""
        return replace(
            self,
            camera_to_world=similarity.move_cameras(self.camera_to_world[None])[0],
            points_camera=self.points_camera * similarity.scale.float(),
        )


def stream_geometry(
    model: GeometrySource,
    frames: Iterable[Tensor],
    *,
    length: int = 32,
    overlap: int = 8,
    device: torch.device | str = "cpu",
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    source: Source | None = None,
    note: Callable[[Scene], None] = lambda scene: None,
) -> Iterator[PlacedFrame]:
    """Yield every frame's geometry, in order, and which of its pixels move if the model says so.

    frames: [3, H, W], uint8 or float in [0, 1], of one size. length: frames that the network sees at once; overlap: how
    many of them the window before has seen, at least 1. autocast: makes the context in which the network runs.
    source: where the frames come from, for models that look for files of their own; note: is shown every window's
    scene. A CapabilityError says which head is missing; a ValueError that an answer is not finite or has nothing to
    align.
    """
    if not 0 < overlap < length:
        raise ValueError(
            f"windows of {length} frames that are aligned on {overlap} shared ones do not work: "
            "the overlap must be at least 1 and less than the length"
        )
    heads = reconstruction_heads(model.available_heads)
    framings: list[Framing] = []

    def framed() -> Iterator[Tensor]:
        """At the network's size as they come, so that no window of large frames is kept."""
        for frame in frames:
            if not framings:
                framings.append(model.framing(frame.shape[-2], frame.shape[-1]))
            image = frame.to(device)
            yield framings[0].images(image / 255 if image.dtype == torch.uint8 else image.float())

    recent: list[PlacedFrame] = []  # of the window before
    done = 0  # frames that were yielded
    for start, images in frame_windows(framed(), length, overlap):
        # no_grad rather than inference_mode: networks cache tables, which a training that goes on must be able to use
        with torch.no_grad(), autocast():
            named = () if source is None else (part_of(source, start, start + len(images)),)
            clip = Clip(images[None], sources=tuple(replace(one, framing=framings[0]) for one in named))
            said = model.scene(clip) if isinstance(model, SceneSource) else Scene(model.geometry(clip, heads=heads))
        note(said)
        fresh = _apart(said, images.cpu(), framings[0], start)
        if recent:
            shared = recent[start - recent[0].index :]
            similarity = align_frames(fresh[: len(shared)], shared)
            fresh = [frame.moved(similarity) for frame in fresh]
            for k, old in enumerate(shared):
                fresh[k] = _faded(old, fresh[k], (old.index + 1 - done) / (overlap + 1))
        else:
            first = se3_inverse(fresh[0].camera_to_world)
            fresh = [replace(frame, camera_to_world=first @ frame.camera_to_world) for frame in fresh]
        ready = max(0, len(fresh) - overlap)
        yield from fresh[done - start : ready]
        done = max(done, start + ready)
        recent = fresh
    yield from recent[done - recent[0].index :] if recent else ()


def reconstruction_heads(available: Collection[str]) -> set[str]:
    """The heads that a reconstruction asks for, of those that a backbone has: depth rather than points.

    A CapabilityError if there are no cameras or nothing dense.
    """
    dense = "depth" if "depth" in available else "points"
    lacking = sorted({"pose", dense} - set(available))
    if lacking:
        raise CapabilityError(
            f"a reconstruction needs the heads pose and depth or points, but this backbone has no "
            f"{' and no '.join(lacking)}; choose +experiment=page4d, which is small, or build it with "
            "backbone.heads=[pose,depth] (the Pi3 family: [points,pose,confidence]) and weights that were trained so"
        )
    return {"pose", dense} | ({"confidence"} & set(available))


def align_frames(frames: Sequence[PlacedFrame], targets: Sequence[PlacedFrame]) -> Similarity:
    """The similarity that takes the world points of `frames` to those of the same frames in `targets`, robustly.

    Points weigh the geometric mean of their confidences; residuals are relative to the target's depth.
    """
    step = max(1, sum(frame.confidence.numel() for frame in frames) // _MOST_POINTS)
    source, target = (torch.cat([f.points_world.flatten(0, 1) for f in side])[::step] for side in (frames, targets))
    own, other = (torch.cat([f.confidence.flatten() for f in side])[::step] for side in (frames, targets))
    depth = torch.cat([frame.depth.flatten() for frame in targets])[::step].double()
    weights = (own.double() * other.double()).sqrt()
    if int((weights > 0).sum()) < 3:
        raise ValueError(
            f"frames {frames[0].index} to {frames[-1].index} have no points that two windows both see, so that the "
            "windows cannot be aligned: the network's depth is nowhere positive and finite"
        )
    return robust_umeyama(source.double(), target.double(), weights, unit=depth.clamp_min(1e-9))


def frame_windows(frames: Iterable[Tensor], length: int, overlap: int) -> Iterator[tuple[int, Tensor]]:
    """Yield (first index, frames [n, 3, H, W]) of windows that share at least `overlap` frames with the one before.

    All have `length` frames, unless there are not so many; the last one ends with the frames.
    """
    latest: deque[Tensor] = deque(maxlen=length)
    seen = covered = 0
    for seen, frame in enumerate(frames, 1):
        latest.append(frame)
        if seen - covered == (length - overlap if covered else length):
            covered = seen
            yield seen - length, torch.stack(tuple(latest))
    if seen > covered:
        yield seen - len(latest), torch.stack(tuple(latest))


def _apart(scene: Scene, images: Tensor, framing: Framing, start: int) -> list[PlacedFrame]:
    """The network's answer for one window of images [n, 3, h, w], frame by frame, in a world of its own."""
    said = scene.geometry
    if said.camera_to_world is None or said.intrinsics is None or said.points_camera is None:
        raise CapabilityError("this model gives no cameras, no intrinsics or no points, which a reconstruction needs")
    poses, intrinsics = said.camera_to_world[0].double().cpu(), said.intrinsics[0].double().cpu()
    if not poses.isfinite().all():
        last = start + len(poses) - 1
        raise ValueError(f"the camera poses of frames {start} to {last} are not finite; check the weights")
    points = said.points_camera[0].float().cpu()
    confidence = torch.ones(points.shape[:-1]) if said.confidence is None else said.confidence[0].float().cpu()
    known = points.isfinite().all(-1) & (points[..., 2] > 0) & confidence.isfinite() & _inside(framing)
    points, confidence = torch.where(known[..., None], points, 0), torch.where(known, confidence, 0)
    moving = [None] * len(images) if scene.motion is None else list(scene.motion.masks()[0].cpu())
    parts = zip(images, poses, intrinsics, points, confidence, strict=True)
    return [PlacedFrame(start + k, *part, framing, said.scale_is_metric, moving[k]) for k, part in enumerate(parts)]


def _inside(framing: Framing) -> Tensor:
    """[h, w] bool: pixels of the network's input that show the frame, not what is padded around it."""
    native = framing.undo_points(pixel_grid(*framing.size, like=torch.empty(0)))
    height, width = framing.native
    return ((native > -0.5) & (native < native.new_tensor([width, height]) - 0.5)).all(-1)


def _faded(old: PlacedFrame, new: PlacedFrame, share: float) -> PlacedFrame:
    """(1 - share) of the old answer for a frame and `share` of the new one; old alone if `share` is not positive.

    A pixel that only one of them knows is taken from there.
    """
    if share <= 0:
        return old
    pose = torch.lerp(old.camera_to_world, new.camera_to_world, share)
    weight = torch.where(old.confidence > 0, torch.where(new.confidence > 0, share, 0.0), 1.0)
    return replace(
        old,
        camera_to_world=se3(nearest_rotation(pose[:3, :3]), pose[:3, 3]),
        intrinsics=torch.lerp(old.intrinsics, new.intrinsics, share),
        points_camera=torch.lerp(old.points_camera, new.points_camera, weight[..., None]),
        confidence=torch.lerp(old.confidence, new.confidence, weight),
        moving=new.moving if share > 0.5 else old.moving,
    )
