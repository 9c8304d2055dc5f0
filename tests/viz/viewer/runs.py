"""A small run folder of task=reconstruct, as the viewer reads it: a plane two units away, and a block that moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motion4d.io.files import write_json
from motion4d.io.frames_4d import Frame4D, write_frame_4d

H, W = 12, 16
BACK, BLOCK = (40, 80, 120), (200, 30, 30)
BLOCK_PIXELS = 9


def frame(k: int, *, masks: bool = True) -> Frame4D:
    """The camera steps 0.1 to the right with every frame; the rightmost column is the least sure."""
    image = np.full((H, W, 3), BACK, np.uint8)
    depth = np.full((H, W), 2.0, np.float32)
    confidence = np.ones((H, W), np.float32)
    confidence[:, -1] = -3
    confidence[0, 0] = -np.inf
    moving = np.zeros((H, W), bool)
    moving[4:7, 2 + k : 5 + k] = True
    image[moving], depth[moving] = BLOCK, 1.0
    confidence[4, 2 + k] = 0
    pose = np.eye(4)
    pose[0, 3] = 0.1 * k
    intrinsics = np.array([[10.0, 0, 7.5], [0, 10, 5.5], [0, 0, 1]])
    return Frame4D(image, depth, confidence, moving if masks else None, pose, intrinsics)


def make_run(folder: Path, count: int = 5, *, masks: bool = True) -> Path:
    for k in range(count):
        write_frame_4d(folder / "viewer" / f"{k:05d}.npz", frame(k, masks=masks))
    summary = {"kind": "motion4d reconstruction", "finished": True, "name": "block", "frames": count, "unit": "metre"}
    summary |= {"frame_rate": 12.0, **({"moving_share": 0.05} if masks else {})}
    write_json(folder / "summary.json", summary)
    return folder
