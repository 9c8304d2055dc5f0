"""FBMS-59 as downloaded: Testset/SEQUENCE/SEQUENCE_0001.jpg, with GroundTruth/ of coloured labels and Def.dat.

Every fifth frame and the last one are labelled. Background is white; beside each label lies its confidence map (.pgm).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.files import write_text
from motion4d.io.images import write_image
from prepare.export.frames import moving_instances, pictures

EVERY = 5
COLOURS = np.array(  # of region 0, the background, and of the objects in turn: bright enough for the policy gray
    [[255, 255, 255], [255, 0, 0], [0, 255, 0], [255, 255, 0], [0, 255, 255], [255, 0, 255], [255, 128, 0]], np.uint8
)


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`."""
    for clip in clips:
        name, labels = clip.sources[0].sequence, moving_instances(clip)
        sequence = folder / "Testset" / name
        for number, picture in enumerate(pictures(clip), 1):
            write_image(sequence / f"{name}_{number:04d}.jpg", picture)
        frames = sorted({*range(0, len(labels), EVERY), len(labels) - 1})
        for frame in frames:
            regions = np.where(labels[frame] > 0, (labels[frame].astype(int) - 1) % (len(COLOURS) - 1) + 1, 0)
            stem = sequence / "GroundTruth" / f"{name}_{frame + 1:04d}_gt"
            write_image(stem.with_suffix(".ppm"), COLOURS[regions])
            write_image(stem.with_suffix(".pgm"), np.full(regions.shape, 255, np.uint8))
        write_text(sequence / "GroundTruth" / f"{name}Def.dat", _definition(name, len(labels), frames))


def _definition(name: str, count: int, frames: list[int]) -> str:
    values = (COLOURS.astype(int) @ [65536, 256, 1]).tolist()
    lines = ["Ground truth definition file; do not change!", "", "Total number of regions:", str(len(values))]
    for region, value in enumerate(values):
        lines += [f"Scale of region {region}:", str(value)]
    penalties = 1 - np.eye(len(values), dtype=int)
    lines += ["", "Confusion penality matrix", *(" ".join(map(str, row)) for row in penalties.tolist()), ""]
    lines += ["Total number of frames in this shot:", str(count)]
    lines += ["Total number of labeled frames for this shot:", str(len(frames))]
    for frame in frames:
        stem = f"{name}_{frame + 1:04d}"
        lines += ["Frame number:", str(frame), "File name:", f"{stem}_gt.ppm", "Input file name:", f"{stem}.ppm"]
    return "\n".join(lines) + "\n"
