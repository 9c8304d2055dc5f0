"""DyCheck's iPhone sequences (Gao et al. 2022), as downloaded, of which only camera 0 is taken:

    ROOT/SEQUENCE/rgb/1x/0_00000.png
    ROOT/SEQUENCE/depth/1x/0_00000.npy          [H, W, 1] in metres, 0 = none
    ROOT/SEQUENCE/camera/0_00000.json           focal length, principal point, orientation, position

A camera may be stated for a larger image than those of rgb/1x (`image_size`): intrinsics are brought to the files' own.
No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.depth_files import read_depth_npy
from motion4d.io.files import read_json
from motion4d.io.images import image_size
from motion4d.layouts.folders import PUBLISHED, chosen_names, folder_names
from motion4d.layouts.frame_files import beside, depth_from, frames_in
from motion4d.layouts.geometry import Cameras, GeometryFiles

PREPARE = "python -m prepare.dycheck --source DOWNLOADED"
IMAGES, DEPTH, CAMERAS = "rgb/1x", "depth/1x", "camera"
CAMERA = "0_"  # names of the moving camera's files begin so; the others stand still
SEQUENCES = (
    *("apple", "backpack", "block", "handwavy", "haru-sit", "mochi-high-five", "paper-windmill", "pillow"),
    *("space-out", "spin", "sriracha-tree", "teddy", "wheel"),
)


def dycheck(
    root: str | Path, sequences: str | Sequence[str] = PUBLISHED, *, every: int = 1, limit: int | None = None
) -> list[GeometryFiles]:
    """The sequences below `root`: the published 13, "all" that are there, or those named.

    every: take every so-many-th frame; limit: at most so many of them. A FileNotFoundError or ValueError names what is
    missing and the command that brings it.
    """
    root = Path(root)
    prepare = f"{PREPARE} --root {root}"
    if every < 1 or (limit is not None and limit < 1):
        raise ValueError(f"every={every} limit={limit}: both must be at least 1")
    chosen = chosen_names(sequences, SEQUENCES, root, title="DyCheck", prepare=prepare)
    return [sequence_files(root, name, every=every, limit=limit, prepare=prepare) for name in chosen]


def sequence_files(
    root: Path, name: str, *, every: int = 1, limit: int | None = None, prepare: str = PREPARE
) -> GeometryFiles:
    """One sequence; every frame has depth and a camera. Errors as above."""
    folder = root / name
    images = [image for image in frames_in(folder / IMAGES, name, prepare=prepare) if image.stem.startswith(CAMERA)]
    if not images:
        raise FileNotFoundError(f"{name} has no frames of camera 0 in {folder / IMAGES}; run: {prepare}")
    chosen = tuple(images[::every][:limit])
    depth = beside(chosen, folder / DEPTH, ".npy", "depth", prepare=prepare)
    cameras = beside(chosen, folder / CAMERAS, ".json", "camera", prepare=prepare)
    return GeometryFiles(name, chosen, depth_from(depth, read_depth_npy), partial(read_cameras, cameras, chosen[0]))


def read_cameras(files: Sequence[Path], image: Path) -> Cameras:
    """The cameras of these files, for images of the size of `image`."""
    size = image_size(image)
    poses, intrinsics = zip(*(read_camera(file, size) for file in files), strict=True)
    return Cameras(np.stack(poses), np.stack(intrinsics))


def read_camera(path: Path, size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """camera_to_world [4, 4] and intrinsics [3, 3] for an image of `size` (H, W).

    The file's orientation turns world into camera. A ValueError names a file with other contents.
    """
    content = read_json(path)
    try:
        scale = size[1] / content["image_size"][0]
        x, y = content["principal_point"]
        focal = float(content["focal_length"]) * scale
        pose = np.eye(4)
        pose[:3, :3] = np.array(content["orientation"], np.float64).T
        pose[:3, 3] = content["position"]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"{path} is no camera of DyCheck ({type(error).__name__}: {error})") from error
    column, row = ((place + 0.5) * scale - 0.5 for place in (x, y))
    return pose, np.array([[focal, 0, column], [0, focal, row], [0, 0, 1]])


def names(root: Path) -> list[str]:
    """The sequences that are there."""
    return [name for name in folder_names(root) if (root / name / IMAGES).is_dir()]
