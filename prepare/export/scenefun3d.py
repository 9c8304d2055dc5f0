"""SceneFun3D as SegAffordance's builder writes it: LMDB of pickled records, JPEG frames, 16-bit depth. Needs lmdb."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from motion4d.io.depth_files import write_depth_png
from motion4d.io.images import write_image
from motion4d.io.lmdb_records import write_records
from motion4d.layouts.scenefun3d import DEPTH, IMAGES, RECORDS
from motion4d.layouts.scenefun3d_records import METADATA
from motion4d.part import PartQuery
from prepare.export.parts import PartTruth, part_truth, stretched

FOLDER = "scenefun3d"
POINTS = 100  # of a trajectory
MILLIMETRES = 1000


def write(queries: Iterable[PartQuery], folder: Path) -> None:
    """Write every query as a visit of its own; a ValueError if one has no trajectory, or lmdb is not there."""
    write_records(folder / FOLDER / RECORDS, sorted(_records(queries, folder / FOLDER)))


def _records(queries: Iterable[PartQuery], folder: Path) -> Iterator[tuple[str, bytes]]:
    yield METADATA, pickle.dumps({"version": "1.0"})
    for number, query in enumerate(queries):
        truth = part_truth(query)
        visit, video = str(420000 + number), str(41000000 + number)
        name = f"{visit}_{video}_0.0"
        write_image(folder / IMAGES / f"{name}.jpg", truth.image)
        write_depth_png(folder / DEPTH / f"{name}.png", truth.depth, per_unit=MILLIMETRES)
        yield f"{visit}/{video}/0.0/{number}", pickle.dumps(_record(name, truth))


def _record(name: str, truth: PartTruth) -> dict[str, Any]:
    if truth.trajectory is None or truth.track is None or truth.valid is None:
        raise ValueError(f"the query {truth.text!r} cannot be written: it has no trajectory")
    valid = stretched(truth.valid[:, None].astype(np.float64), POINTS)[:, 0] == 1
    return {
        "rgb_image_path": f"{name}.jpg",
        "depth_image_path": f"{name}.png",
        "mask_coordinates_yx": np.argwhere(truth.mask).tolist(),
        "visibility_ratio": 1.0,
        "sensor_check": None,
        "description": truth.text,
        "motion_info": {
            "original_motion_data": {"motion_type": ("trans", "rot")[truth.kind]},
            "frame_specific_motion_data": {
                "motion_origin_2d_image_coords": truth.origin_2d.tolist(),
                "motion_origin_3d_camera_coords": truth.origin.tolist(),
                "motion_dir_3d_camera_coords": truth.axis.tolist(),
            },
        },
        "label_info": {"label": "procedural"},
        "camera_intrinsics": truth.intrinsics.tolist(),
        "image_dimensions_wh": truth.size[::-1],
        "trajectory_3d_camera_coords": stretched(truth.trajectory, POINTS).tolist(),
        "trajectory_2d_image_coords": stretched(truth.track, POINTS).tolist(),
        "trajectory_2d_valid": valid.tolist(),
    }
