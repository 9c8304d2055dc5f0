"""OPDReal or OPDMulti as downloaded: HDF5 files, annotations, sizes of the objects. Needs h5py (extra hdf5).

Unlike the published annotations, these have sentences. Of four queries two go to train, one to valid, one to test.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from motion4d.io.coco_masks import encode_rle
from motion4d.io.files import atomic_path, write_json
from motion4d.layouts.opd import DEPTH, ORIGINAL, annotation_file
from motion4d.part import PartQuery
from prepare.export.parts import PartTruth, part_truth

REAL, MULTI = "MotionDataset_h5_real", "MotionDataset_h5_multi"
NOUNS = ("drawer", "door", "lid")  # categories 1, 2, 3
TURNS = ("train", "train", "valid", "test")
MILLIMETRES = 1000
IDENTITY = np.eye(4).reshape(-1).tolist()


def write_real(queries: Iterable[PartQuery], folder: Path) -> None:
    """Write every query as a picture of an object of its own; a ValueError if h5py is not there."""
    truths = [part_truth(query) for query in queries]
    _write(truths, folder / REAL, multi=False)
    write_json(folder / REAL / "real-attr.json", {_model(k): {"diameter": t.diagonal} for k, t in enumerate(truths)})


def write_multi(queries: Iterable[PartQuery], folder: Path) -> None:
    """The same, as OPDMulti."""
    truths = [part_truth(query) for query in queries]
    _write(truths, folder / MULTI, multi=True)
    write_json(folder / MULTI / "obj_info.json", {_key(k): {"diagonal": t.diagonal} for k, t in enumerate(truths)})


def _write(truths: list[PartTruth], folder: Path, *, multi: bool) -> None:
    splits: dict[str, list[int]] = {}
    for number in range(len(truths)):
        splits.setdefault(TURNS[number % len(TURNS)], []).append(number)
    for split, numbers in splits.items():
        images = np.stack([truths[number].image for number in numbers])
        _write_rows(folder / f"{split}.h5", split, images, [_picture(number) for number in numbers])
        content = {
            "info": {"description": "procedural"},
            "licenses": [],
            "categories": [{"id": place, "name": noun} for place, noun in enumerate(NOUNS, 1)],
            "images": [_image(number, truths[number], multi) for number in numbers],
            "annotations": [_annotation(number, truths[number], multi) for number in numbers],
        }
        write_json(folder / ORIGINAL / annotation_file(split), content)
    depth = np.stack([truth.depth for truth in truths])[..., None] * np.float32(MILLIMETRES)
    _write_rows(folder / DEPTH, "depth", depth, [_depth(number) for number in range(len(truths))])


def _write_rows(path: Path, name: str, rows: np.ndarray, names: list[str]) -> None:
    try:
        import h5py
    except ImportError as error:
        raise ValueError('writing OPD needs h5py: pip install -e ".[hdf5]"') from error
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file[f"{name}_images"] = rows
        file[f"{name}_filenames"] = np.array(names, "S")


def _image(number: int, truth: PartTruth, multi: bool) -> dict[str, Any]:
    intrinsic, extrinsic = truth.intrinsics.T.reshape(-1).tolist(), IDENTITY
    camera = {"intrinsic": intrinsic, "extrinsic": extrinsic}
    return {
        "id": number,
        "file_name": _picture(number),
        "depth_file_name": _depth(number),
        "height": truth.size[0],
        "width": truth.size[1],
        "camera": camera if multi else {name: {"matrix": values} for name, values in camera.items()},
        "label": "procedural",
    }


def _annotation(number: int, truth: PartTruth, multi: bool) -> dict[str, Any]:
    rows, columns = np.nonzero(truth.mask)
    x, y, right, bottom = (int(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    axis, origin = truth.axis.tolist(), truth.origin.tolist()
    motion: dict[str, Any] = {"type": ("translation", "rotation")[truth.kind], "partId": "0"}
    motion |= {"axis": axis, "origin": origin} if multi else {"current_axis": axis, "current_origin": origin}
    entry = {
        "id": number + 1,
        "image_id": number,
        "category_id": _category(truth.text),
        "bbox": [x, y, right - x, bottom - y],
        "area": int(truth.mask.sum()),
        "iscrowd": 0,
        "segmentation": encode_rle(truth.mask),
        "motion": motion | ({"object_key": _key(number)} if multi else {}),
        "description": truth.text,
    }
    return entry | ({"object_key": _key(number)} if multi else {})


def _category(text: str) -> int:
    """By the noun that the sentence ends in."""
    found = [place for place, noun in enumerate(NOUNS, 1) if text.rstrip(".").endswith(noun)]
    if not found:
        raise ValueError(f"OPD has {', '.join(NOUNS)}, but this sentence is of something else: {text!r}")
    return found[0]


def _model(number: int) -> str:
    return str(1000 + number)


def _key(number: int) -> str:
    return f"scene_{number:05d}_0"


def _picture(number: int) -> str:
    return f"{_model(number)}-0.png"


def _depth(number: int) -> str:
    return f"{_model(number)}-0_d.png"
