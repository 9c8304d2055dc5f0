"""HOI4D: python -m prepare.hoi4d --source HOI4D_release HOI4D_annotations --root data/hoi4d

Of every video, each fourth frame that is labelled becomes images/SEQUENCE/FRAME.png and
dynamic_masks/SEQUENCE/FRAME.png, FRAME being its number in the video. Whatever has a colour in the label image (hands,
and what is or will be handled) counts as moving, as published by GeoMotion. SEQUENCE is the video's path with "_"
between the folders.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.io.files import natural_key
from motion4d.io.images import read_image, write_image
from motion4d.io.masks import write_mask
from motion4d.io.video import read_video
from motion4d.layouts import hoi4d
from motion4d.layouts.folders import first_folder, images_in
from prepare.command import run
from prepare.dataset import Dataset, Files, Job, find_root
from prepare.got10k import holds

VIDEO = "align_rgb/image.mp4"
LABELS = ("2Dseg/shift_mask", "2Dseg/mask")  # the first that is there
EVERY = 4  # frames


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every video that has label images."""
    videos = find_root(sources, holds(f"ZY*/**/{VIDEO}"), what="folder of HOI4D videos (ZY.../align_rgb/image.mp4)")
    labels = find_root(sources, holds("ZY*/**/2Dseg"), what="folder of HOI4D annotations (ZY.../2Dseg)")
    found = sorted((path.parent.relative_to(labels) for path in labels.glob("ZY*/**/2Dseg")), key=natural_key)
    for place in found:
        name = "_".join(place.parts)
        yield Job(name, partial(_files, name, videos / place / VIDEO, labels / place))


def _files(name: str, video: Path, annotations: Path) -> Files:
    """Frames and masks; the video is decoded once, since they are written in this order."""
    folder = first_folder(annotations, *LABELS)
    labels = {int(image.stem): image for image in images_in(folder) if image.stem.isdecimal()}
    chosen = [number for number in sorted(labels) if number % EVERY == 0]
    if not chosen:
        raise FileNotFoundError(f"{folder} holds no label images (00000.png and so on)")
    if not video.is_file():
        raise FileNotFoundError(f"there is no {video}")
    frames = _Frames(video)
    images = {f"{hoi4d.IMAGES}/{name}/{number:05d}.png": partial(frames.write, number) for number in chosen}
    masks = {f"{hoi4d.MASKS}/{name}/{number:05d}.png": partial(_write_coloured, labels[number]) for number in chosen}
    return {**images, **masks}


class _Frames:
    """A video whose frames are asked for in rising order."""

    def __init__(self, video: Path) -> None:
        self.video = video
        self.frames = enumerate(read_video(video))

    def write(self, number: int, target: Path) -> None:
        """Write frame `number`."""
        frame = next((frame for found, frame in self.frames if found == number), None)
        if frame is None:
            raise ValueError(f"{self.video} ends before frame {number}, which has a label image")
        write_image(target, frame)


def _write_coloured(labels: Path, target: Path) -> None:
    """Everything that is not black."""
    write_mask(target, read_image(labels).max(axis=-1) > 0)


DATASET = Dataset(
    name="hoi4d",
    title="HOI4D",
    licence="for non-commercial research; the terms stand on its web page.",
    origin="https://hoi4d.github.io (asks for an agreement)",
    version=1,
    root=Path("data/hoi4d"),
    jobs=jobs,
    names=hoi4d.names,
    sequence=hoi4d.sequence_files,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
