"""OPDReal and OPDMulti (Jiang et al. 2022, Sun et al. 2024): openable parts in single images. No torch.

ROOT/train.h5, valid.h5, test.h5                train_images [N, H, W, 3 or 4] uint8, train_filenames [N]
ROOT/depth.h5                                   depth_images [M, H, W(, 1)] millimetres, 0 none; depth_filenames
ROOT/annotations_bwdf/MotionNet_train.json      those whose origin is seen, with descriptions (prepare.opd)
ROOT/real-attr.json or ROOT/obj_info.json       sizes of the objects (OPDReal or OPDMulti)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from motion4d.io.files import read_json
from motion4d.io.named_rows import NamedRows
from motion4d.layouts.opd_annotations import OpdPart, read_annotations

PREPARE = "python -m prepare.opd --source DOWNLOADED"
DESCRIBE = "python -m prepare.opd_descriptions"
SPLITS = ("train", "valid", "test")
FILTERED, ORIGINAL = "annotations_bwdf", "annotations"
DEPTH = "depth.h5"
ATTRIBUTES = {"real-attr.json": "diameter", "obj_info.json": "diagonal"}  # file -> its entry in metres


@dataclass(frozen=True)
class OpdFiles:
    """One split. Nothing is read before it is asked for."""

    split: str
    images: Path
    depth: Path
    annotations: Path
    attributes: Path | None = None

    def image_rows(self, *, in_memory: bool = False) -> NamedRows:
        """Images by file name."""
        names = {"rows": f"{self.split}_images", "names": f"{self.split}_filenames"}
        return NamedRows(self.images, **names, in_memory=in_memory)

    def depth_rows(self, *, in_memory: bool = False) -> NamedRows:
        """Depth maps of all splits by file name."""
        return NamedRows(self.depth, rows="depth_images", names="depth_filenames", in_memory=in_memory)

    def parts(self) -> list[OpdPart]:
        """What is annotated; a ValueError if one of them has no sentence."""
        parts = read_annotations(self.annotations)
        silent = [part.number for part in parts if not part.description.strip()]
        if silent:
            raise ValueError(
                f"{len(silent)} of {len(parts)} annotations of {self.annotations} have no description (the first: "
                f"{silent[0]}); run: {DESCRIBE} --root {self.images.parent}"
            )
        return parts

    def diagonal(self, part: OpdPart) -> float | None:
        """Of the object, metres; None if the data set does not say it."""
        key = part.image.model if self._entry == "diameter" else part.object_key
        found = self._attributes.get(key, {}).get(self._entry)
        return None if found is None else float(found)

    @property
    def _entry(self) -> str:
        return "" if self.attributes is None else ATTRIBUTES[self.attributes.name]

    @cached_property
    def _attributes(self) -> dict[str, dict[str, float]]:
        return {} if self.attributes is None else dict(read_json(self.attributes))


def opd(root: str | Path, split: str = "train") -> OpdFiles:
    """One split below `root`; a FileNotFoundError names what is missing and the command that brings it."""
    if split not in SPLITS:
        raise ValueError(f"OPD has the splits {', '.join(SPLITS)}, but not {split!r}")
    root = Path(root)
    attributes = [root / name for name in ATTRIBUTES if (root / name).is_file()]
    files = OpdFiles(
        split,
        root / f"{split}.h5",
        root / DEPTH,
        root / FILTERED / annotation_file(split),
        attributes[0] if attributes else None,
    )
    for path in (files.images, files.depth, files.annotations):
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}; run: {PREPARE} --root {root}")
    return files


def annotation_file(split: str) -> str:
    """The published name of a split's annotations."""
    return f"MotionNet_{split}.json"


def names(root: Path) -> list[str]:
    """The splits that are there."""
    return [split for split in SPLITS if (root / f"{split}.h5").is_file()]
