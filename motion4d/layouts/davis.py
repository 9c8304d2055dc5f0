"""DAVIS 2016 and 2017 in the official layout, which is GeoMotion's too.

    ROOT/JPEGImages/480p/SEQUENCE/00000.jpg
    ROOT/Annotations/480p/SEQUENCE/00000.png                 object ids (2016 archive: 0 and 255)
    ROOT/Annotations_unsupervised/480p/SEQUENCE/00000.png    object ids, 255 = void

ROOT may also be the folder that holds `DAVIS`. Two conventions are called "moving":

- GeoMotion's DAVIS2016-M and 2017-M are the published validation lists with the curated annotations of OCLR
  ("DAVIS2017-motion", Xie et al., NeurIPS 2022), in a root of their own: `davis2016` and `davis2017` read that root.
- SegAnyMo's "moving" are 22 (of 2016: 16) of the sequences, with the official annotations: `davis2017_seganymo`.

"2016" read from a 2017 root is the union of that year's object ids, which may differ a little from the 2016 masks.
No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts import davis_lists
from motion4d.layouts.folders import PUBLISHED, chosen_names, first_folder, folder_names, paired
from motion4d.layouts.listing import each_sequence
from motion4d.layouts.sequence import SequenceFiles

IMAGES, MASKS, UNSUPERVISED = "JPEGImages", "Annotations", "Annotations_unsupervised"
RESOLUTION = "480p"


def davis(
    published: Sequence[str],
    title: str,
    root: str | Path,
    sequences: str | Sequence[str] = PUBLISHED,
    *,
    annotations: str = MASKS,
    prepare: str = "davis",
) -> list[SequenceFiles]:
    """The sequences below `root`: the `published` ones, "all" that are there, or those named.

    annotations: the folder of masks. prepare: the name of the command that brings the root.
    A FileNotFoundError or ValueError names what is missing and that command.
    """
    root = Path(root)
    command = f"python -m prepare.{prepare} --source DOWNLOADED --root {root}"
    names = chosen_names(sequences, published, image_folder(root), title=title, prepare=command)
    return each_sequence(
        SequenceFiles, names, lambda name: sequence_files(root, name, annotations=annotations, prepare=command)
    )


davis2016 = partial(davis, davis_lists.VAL_2016, "DAVIS2016 val")
davis2017 = partial(davis, davis_lists.VAL_2017, "DAVIS2017 val")
davis_all = partial(davis, davis_lists.ALL_2017, "DAVIS2017 train and val")
davis2016_seganymo = partial(davis, davis_lists.MOVING_2016, "SegAnyMo's DAVIS2016-Moving")
davis2017_seganymo = partial(davis, davis_lists.MOVING_2017, "SegAnyMo's DAVIS2017-Moving")


def sequence_files(root: Path, name: str, *, annotations: str = MASKS, prepare: str) -> SequenceFiles:
    """One sequence; every frame has a mask. Errors as above."""
    masks = mask_folder(root, annotations) / name
    return paired(name, image_folder(root) / name, masks, prepare=prepare)


def names(root: Path) -> list[str]:
    """The sequences that are there."""
    return folder_names(image_folder(root))


def image_folder(root: Path) -> Path:
    """Where the folders of frames lie."""
    return mask_folder(root, IMAGES)


def mask_folder(root: Path, annotations: str = MASKS) -> Path:
    """Where the folders of one kind of annotation lie."""
    kinds = (f"{level}{annotations}/{RESOLUTION}" for level in ("", "DAVIS/"))
    return first_folder(root, *kinds)
