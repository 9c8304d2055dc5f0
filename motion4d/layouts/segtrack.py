"""SegTrack v2 as `python -m prepare.segtrack` leaves it: one merged mask per frame, numbered from 00000.

    ROOT/JPEGImages_jpg_standardized/SEQUENCE/00000.jpg    (or ROOT/JPEGImages/...)
    ROOT/GroundTruth/SEQUENCE/00000.png                    (or ROOT/Annotations/...)

Li et al., "Video Segmentation by Tracking Many Figure-Ground Segments", ICCV 2013. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from motion4d.layouts.folders import PUBLISHED, chosen_names, first_folder, folder_names, paired
from motion4d.layouts.listing import each_sequence
from motion4d.layouts.sequence import SequenceFiles

IMAGES, MASKS = "JPEGImages_jpg_standardized", "GroundTruth"

# number of objects, which the official archive keeps apart and the prepared masks join
OBJECTS = {
    "bird_of_paradise": 1,
    "birdfall": 1,
    "bmx": 2,
    "cheetah": 2,
    "drift": 2,
    "frog": 1,
    "girl": 1,
    "hummingbird": 2,
    "monkey": 1,
    "monkeydog": 2,
    "parachute": 1,
    "penguin": 6,
    "soldier": 1,
    "worm": 1,
}


def segtrack(root: str | Path, sequences: str | Sequence[str] = PUBLISHED) -> list[SequenceFiles]:
    """The sequences below `root`: the 14 published ones, "all" that are there, or those named.

    A FileNotFoundError or ValueError names what is missing and the command that brings it.
    """
    root = Path(root)
    folder = _images(root)
    names = chosen_names(sequences, list(OBJECTS), folder, title="SegTrack v2", prepare=prepare_command(root))
    return each_sequence(SequenceFiles, names, lambda name: sequence_files(root, name))


def names(root: Path) -> list[str]:
    """The sequences that are there."""
    return folder_names(_images(root))


def sequence_files(root: Path, name: str) -> SequenceFiles:
    """One sequence; errors as above."""
    masks = first_folder(root, MASKS, "Annotations")
    return paired(name, _images(root) / name, masks / name, prepare=prepare_command(root))


def prepare_command(root: Path) -> str:
    """What brings this data set to `root`."""
    return f"python -m prepare.segtrack --source DOWNLOADED --root {root}"


def _images(root: Path) -> Path:
    return first_folder(root, IMAGES, "JPEGImages")
