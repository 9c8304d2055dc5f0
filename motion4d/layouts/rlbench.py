"""Episodes of RLBench tasks (James et al. 2020) as recorded for PAGE-4D: two cameras that stand still.

    ROOT/TASK/EPISODE/{front,overhead}_rgb_frames/*.jpg
    ROOT/TASK/EPISODE/{front,overhead}_depth_npy/*.npz     arr_0 [H, W], metres, numbered like the images
    ROOT/TASK/camera_params.json                           front, overhead: Extrinsic (world_to_camera), Intrinsic

A sequence is called TASK/EPISODE/CAMERA. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.arrays import read_arrays
from motion4d.io.files import read_json
from motion4d.layouts.folders import folder_names
from motion4d.layouts.frame_files import depth_from, frames_in
from motion4d.layouts.geometry import Cameras, GeometryFiles
from motion4d.layouts.listing import listed
from motion4d.layouts.same_number import same_number

PREPARE = "python -m prepare.rlbench --source DOWNLOADED"
CAMERAS = ("front", "overhead")
PARAMETERS = "camera_params.json"


def rlbench(root: str | Path, cameras: Sequence[str] = CAMERAS) -> list[GeometryFiles]:
    """All episodes as seen by these cameras; a FileNotFoundError names the command if there are none."""
    return listed(Path(root), partial(names, cameras=cameras), sequence_files, prepare=PREPARE)


def names(root: Path, cameras: Sequence[str] = CAMERAS) -> list[str]:
    """The episodes and cameras that have images."""
    return [
        f"{task}/{episode}/{camera}"
        for task in folder_names(root)
        for episode in folder_names(root / task)
        for camera in cameras
        if (root / task / episode / frames(camera)).is_dir()
    ]


def sequence_files(root: Path, name: str) -> GeometryFiles:
    """One episode and camera; every frame has depth. A FileNotFoundError names what is missing."""
    task, episode, camera = name.split("/")
    folder = root / task / episode
    images = frames_in(folder / frames(camera), name, prepare=PREPARE)
    depth = same_number(images, folder / depths(camera), ".npz", "depth", prepare=PREPARE)
    parameters = partial(read_cameras, root / task / PARAMETERS, camera, len(images))
    return GeometryFiles(name, images, depth_from(depth, _read_depth), parameters)


def frames(camera: str) -> str:
    """The folder of a camera's images."""
    return f"{camera}_rgb_frames"


def depths(camera: str) -> str:
    """The folder of a camera's depth."""
    return f"{camera}_depth_npy"


def read_cameras(path: Path, camera: str, count: int) -> Cameras:
    """The same camera for `count` frames; a ValueError names what the file lacks."""
    try:
        matrices = {key: np.asarray(read_json(path)[camera][key], np.float64) for key in ("Extrinsic", "Intrinsic")}
        pose = np.eye(4)
        pose[:3] = matrices["Extrinsic"][:3]
        intrinsics = matrices["Intrinsic"].reshape(3, 3)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{path} has no Extrinsic (3x4 or 4x4) and Intrinsic (3x3) of {camera} ({error})") from error
    return Cameras(np.repeat(np.linalg.inv(pose)[None], count, 0), np.repeat(intrinsics[None], count, 0))


def _read_depth(path: Path) -> NDArray[np.float32]:
    (depth,) = read_arrays(path, ("arr_0",))
    return depth.astype(np.float32).squeeze()
