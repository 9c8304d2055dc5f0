"""Procedures of the preparation of FBMS-59 and SegTrack v2: what lies in the prepared root."""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from motion4d.io.files import read_json
from motion4d.io.labels import read_labels
from motion4d.layouts import fbms as fbms_layout
from motion4d.layouts import segtrack as segtrack_layout
from motion4d.layouts.folders import images_in
from prepare import fbms, segtrack
from prepare.command import write_files
from prepare.dataset import Dataset
from prepare.placing import copy
from tests.reference.manifest import Case


def prepare_fbms(case: Case) -> dict[str, Any]:
    """Names of the frames; shape, values, count and digest of every mask."""
    outputs: dict[str, Any] = {}
    with _prepared(fbms.DATASET, case.inputs["official"], policy=case.params["policy"]) as root:
        for name in case.params["sequences"]:
            prefix = f"fbms_clean/{name}"
            outputs[f"{prefix}/images"] = [image.name for image in images_in(root / fbms_layout.IMAGES / name)]
            for mask in images_in(root / fbms_layout.MASKS / name):
                labels = read_labels(mask)
                outputs[f"{prefix}/annotations/{mask.name}/shape"] = list(labels.shape)
                outputs[f"{prefix}/annotations/{mask.name}/values"] = np.unique(labels).tolist()
                outputs[f"{prefix}/annotations/{mask.name}/foreground"] = int((labels > 0).sum())
                outputs[f"{prefix}/annotations/{mask.name}/sha256_of_uint8_0_255"] = _digest(labels)
    return outputs


def prepare_segtrack(case: Case) -> dict[str, Any]:
    """Old names of the frames; count and digest of every joined mask."""
    outputs: dict[str, Any] = {}
    with _prepared(segtrack.DATASET, case.inputs["official"], threshold=0) as root:
        for name in case.params["sequences"]:
            folder = root / segtrack_layout.MASKS / name
            outputs[f"segtrack/{name}/frames"] = list(read_json(folder / "names.json").values())
            for number, mask in enumerate(images_in(folder)):
                labels = read_labels(mask)
                outputs[f"segtrack/{name}/masks/{number}/union_foreground"] = int((labels > 0).sum())
                outputs[f"segtrack/{name}/masks/{number}/union_sha256"] = _digest(labels)
    return outputs


PROCEDURES = {"prepare_fbms": prepare_fbms, "prepare_segtrack": prepare_segtrack}


@contextmanager
def _prepared(dataset: Dataset, official: Path, **options: Any) -> Iterator[Path]:
    """A temporary root with every sequence that the official tree holds."""
    with tempfile.TemporaryDirectory() as folder:
        for job in dataset.jobs([official], argparse.Namespace(**options)):
            write_files(job, Path(folder), lambda source: copy)
        yield Path(folder)


def _digest(labels: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(labels).tobytes()).hexdigest()
