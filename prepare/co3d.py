"""CO3D: python -m prepare.co3d --source CO3D ANNOTATIONS --root data/co3d

CO3D is the unpacked download (CATEGORY/SEQUENCE/images and so on). ANNOTATIONS are files CATEGORY_SPLIT.jgz as VGGT's
preparation of CO3D writes them: zipped JSON, sequence -> list of {filepath, extri: 3x4 world_to_camera, intri: 3x3}.
Frames that they name are placed with their depth and its mask; their cameras go into cameras.npz.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from motion4d.layouts import camera_files
from motion4d.layouts import co3d as layout
from motion4d.layouts.geometry import Cameras
from prepare.command import run
from prepare.dataset import Content, Dataset, Files, Job, find_root
from prepare.frame_annotations import read_jgz
from prepare.got10k import holds

ANNOTATION = re.compile(rf"(?P<category>.+)_(?P<split>{'|'.join(layout.SPLITS)})\.jgz")


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every annotated sequence."""
    images = find_root(sources, holds(f"*/*/{layout.IMAGES}"), what=f"CO3D (CATEGORY/SEQUENCE/{layout.IMAGES})")
    patterns = [f"*_{split}.jgz" for split in layout.SPLITS]
    annotations = find_root(sources, holds(*patterns), what=f"folder of annotations ({' or '.join(patterns)})")
    for path in sorted(annotations.glob("*.jgz")):
        named = ANNOTATION.fullmatch(path.name)
        if named is None:
            continue
        content = read_jgz(path)
        if not isinstance(content, dict):
            raise ValueError(f"{path} is no annotation of sequences")
        for sequence, frames in sorted(content.items()):
            name = f"{named['split']}/{named['category']}/{sequence}"
            yield Job(name, partial(_files, images, name, frames))


def _files(root: Path, name: str, annotations: Sequence[Mapping[str, Any]]) -> Files:
    """Frames, depth, masks and cameras of one sequence."""
    try:
        frames = {Path(one["filepath"]).name: one for one in annotations}
        images = [root / frames[image]["filepath"] for image in sorted(frames)]
        world_to_camera = np.array([frames[image.name]["extri"] for image in images], np.float64)
        intrinsics = np.array([frames[image.name]["intri"] for image in images], np.float64)
        last_row = np.broadcast_to([0.0, 0, 0, 1], (len(images), 1, 4))
        poses = np.linalg.inv(np.concatenate((world_to_camera[:, :3], last_row), 1))
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"its annotation is no list of filepath, extri (3x4) and intri (3x3) ({error})") from error
    files: dict[str, Content] = {}
    for image in images:
        folder = image.parents[1]
        for path in (image, layout.depth_file(folder, image), layout.mask_file(folder, image)):
            files[f"{name}/{path.relative_to(folder).as_posix()}"] = path
    stems, cameras = [image.stem for image in images], Cameras(poses, intrinsics)
    return {**files, f"{name}/{camera_files.FILE}": partial(camera_files.write_cameras, stems=stems, cameras=cameras)}


DATASET = Dataset(
    name="co3d",
    title="CO3D",
    licence="CC BY-NC 4.0, for non-commercial use.",
    origin="https://github.com/facebookresearch/co3d (its script downloads the categories)",
    version=1,
    root=Path("data/co3d"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
