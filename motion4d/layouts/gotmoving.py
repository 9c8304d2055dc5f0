"""GOT-10k videos with instance masks of what moves: SEQUENCE/FRAME.jpg and SEQUENCE/masks/FRAME.npz.

The masks of a frame are the arrays "0", "1", ... of its npz file, one per moving thing. ROOT is a folder in which every
folder with `masks` is a sequence, or a text file that lists such folders, one per line, absolute or relative to it.
"""

from __future__ import annotations

from pathlib import Path

from motion4d.io.files import natural_key
from motion4d.layouts.folders import images_in, some
from motion4d.layouts.listing import listed
from motion4d.layouts.sequence import SequenceFiles

PREPARE = "python -m prepare.gotmoving --source DOWNLOADED"


def gotmoving(root: str | Path) -> list[SequenceFiles]:
    """All sequences; a FileNotFoundError names the command if there are none."""
    return listed(SequenceFiles, Path(root), names, sequence_files, prepare=PREPARE)


def names(root: Path) -> list[str]:
    """Lines of the list, or paths of the sequences below the folder."""
    if root.is_file():
        return [line.strip() for line in root.read_text(encoding="utf-8").splitlines() if line.strip()]
    found = [masks.parent.relative_to(root).as_posix() for masks in root.glob("**/masks") if masks.is_dir()]
    return sorted(found, key=natural_key)


def sequence_files(root: Path, name: str) -> SequenceFiles:
    """One sequence; not every frame needs masks. It is named by its path below the root, or by its folder."""
    folder = (root.parent if root.is_file() else root) / name
    images = images_in(folder)
    stems = [image.stem for image in images]
    masks = {file.stem: file for file in (folder / "masks").glob("*.npz")}
    strangers = sorted(masks.keys() - set(stems), key=natural_key)
    if not masks or not images:
        raise FileNotFoundError(f"{folder} lacks images, or masks/FRAME.npz; run: {PREPARE}")
    if strangers:
        raise ValueError(f"{folder / 'masks'} has masks without frames: {some(strangers)}; run: {PREPARE}")
    shown = Path(name).name if Path(name).is_absolute() else name
    return SequenceFiles(shown, images, {stem: masks[stem] for stem in stems if stem in masks})
