"""Folders of masks, `FOLDER/SEQUENCE/STEM.png`: annotations beside somebody's predictions, matched by stem. No torch.

A folder that holds images itself is one sequence of the folder's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from motion4d.io.files import natural_key

MASK_SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff", ".pgm", ".ppm"})  # JPEG changes what is zero


@dataclass(frozen=True)
class MaskSequence:
    """Annotation and prediction files of one sequence, by stem, in natural order of the annotations' stems."""

    name: str
    truth: dict[str, Path]
    prediction: dict[str, Path]

    @property
    def frames(self) -> list[str]:
        """Stems of the annotated frames, in order."""
        return list(self.truth)

    def check_stems(self, scored: Sequence[str], *, extra_allowed: bool) -> None:
        """ValueError if a scored frame has no prediction, or (unless allowed) a prediction has no annotation."""
        missing = [stem for stem in scored if stem not in self.prediction]
        extra = [stem for stem in self.prediction if stem not in self.truth]
        if missing:
            raise ValueError(f"{len(missing)} of {len(scored)} scored frames have no prediction: {_some(missing)}")
        if extra and not extra_allowed:
            raise ValueError(f"{len(extra)} predictions have no annotation: {_some(extra)}")


def sequence_names(folder: Path) -> list[str]:
    """Names of the sequences below `folder`, in natural order; a FileNotFoundError if there is none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    if _masks(folder):
        return [folder.resolve().name]
    names = [child.name for child in folder.iterdir() if child.is_dir() and _masks(child)]
    if not names:
        raise FileNotFoundError(f"{folder} holds no masks ({', '.join(sorted(MASK_SUFFIXES))}), nor do its folders")
    return sorted(names, key=natural_key)


def pair_sequences(annotations: Path, predictions: Path, names: Sequence[str]) -> Iterator[MaskSequence]:
    """The files of each named sequence; a folder that is missing gives no files."""
    for name in names:
        yield MaskSequence(name, _masks(_folder_of(annotations, name)), _masks(_folder_of(predictions, name)))


def _folder_of(folder: Path, name: str) -> Path:
    return folder if _masks(folder) and not (folder / name).is_dir() else folder / name


def _masks(folder: Path) -> dict[str, Path]:
    """Stem -> file, in natural order; a ValueError if two files share a stem."""
    if not folder.is_dir():
        return {}
    files = [file for file in folder.iterdir() if file.suffix.lower() in MASK_SUFFIXES and file.name[0] != "."]
    masks: dict[str, Path] = {}
    for file in sorted(files, key=lambda file: natural_key(file.name)):
        if file.stem in masks:
            raise ValueError(f"{file} and {masks[file.stem].name} are two masks of one frame; remove one of them")
        masks[file.stem] = file
    return masks


def _some(stems: Sequence[str], limit: int = 3) -> str:
    return ", ".join(stems[:limit]) + (" ..." if len(stems) > limit else "")
