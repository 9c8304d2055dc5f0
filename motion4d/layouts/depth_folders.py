"""Folders of depth maps from anyone, truth or predictions, by sequence and frame. No torch.

    FOLDER/SEQUENCE/STEM.npy, .npz or 16-bit .png      one map [H, W] per file
    FOLDER/SEQUENCE/depth/STEM....                     the same, as task=reconstruct writes it
    FOLDER/SEQUENCE.npz, FOLDER/SEQUENCE/depth.npz     all maps of a sequence, by stem or as one array [N, H, W]
    FOLDER/SEQUENCE.npy                                all maps of a sequence as one array [N, H, W]

A folder that holds maps itself (and no sequences) is one sequence of the folder's name.
"""

from __future__ import annotations

from pathlib import Path

from motion4d.io.depth_maps import SUFFIXES, DepthMap, is_whole, map_in, maps_in
from motion4d.io.files import natural_key

ALL_MAPS = "depth.npz"
_INNER = "depth"


def depth_sequences(folder: Path, per_unit: float | None = None) -> dict[str, list[DepthMap]]:
    """Sequence -> maps in natural order. per_unit: values of a 16-bit PNG that are one unit of depth.

    A FileNotFoundError if there are none, a ValueError for a file that does not hold maps.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    found: dict[str, list[DepthMap]] = {}
    for child in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        if child.is_dir() and child.name[0] != "." and child.name != _INNER:
            maps = _maps_of(child, per_unit)
            if maps:
                found[child.name] = maps
    files = _files(folder)
    if files and is_whole(files[0]):
        found |= {file.stem: maps_in(file) for file in files if file.name != ALL_MAPS}
    if not found and (own := _maps_of(folder, per_unit)):
        found[folder.resolve().name] = own
    if not found:
        raise FileNotFoundError(f"{folder} holds no depth maps ({', '.join(SUFFIXES)}), nor do its folders")
    return found


def _maps_of(folder: Path, per_unit: float | None) -> list[DepthMap]:
    """The maps of one sequence: in its depth.npz, its folder depth, or itself."""
    if (folder / ALL_MAPS).is_file():
        return maps_in(folder / ALL_MAPS)
    files = _files(folder / _INNER) or _files(folder)
    return [map_in(file, per_unit) for file in files]


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.name[0] != "."]
    # a picture of a map beside it is no map
    arrays = {file.stem for file in files if file.suffix.lower() != ".png"}
    maps = [file for file in files if file.suffix.lower() != ".png" or file.stem not in arrays]
    return sorted(maps, key=lambda file: natural_key(file.name))
