"""Which pixels of MPI Sintel move in the world: python -m prepare.sintel_labels --root data/sintel --flow FOLDER

FOLDER is `training/flow` of the archive MPI-Sintel-complete.zip, or the folder above `training`. A pixel moves where
the true flow is more than --threshold pixels away from what the true cameras and depth explain (MonST3R: 0.1). Written
to ROOT/training/dynamic_label_perfect/SEQUENCE/frame_0001.png; the last frame of a sequence has no flow and no label.
Use: dynamics=given dynamics.folder=ROOT/training/dynamic_label_perfect. No torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.flow_files import read_flow
from motion4d.io.masks import write_mask
from motion4d.layouts import sintel
from motion4d.layouts.geometry import GeometryFiles

LABELS = "dynamic_label_perfect"


def moving_pixels(
    depth: NDArray[np.floating],
    camera_to_world: NDArray[np.floating],
    intrinsics: NDArray[np.floating],
    flow: NDArray[np.floating],
    threshold: float = 0.1,
) -> NDArray[np.bool_]:
    """[H, W] bool of the first of two frames.

    depth [H, W] of it, both cameras [2, 4, 4] and [2, 3, 3], true flow [2, H, W] in pixels. A pixel without depth is
    not said to move.
    """
    height, width = depth.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    pixels = np.stack((columns, rows, np.ones_like(rows)))
    here, there = intrinsics
    to_there = np.linalg.inv(camera_to_world[1]) @ camera_to_world[0]
    points = np.einsum("ij,jhw->ihw", np.linalg.inv(here), pixels) * depth
    seen = np.einsum("ij,jhw->ihw", there @ to_there[:3, :3], points) + (there @ to_there[:3, 3])[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.linalg.norm(seen[:2] / seen[2] - pixels[:2] - flow, axis=0)
    known = np.isfinite(depth) & (depth > 0)
    return known & ~(apart <= threshold)


def label_sequence(files: GeometryFiles, flow: Path, output: Path, threshold: float) -> list[float]:
    """Write the labels of one sequence into the folder `output`; returns the moving share of every frame."""
    cameras, shares = files.cameras(), []
    assert files.depth is not None
    assert cameras.camera_to_world is not None
    assert cameras.intrinsics is not None
    for k, image in enumerate(files.images[:-1]):
        poses, intrinsics = cameras.camera_to_world[k : k + 2], cameras.intrinsics[k : k + 2]
        true_flow = np.moveaxis(read_flow(flow / f"{image.stem}.flo"), -1, 0)
        moving = moving_pixels(files.depth(k), poses, intrinsics, true_flow, threshold)
        write_mask(output / f"{image.stem}.png", moving)
        shares.append(float(moving.mean()))
    return shares


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status: 1 if a sequence could not be labelled."""
    parser = argparse.ArgumentParser(prog="python -m prepare.sintel_labels", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("data/sintel"), help="as prepare.sintel leaves it")
    parser.add_argument("--flow", type=Path, required=True, help="folder with SEQUENCE/frame_0001.flo")
    parser.add_argument("--threshold", type=float, default=0.1, help="pixels")
    options = parser.parse_args(arguments)
    nested = options.flow / sintel.TRAINING / "flow"
    flow = nested if nested.is_dir() else options.flow
    failed, names = 0, sintel.names(options.root) if options.root.is_dir() else []
    if not names:
        print(f"there are no sequences in {options.root}; run: {sintel.PREPARE} --root {options.root}", file=sys.stderr)
    for name in names:
        try:
            files = sintel.sequence_files(options.root, name)
            shares = label_sequence(
                files, flow / name, options.root / sintel.TRAINING / LABELS / name, options.threshold
            )
        except (ValueError, OSError) as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
            continue
        print(f"{name}: {len(shares)} labels, {np.mean(shares):.1%} of all pixels move")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
