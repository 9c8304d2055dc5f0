"""Folders of masks, `FOLDER/SEQUENCE/STEM.png`, annotations or predictions: files by sequence and stem. No torch.

A folder that holds images itself is one sequence of the folder's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from motion4d.io.files import natural_key

MASK_SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff", ".pgm", ".ppm"})  # JPEG changes what is zero


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


def mask_files(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Path]]:
    """Sequence -> stem -> file, stems in natural order; a folder that is missing gives no files.

    A ValueError if two files are masks of one frame.
    """
    return {name: _masks(_folder_of(folder, name)) for name in names}


def by_position(files: Mapping[str, Path], pattern: str, stems: Sequence[str]) -> dict[str, Path]:
    """Files named by a frame's position, such as dynamic_mask_12.png -> stem of that frame (from 0) -> file.

    pattern: a stem with * in place of the position. Files of other names are left out; a position without a frame is a
    ValueError.
    """
    before, star, after = pattern.partition("*")
    if not star or "*" in after:
        raise ValueError(f"the pattern {pattern!r} needs exactly one * in place of the frame's position")
    name = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    found = {int(match[1]): file for stem, file in files.items() if (match := name.fullmatch(stem))}
    beyond = sorted(position for position in found if position >= len(stems))
    if beyond:
        raise ValueError(f"there are {len(stems)} annotated frames, but also {found[beyond[0]].name} and the like")
    return {stems[position]: found[position] for position in sorted(found)}


def _folder_of(folder: Path, name: str) -> Path:
    return folder if _masks(folder) and not (folder / name).is_dir() else folder / name


def _masks(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    files = [file for file in folder.iterdir() if file.suffix.lower() in MASK_SUFFIXES and file.name[0] != "."]
    masks: dict[str, Path] = {}
    for file in sorted(files, key=lambda file: natural_key(file.name)):
        if file.stem in masks:
            raise ValueError(f"{file} and {masks[file.stem].name} are two masks of one frame; remove one of them")
        masks[file.stem] = file
    return masks
