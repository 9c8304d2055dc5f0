"""What a prepared sequence holds and what is wrong with it: sizes that differ, unreadable files, odd cameras."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from motion4d.io.images import image_size
from motion4d.io.labels import read_labels
from motion4d.layouts.geometry import Cameras, GeometryFiles
from motion4d.layouts.sequence import SequenceFiles
from prepare.dataset import Facts

SHOWN = 3  # problems of one sequence


def describe(files: SequenceFiles | GeometryFiles) -> tuple[Facts, list[str]]:
    """The facts of a sequence and what is wrong with it. Every mask and depth map is read."""
    sizes = {image: image_size(image) for image in files.images}
    size = sizes[files.images[0]]
    odd = [image for image, found in sizes.items() if found != size]
    problems = [f"{odd[0].name} is {_shown(sizes[odd[0]])}, {files.images[0].name} is {_shown(size)}"] if odd else []
    if isinstance(files, SequenceFiles):
        ids, found = _masks(files, size)
        return Facts(len(files.images), len(files.annotations), size, ids), (problems + found)[:SHOWN]
    with_depth = _with_depth(files)
    if files.depth is not None and not with_depth:
        problems.append("none of its frames has any depth")
    problems += camera_problems(files.cameras(), len(files.images))
    return Facts(len(files.images), with_depth, size, ()), problems[:SHOWN]


def is_complete(files: SequenceFiles | GeometryFiles, facts: Facts) -> bool:
    """Whether the files that the facts were taken of are still there. (Layouts refuse a frame without its depth.)"""
    if len(files.images) != facts.frames:
        return False
    masks = files.annotations if isinstance(files, SequenceFiles) else None
    if masks is not None and len(masks) != facts.labelled:
        return False
    return all(path.is_file() for path in (*files.images, *(masks or {}).values()))


def camera_problems(cameras: Cameras, frames: int) -> list[str]:
    """What is wrong with the cameras of so many frames, one sentence each."""
    return [*_pose_problems(cameras.camera_to_world, frames), *_intrinsics_problems(cameras.intrinsics, frames)]


def _pose_problems(poses: np.ndarray | None, frames: int) -> Iterable[str]:
    if poses is None:
        return
    if poses.shape != (frames, 4, 4):
        yield f"it has {len(poses)} poses for {frames} frames"
        return
    infinite = np.flatnonzero(~np.isfinite(poses).all((1, 2)))
    if len(infinite):
        yield f"the pose of frame {infinite[0]} is not finite"
        return
    rotation = poses[:, :3, :3]
    error = np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max((1, 2))
    wrong = np.flatnonzero((error > 1e-2) | (np.linalg.det(rotation) < 0))
    if len(wrong):
        yield f"the pose of frame {wrong[0]} is no rigid motion"


def _intrinsics_problems(intrinsics: np.ndarray | None, frames: int) -> Iterable[str]:
    if intrinsics is None:
        return
    if intrinsics.shape != (frames, 3, 3):
        yield f"it has {len(intrinsics)} intrinsics for {frames} frames"
    elif not (np.isfinite(intrinsics).all() and (intrinsics[:, (0, 1), (0, 1)] > 0).all()):
        yield "a focal length is not a positive number"


def _with_depth(files: GeometryFiles) -> int:
    """How many frames have depth anywhere."""
    if files.depth is None:
        return 0
    maps = (files.depth(frame) for frame in range(len(files.images)))
    return sum(bool((np.isfinite(depth) & (depth > 0)).any()) for depth in maps)


def _masks(files: SequenceFiles, size: tuple[int, int]) -> tuple[tuple[int, ...], list[str]]:
    """The ids in the masks, and a sentence for each mask of another size."""
    ids: set[int] = set()
    problems = []
    for stem, path in files.annotations.items():
        labels = read_labels(path)
        ids.update(np.unique(labels).tolist())
        if labels.shape != size:
            problems.append(f"the mask of {stem} is {_shown(labels.shape)}, the frames are {_shown(size)}")
    return tuple(sorted(ids)), problems


def _shown(size: tuple[int, ...]) -> str:
    return "x".join(str(side) for side in reversed(size))
