"""ScanNet v2: python -m prepare.scannet --source scans_test --root data/scannet

The source is what ScanNet's own reader exports of a scene's .sens file: SCENE/color/0.jpg, SCENE/pose/0.txt and so on.
Of every scene the frames 0, 3, ..., 267 are taken (--stride, --count).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from motion4d.io.files import write_text
from motion4d.layouts import scannet as layout
from motion4d.layouts.frame_files import beside, frames_in
from prepare.command import run
from prepare.dataset import Content, Dataset, Files, Job, find_all

COLOUR, POSE, INTRINSICS = "color", "pose", f"intrinsic/{layout.INTRINSICS}"
STRIDE, COUNT = 3, 90


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every exported scene."""
    if options.stride < 1 or options.count < 1:
        raise ValueError(f"--stride {options.stride} --count {options.count}: both must be at least 1")
    what = f"exported scene (folder with {COLOUR} and {POSE})"
    for name, folder in find_all(sources, _is_scene, what=what).items():
        yield Job(name, partial(_files, folder, options.stride, options.count))


def _files(folder: Path, stride: int, count: int) -> Files:
    """Images and poses of one scene, and its intrinsics if they were exported."""
    name, command = folder.name, "python -m prepare.scannet with a complete source"
    images = {int(image.stem): image for image in frames_in(folder / COLOUR, name, prepare=command)}
    wanted = range(0, stride * count, stride)
    missing = [frame for frame in wanted if frame not in images]
    if missing:
        raise FileNotFoundError(f"{folder / COLOUR} lacks frame {missing[0]} of 0, {stride}, ..., {wanted[-1]}")
    chosen = [images[frame] for frame in wanted]
    poses = beside(chosen, folder / POSE, ".txt", "pose", prepare=command)
    files: dict[str, Content] = {
        f"{name}/color_{count}/frame_{k:04d}{image.suffix}": image for k, image in enumerate(chosen)
    }
    files[f"{name}/pose_{count}.txt"] = partial(_write_poses, poses)
    if (folder / INTRINSICS).is_file():
        files[f"{name}/{layout.INTRINSICS}"] = folder / INTRINSICS
    return files


def _write_poses(poses: Sequence[Path], path: Path) -> None:
    """One row per file, numbers as they are spelled."""
    for pose in poses:
        if len(layout.read_matrices(pose)) != 1:
            raise ValueError(f"{pose} does not hold one 4x4 matrix")
    write_text(path, "".join(" ".join(pose.read_text(encoding="utf-8").split()) + "\n" for pose in poses))


def _is_scene(folder: Path) -> bool:
    return (folder / COLOUR).is_dir() and (folder / POSE).is_dir()


def _published(options: argparse.Namespace) -> Mapping[str, int | None]:
    return dict.fromkeys(layout.SCENES, options.count)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stride", type=int, default=STRIDE, help=f"take every so-many-th frame (default: {STRIDE})")
    parser.add_argument("--count", type=int, default=COUNT, help=f"frames per scene (default: {COUNT})")


DATASET = Dataset(
    name="scannet",
    title="ScanNet v2 (100 test scenes)",
    licence="ScanNet Terms of Use, for non-commercial research; they must be signed to download it.",
    origin="http://www.scan-net.org",
    version=1,
    root=Path("data/scannet"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
    published=_published,
    arguments=_arguments,
    kept=("stride", "count"),
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
