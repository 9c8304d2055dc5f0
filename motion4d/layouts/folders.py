"""What most layouts share: a folder of frames beside a folder of masks, matched by stem, and lists of sequences.

No torch. Every error names the `python -m prepare.NAME` command that brings what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from motion4d.io.files import natural_key
from motion4d.io.images import is_image
from motion4d.layouts.sequence import SequenceFiles

PUBLISHED, ALL = "published", "all"


def images_in(folder: Path) -> tuple[Path, ...]:
    """The image files in a folder in natural order; a ValueError if two of them have one stem."""
    files = [file for file in folder.iterdir() if is_image(file)] if folder.is_dir() else []
    files.sort(key=lambda file: natural_key(file.name))
    for one, two in zip(files, files[1:], strict=False):
        if one.stem == two.stem:
            raise ValueError(f"{one} and {two.name} are two files of one frame; remove one of them")
    return tuple(files)


def first_folder(root: Path, *names: str) -> Path:
    """The first of these folders below `root` that is there, else the first name."""
    return next((root / name for name in names if (root / name).is_dir()), root / names[0])


def folder_names(folder: Path) -> list[str]:
    """Names of the folders below `folder`, in natural order."""
    children = [child.name for child in folder.iterdir() if child.is_dir()] if folder.is_dir() else []
    return sorted((name for name in children if not name.startswith(".")), key=natural_key)


def paired(name: str, images: Path, annotations: Path, *, prepare: str, sparse: bool = False) -> SequenceFiles:
    """The sequence whose frames and masks lie in these two folders, matched by stem.

    prepare: the command that brings what is missing. sparse: not every frame needs a mask (but at least one does).
    A FileNotFoundError or ValueError of one sentence for missing folders, frames without mask, masks without frame.
    """
    frames, masks = images_in(images), {mask.stem: mask for mask in images_in(annotations)}
    for found, folder, what in ((frames, images, "frames"), (masks, annotations, "masks")):
        if not found:
            reason = "holds no image files" if folder.is_dir() else "is not there"
            raise FileNotFoundError(f"{name} has no {what}: {folder} {reason}; run: {prepare}")
    stems = {frame.stem for frame in frames}
    without_mask = [frame.stem for frame in frames if frame.stem not in masks]
    without_frame = [stem for stem in masks if stem not in stems]
    if without_mask and not sparse:
        raise ValueError(f"{name} lacks masks in {annotations}: {some(without_mask)}; run: {prepare}")
    if without_frame:
        raise ValueError(f"{name} has masks without frames in {images}: {some(without_frame)}; run: {prepare}")
    return SequenceFiles(name, frames, {f.stem: masks[f.stem] for f in frames if f.stem in masks})


def chosen_names(
    sequences: str | Sequence[str], published: Sequence[str], folder: Path, *, title: str, prepare: str
) -> list[str]:
    """The names that `sequences` means: "published" (the list), "all" (every folder below `folder`), or names.

    A FileNotFoundError if one of them has no folder, a ValueError for a word that is none of these.
    """
    if isinstance(sequences, str) and sequences not in (PUBLISHED, ALL):
        raise ValueError(f"sequences={sequences} is neither {PUBLISHED}, {ALL} nor a list of names such as [bear]")
    if not folder.is_dir():
        raise FileNotFoundError(f"{title} is not there: no folder {folder}; run: {prepare}")
    present = folder_names(folder)
    if sequences == ALL:
        wanted = present
    else:
        wanted = list(published if sequences == PUBLISHED else sequences)
    missing = sorted(set(wanted) - set(present))
    if missing or not wanted:
        lacking = f"{len(missing)} of {len(wanted)} sequences: {some(missing)}" if wanted else "all sequences"
        raise FileNotFoundError(f"{title} in {folder} lacks {lacking}; run: {prepare}")
    return wanted


def some(items: Sequence[str], limit: int = 5) -> str:
    """The first few of many names."""
    return ", ".join(items[:limit]) + (" ..." if len(items) > limit else "")
