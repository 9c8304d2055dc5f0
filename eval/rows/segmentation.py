"""Rows of mask evaluation at 480x854: J and F of one object's frame, of real masks (those of the reference cases), and
of a folder of PNG files.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from eval.rows.base import Row, Setting, Work

SIZE = (480, 854)
REFERENCE = Path("tests/reference/moseg-eval")  # eval runs from the repository's root


def masks(frames: int, objects: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Truth and prediction, label images of wobbly discs of about an eleventh of the frame in all: uint8 [480, 854]."""
    rng = np.random.default_rng(seed)
    return [(_labels(objects, k, 0), _labels(objects, k, int(rng.integers(3, 12)))) for k in range(frames)]


def _labels(objects: int, frame: int, shift: int) -> np.ndarray:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    labels = np.zeros(SIZE, dtype=np.uint8)
    for k in range(objects):
        dy, dx = y - 240 - 40 * np.sin(k + frame / 9), x - (k + 1) * SIZE[1] / (objects + 1) - frame - shift
        waves = 1 + 0.15 * np.sin(7 * np.arctan2(dy, dx) + frame / 5 + shift)
        labels[np.hypot(dy, dx) < waves * 110 / np.sqrt(objects)] = k + 1
    return labels


def _frame(setting: Setting, *, packed: bool) -> Work:
    from motion4d.metrics.boundary_plain import plain_match
    from motion4d.metrics.objects import Frame, Merged
    from motion4d.metrics.segmentation import frame_j

    pairs = masks(setting.frames, 1)
    if packed:
        return lambda: Merged().score(pairs[0][0], [Frame(str(k), *pair) for k, pair in enumerate(pairs)])
    return lambda: [(frame_j(*pair), plain_match(*pair).f) for pair in pairs]


def _real(setting: Setting) -> Work:
    from motion4d.io.labels import read_labels
    from motion4d.metrics.objects import ById, Frame

    sequences = []
    for name in ("car-shadow", "judo", "lab-coat"):
        files = sorted((REFERENCE / "davis" / "Annotations" / "480p" / name).glob("*.png"))
        predicted = [REFERENCE / "results" / "semi" / name / file.name for file in files]
        sequences.append([(read_labels(a), read_labels(b)) for a, b in zip(files, predicted, strict=True)])

    def work() -> None:
        for pairs in sequences:
            ById().score(pairs[0][0], [Frame(str(k), *pair) for k, pair in enumerate(pairs)])

    return work


def _folder(setting: Setting, *, objects: int) -> Work:
    from motion4d.metrics.folders import score_folder
    from motion4d.metrics.protocols import DAVIS2017_SEMI

    folder = tempfile.TemporaryDirectory()
    files: tuple[dict[str, Path], dict[str, Path]] = ({}, {})
    for k, pair in enumerate(masks(setting.frames, objects)):
        for name, labels, found in zip(("truth", "prediction"), pair, files, strict=True):
            found[f"{k:05d}"] = Path(folder.name) / f"{name}_{k:05d}.png"
            Image.fromarray(labels).save(found[f"{k:05d}"])

    def work(_: tempfile.TemporaryDirectory = folder) -> None:
        score_folder(DAVIS2017_SEMI, {"clip": files[0]}, {"clip": files[1]}, processes=1)

    return work


ROWS = {
    "masks": Row(
        {
            "J and F of a frame, dilation of whole frames": partial(_frame, packed=False),
            "J and F of a frame, packed bits": partial(_frame, packed=True),
        }
    ),
    "real_masks": Row({"238 object-frames, packed bits": _real}),
    "davis2017": Row(
        {
            "files with one object": partial(_folder, objects=1),
            "files with five objects": partial(_folder, objects=5),
        }
    ),
}
