"""FBMS-59 as `python -m prepare.fbms` leaves it: frames numbered from 1, masks (0/255) only of the labelled frames.

    ROOT/JPEGImages/SEQUENCE/00001.jpg
    ROOT/Annotations/SEQUENCE/00001.png

Ochs, Malik, Brox, "Segmentation of Moving Objects by Long Term Video Analysis", TPAMI 2014. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts.folders import PUBLISHED, chosen_names, folder_names, paired
from motion4d.layouts.listing import each_sequence
from motion4d.layouts.sequence import SequenceFiles

IMAGES, MASKS = "JPEGImages", "Annotations"


def _counts(text: str) -> dict[str, int]:
    words = text.split()
    return {name: int(count) for name, count in zip(words[::2], words[1::2], strict=True)}


# frames of every sequence
TEST = _counts(
    "camel01 100 cars1 19 cars10 30 cars4 54 cars5 36 cats01 160 cats03 100 cats06 331 dogs01 200 dogs02 420 "
    "farm01 252 giraffes01 320 goats01 280 horses02 240 horses04 800 horses05 456 lion01 156 marple12 112 marple2 250 "
    "marple4 43 marple6 800 marple7 528 marple9 123 people03 180 people1 40 people2 30 rabbits02 260 rabbits03 220 "
    "rabbits04 300 tennis 466"
)
TRAIN = _counts(
    "bear01 100 bear02 458 cars2 30 cars3 19 cars6 30 cars7 24 cars8 24 cars9 60 cats02 120 cats04 98 cats05 87 "
    "cats07 193 ducks01 400 horses01 500 horses03 240 horses06 720 lion02 416 marple1 328 marple10 460 marple11 173 "
    "marple13 75 marple3 323 marple5 94 marple8 72 meerkats01 220 people04 320 people05 260 rabbits01 290 rabbits05 420"
)
BOTH = TRAIN | TEST


def fbms(
    published: Sequence[str], title: str, root: str | Path, sequences: str | Sequence[str] = PUBLISHED
) -> list[SequenceFiles]:
    """The sequences below `root`: the `published` ones, "all" that are there, or those named.

    A FileNotFoundError or ValueError names what is missing and the command that brings it.
    """
    root = Path(root)
    command = prepare_command(root)
    names = chosen_names(sequences, published, root / IMAGES, title=title, prepare=command)
    return each_sequence(SequenceFiles, names, lambda name: sequence_files(root, name))


fbms59 = partial(fbms, tuple(BOTH), "FBMS-59")
fbms59_test = partial(fbms, tuple(TEST), "FBMS-59 test")


def names(root: Path) -> list[str]:
    """The sequences that are there."""
    return folder_names(root / IMAGES)


def sequence_files(root: Path, name: str) -> SequenceFiles:
    """One sequence; errors as above."""
    return paired(name, root / IMAGES / name, root / MASKS / name, prepare=prepare_command(root), sparse=True)


def prepare_command(root: Path) -> str:
    """What brings this data set to `root`."""
    return f"python -m prepare.fbms --source DOWNLOADED --root {root}"
