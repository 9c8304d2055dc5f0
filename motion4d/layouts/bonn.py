"""Bonn RGB-D Dynamic (Palazzolo et al. 2019), as prepared:

    ROOT/rgbd_bonn_SEQUENCE/rgb_110/*.png
    ROOT/rgbd_bonn_SEQUENCE/depth_110/*.png          16 bit, 5000 per metre, in the order of the images
    ROOT/rgbd_bonn_SEQUENCE/groundtruth_110.txt      a row of stamp tx ty tz qx qy qz qw per image

The rows are poses of markers on the camera in the frame of the motion capture. Evaluations take them for
camera_to_world, which changes trajectory errors a little; `corrected` brings them to the camera. Images are distorted a
little (radial 0.04, -0.1), which the intrinsics do not say. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.depth_files import read_depth_png
from motion4d.io.tum_files import read_poses
from motion4d.layouts.folders import PUBLISHED, chosen_names, folder_names
from motion4d.layouts.frame_files import depth_from
from motion4d.layouts.geometry import Cameras, GeometryFiles
from motion4d.layouts.listing import each_sequence
from motion4d.layouts.numbered import holds_selected, selected, stamped_frames

PREPARE = "python -m prepare.bonn --source DOWNLOADED"
SEQUENCES = tuple(f"rgbd_bonn_{name}" for name in ("balloon2", "crowd2", "crowd3", "person_tracking2", "synchronous"))
PER_METRE = 5000.0
SIZE = (480, 640)  # H, W of the camera's images
INTRINSICS = np.array([[542.822841, 0, 315.593520], [0, 542.576870, 237.756098], [0, 0, 1]])
GROUNDTRUTH = "groundtruth_*.txt"

# As published: axes of the motion capture, and markers to camera (a similarity of scale 1.06, rounded).
MOCAP_AXES = np.array([[-1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
CAMERA_TO_MARKERS = np.array(
    [
        [1.0157, 0.1828, -0.2389, 0.0113],
        [0.0009, -0.8431, -0.6413, -0.0098],
        [-0.3009, 0.6147, -0.8085, 0.0111],
        [0, 0, 0, 1],
    ]
)


def bonn(
    root: str | Path, sequences: str | Sequence[str] = PUBLISHED, *, corrected: bool = False
) -> list[GeometryFiles]:
    """The sequences below `root`: the published five, "all" that are there, or those named.

    corrected: poses of the camera instead of the markers. A FileNotFoundError or ValueError names what is missing and
    the command that brings it.
    """
    root = Path(root)
    prepare = f"{PREPARE} --root {root}"
    chosen = chosen_names(sequences, SEQUENCES, root, title="Bonn", prepare=prepare)
    return each_sequence(
        GeometryFiles, chosen, lambda name: sequence_files(root, name, corrected=corrected, prepare=prepare)
    )


def sequence_files(root: Path, name: str, *, corrected: bool = False, prepare: str = PREPARE) -> GeometryFiles:
    """One sequence; every frame has depth and a pose. Errors as above."""
    folder = root / name
    number = selected(folder, GROUNDTRUTH, prepare=prepare)
    images = stamped_frames(folder / f"rgb_{number}", name, prepare=prepare)
    depth = stamped_frames(folder / f"depth_{number}", name, prepare=prepare)
    if len(depth) != len(images):
        raise ValueError(f"{name} has {len(images)} images but {len(depth)} depth files; run: {prepare}")
    return GeometryFiles(
        name,
        images,
        depth_from(depth, partial(read_depth_png, per_unit=PER_METRE)),
        partial(read_cameras, folder / f"groundtruth_{number}.txt", len(images), corrected),
        timestamps=tuple(float(image.stem) for image in images),
    )


def read_cameras(groundtruth: Path, frames: int, corrected: bool) -> Cameras:
    """The cameras of a prepared list of poses."""
    _, poses = read_poses(groundtruth)
    if corrected:
        poses = camera_poses(poses)
        poses[:, :3, :3] /= np.cbrt(np.linalg.det(poses[:, :3, :3]))[:, None, None]
    return Cameras(poses, np.tile(INTRINSICS, (frames, 1, 1)))


def camera_poses(poses: NDArray[np.floating]) -> NDArray[np.float64]:
    """Poses of the markers [N, 4, 4] -> camera_to_world [N, 4, 4], with the scale of the published constants."""
    return np.linalg.inv(MOCAP_AXES) @ poses @ MOCAP_AXES @ CAMERA_TO_MARKERS


def names(root: Path) -> list[str]:
    """The prepared sequences."""
    return [name for name in folder_names(root) if holds_selected(root / name, GROUNDTRUTH)]
