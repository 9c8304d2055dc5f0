"""Dynamic Replica: python -m prepare.dynamic_replica --source dynamic_replica_data --root data/dynamic_replica

Masks of what moves are made of the instance ids: an instance is dynamic if more than half of its points (trajectories
in the world, kept with the left view) ever move by more than 1e-4 between two frames, as published by GeoMotion. If all
of them are, the masks that come with the data are taken. The right view has the dynamic instances of the left one.

Depth is placed, and cameras are taken out of frame_annotations_SPLIT.jgz, where both are there. A sequence without
instance ids has depth and cameras only.

Masks need torch: the trajectories are torch files. They are read without running what is inside them.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import natural_key
from motion4d.io.labels import read_labels
from motion4d.io.masks import write_mask
from motion4d.io.weights import read_state_dict
from motion4d.layouts import camera_files
from motion4d.layouts import dynamic_replica as layout
from motion4d.layouts import dynamic_replica_geometry as geometry
from motion4d.layouts.folders import folder_names, images_in, some
from motion4d.layouts.geometry import GeometryFiles
from motion4d.layouts.sequence import SequenceFiles
from prepare.command import run
from prepare.dataset import Content, Dataset, Facts, Files, Job, find_root
from prepare.describing import describe
from prepare.frame_annotations import cameras_by_sequence, cameras_of
from prepare.got10k import holds
from prepare.trees import placed

IDS, TRAJECTORIES, SUPPLIED = "instance_id_maps", "trajectories", "masks"
STILL = 1e-4  # of the world's unit, between two frames


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence of every split that has instance ids, or depth and cameras."""
    patterns = [f"{split}/*/{part}" for split in layout.SPLITS for part in (IDS, geometry.DEPTH)]
    what = f"Dynamic Replica (train/SEQUENCE/{IDS} or {geometry.DEPTH})"
    official = find_root(sources, holds(*patterns), what=what)
    for split in layout.SPLITS:
        annotations = _annotations(official, split)
        for name in folder_names(official / split):
            folder = official / split / name
            has_masks, has_depth = ((folder / part).is_dir() for part in (IDS, geometry.DEPTH))
            if has_masks or (has_depth and annotations):
                yield Job(
                    f"{split}/{name}", partial(_files, folder, f"{split}/{name}", annotations if has_depth else None)
                )


def _annotations(official: Path, split: str) -> Path | None:
    """The cameras of a split, if they are there."""
    name = f"frame_annotations_{split}.jgz"
    return next((path for path in (official / split / name, official / name) if path.is_file()), None)


@lru_cache(maxsize=1)  # the right view follows the left one
def dynamic_instances(trajectories: Path) -> tuple[frozenset[int], frozenset[int]]:
    """The ids of the dynamic instances, and of all that have points.

    trajectories: a folder of one torch file per frame with `traj_3d_world` [P, 3] and `instances` [P].
    """
    files = sorted(trajectories.glob("*.pth"), key=lambda file: natural_key(file.name))
    if len(files) < 2:
        raise FileNotFoundError(f"{trajectories} holds {len(files)} trajectory files (000000.pth and so on)")
    before, instances = _points(files[0])
    moved = np.zeros(len(before), np.bool_)
    for file in files[1:]:
        points, _ = _points(file)
        if points.shape != before.shape:
            raise ValueError(f"{file} has {len(points)} points, but {files[0].name} has {len(before)}")
        moved |= np.linalg.norm(points - before, axis=-1) > STILL
        before = points
    everything = frozenset(np.unique(instances).tolist())
    return frozenset(one for one in everything if moved[instances == one].mean() > 0.5), everything


def _points(file: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    content = read_state_dict(file)
    missing = {"traj_3d_world", "instances"} - content.keys()
    if missing:
        raise ValueError(f"{file} has no {' and no '.join(sorted(missing))}")
    return content["traj_3d_world"].float().numpy(), content["instances"].long().numpy()


def _files(folder: Path, name: str, annotations: Path | None) -> Files:
    """Images, and what there is of masks, and of depth and cameras."""
    images = images_in(folder / layout.IMAGES)
    files: dict[str, Content] = {f"{name}/{layout.IMAGES}/{image.name}": image for image in images}
    if (folder / IDS).is_dir():
        files |= _masks(folder, name)
    if annotations is not None and folder.name in cameras_by_sequence(annotations):
        files |= placed(folder, name, f"{geometry.DEPTH}/*{geometry.DEPTH_SUFFIX}")
        stems = [image.stem for image in images]
        cameras = cameras_of(annotations, folder.name, stems)
        files[f"{name}/{camera_files.FILE}"] = partial(camera_files.write_cameras, stems=stems, cameras=cameras)
    return files


def _masks(folder: Path, name: str) -> Files:
    """A mask for each image."""
    left = folder.with_name(re.sub(r"right$", "left", folder.name))
    dynamic, everything = dynamic_instances(left / TRAJECTORIES)
    supplied = folder / SUPPLIED if dynamic == everything else None
    images, labels = _by_number(folder / layout.IMAGES), _by_number(supplied or folder / IDS)
    missing = [image.stem for number, image in images.items() if number not in labels]
    if missing or not images:
        raise FileNotFoundError(f"{supplied or folder / IDS} lacks the frames {some(missing) or '(all)'}")
    chosen = None if supplied else sorted(dynamic)
    return {
        f"{name}/{layout.MASKS}/{image.stem}.png": partial(_write_mask, labels[number], chosen)
        for number, image in images.items()
    }


def _by_number(folder: Path) -> dict[str, Path]:
    """Frame number, as the end of the stem spells it -> file: images and ids are not named quite alike."""
    found = ((re.search(r"\d+$", image.stem), image) for image in images_in(folder))
    return {number.group().zfill(9): image for number, image in found if number}


def _write_mask(labels: Path, dynamic: list[int] | None, target: Path) -> None:
    """Where a dynamic id stands; None: any label but 0."""
    ids = read_labels(labels)
    write_mask(target, ids > 0 if dynamic is None else np.isin(ids, dynamic))


def _names(root: Path) -> list[str]:
    return list(dict.fromkeys([*layout.names(root), *geometry.names(root)]))


def _sequence(root: Path, name: str) -> SequenceFiles | GeometryFiles:
    """Frames with masks, or with depth and cameras where there are no masks."""
    has_masks = (root / name / layout.MASKS).is_dir()
    return layout.sequence_files(root, name) if has_masks else geometry.sequence_files(root, name)


def _check(files: SequenceFiles | GeometryFiles, facts: Facts) -> list[str]:
    """Depth and cameras of a sequence that has masks, too."""
    root = files.images[0].parents[3]  # of ROOT/SPLIT/SEQUENCE/images/FRAME
    if isinstance(files, GeometryFiles) or not geometry.is_complete(root, files.name):
        return []
    return describe(geometry.sequence_files(root, files.name))[1]


DATASET = Dataset(
    name="dynamic_replica",
    title="Dynamic Replica",
    licence="CC BY-NC 4.0, for non-commercial use.",
    origin="https://github.com/facebookresearch/dynamic_stereo (its script downloads the splits)",
    version=2,
    root=Path("data/dynamic_replica"),
    jobs=jobs,
    names=_names,
    sequence=_sequence,
    check=_check,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
