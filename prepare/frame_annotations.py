"""frame_annotations_SPLIT.jgz: zipped JSON in which Dynamic Replica has the cameras of all frames of a split."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from motion4d.layouts.dynamic_replica_geometry import intrinsics_from_ndc, world_to_camera
from motion4d.layouts.geometry import Cameras
from motion4d.layouts.same_number import number_of


def read_jgz(path: Path) -> Any:
    """The content of a zipped JSON file; a ValueError names a file that is damaged."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return json.load(file)
    except (OSError, EOFError, zlib.error, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no zipped JSON file ({error}); restore it") from error


@lru_cache(maxsize=1)  # sequences come split by split
def cameras_by_sequence(path: Path) -> Mapping[str, Mapping[int, Mapping[str, Any]]]:
    """Folder of the sequence -> number of the frame -> its annotation. A ValueError names what is not understood."""
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    try:
        for annotation in read_jgz(path):
            image = PurePosixPath(annotation["image"]["path"])  # SEQUENCE/images/SEQUENCE-0000.png
            found.setdefault(image.parts[-3], {})[number_of(image.stem)] = annotation
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{path} is not a list of frames with image and path ({error})") from error
    return found


def cameras_of(path: Path, sequence: str, stems: list[str]) -> Cameras:
    """The cameras of these frames of a known sequence; a ValueError if one is missing or not understood."""
    annotations = cameras_by_sequence(path)[sequence]
    missing = [stem for stem in stems if number_of(stem) not in annotations]
    if missing:
        raise ValueError(
            f"{path.name} has no cameras of {len(missing)} of {len(stems)} frames, {missing[0]} among them"
        )
    poses, matrices = [], []
    try:
        for stem in stems:
            annotation = annotations[number_of(stem)]
            viewpoint, (height, width) = annotation["viewpoint"], annotation["image"]["size"]
            poses.append(np.linalg.inv(world_to_camera(viewpoint["R"], viewpoint["T"])))
            matrices.append(intrinsics_from_ndc(viewpoint, (height, width)))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: the camera of {stem} is not understood ({error})") from error
    intrinsics = np.stack(matrices)
    intrinsics[:, :2, 2] -= 0.5  # from pixels with centres at halves to motion4d.clip's
    return Cameras(np.stack(poses), intrinsics)
