"""The folder of a finished reconstruction -> what the viewer shows of it; bounded in memory, however long the clip.

The largest part is viewer/NAME.npz, one small file per frame (motion4d.io.frames_4d). Lengths are scaled so that the
median point is three units from its camera: controls and the browser's near plane then fit any scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import natural_key, read_json
from motion4d.io.frames_4d import read_frame_4d
from motion4d.io.images import resized
from motion4d.viz.viewer.points import MOST_KEPT, FramePoints, ScenePoints, sample_frame

DISTANCE = 3.0  # of the median point from its camera, in the page's units
_THUMBNAIL = 320  # pixels, the longer side of the pictures in cameras
_COMMAND = "python launch.py +experiment=monst3r task=reconstruct input=VIDEO output"


@dataclass(frozen=True)
class RunScene:
    """A reconstruction as the page shows it.

    camera_to_world [N, 4, 4], intrinsics [N, 3, 3] in pixels of images of `size` (H, W); thumbnails: N smaller images;
    per_unit: the page's units per unit of the run.
    """

    name: str
    points: ScenePoints
    camera_to_world: NDArray[np.float64]
    intrinsics: NDArray[np.float64]
    size: tuple[int, int]
    thumbnails: list[NDArray[np.uint8]]
    frame_rate: float | None
    per_unit: float
    unit: str

    def __len__(self) -> int:
        return len(self.thumbnails)


def read_run(folder: str | Path) -> RunScene:
    """Read a run folder of task=reconstruct; a ValueError or FileNotFoundError of one sentence says what is wrong."""
    folder = Path(folder)
    summary = _summary(folder)
    files = sorted((folder / "viewer").glob("[!.]*.npz"), key=lambda file: natural_key(file.name))
    if not files:
        raise FileNotFoundError(
            f"{folder / 'viewer'} holds no frames, so there is nothing to show; run the reconstruction again, with "
            "scene.viewer=true"
        )
    if isinstance(summary.get("frames"), int) and summary["frames"] != len(files):
        raise ValueError(
            f"{folder / 'viewer'} holds {len(files)} of the {summary['frames']} frames; restore the others or run the "
            "reconstruction again"
        )
    return _read(summary, files)


def _read(summary: dict[str, Any], files: list[Path]) -> RunScene:
    has_motion = "moving_share" in summary
    most = max(MOST_KEPT // len(files), 1)
    samples: list[FramePoints] = []
    poses, matrices, thumbnails, distances, sizes = [], [], [], [], set()
    for number, file in enumerate(files):
        frame = read_frame_4d(file, has_motion=has_motion)
        sample = sample_frame(frame, most=most, seed=number)
        samples.append(sample)
        poses.append(frame.camera_to_world)
        matrices.append(frame.intrinsics)
        sizes.add(frame.depth.shape)
        thumbnails.append(_thumbnail(frame.image))
        if len(sample.cloud):
            away = sample.cloud.points[:10_000] - frame.camera_to_world[:3, 3].astype(np.float32)
            distances.append(float(np.median(np.linalg.norm(away, axis=1))))
    if len(sizes) > 1:
        raise ValueError(f"{files[0].parent} holds frames of different sizes; run the reconstruction again")
    factor = DISTANCE / (float(np.median(distances)) or 1.0) if distances else 1.0
    cameras = np.stack(poses)
    cameras[:, :3, 3] *= factor
    return RunScene(
        name=str(summary.get("name", files[0].parents[1].name)),
        points=ScenePoints([sample.scaled(factor) for sample in samples]),
        camera_to_world=cameras,
        intrinsics=np.stack(matrices),
        size=next(iter(sizes)),
        thumbnails=thumbnails,
        frame_rate=_positive(summary.get("frame_rate")),
        per_unit=factor,
        unit=str(summary.get("unit", "arbitrary")),
    )


def _summary(folder: Path) -> dict[str, Any]:
    """summary.json of a finished reconstruction."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder; name the output folder of `{_COMMAND}=RUN`")
    path = folder / "summary.json"
    if not path.is_file():
        inside = sorted(file.parent.name for file in folder.glob("*/summary.json"))
        if inside:
            raise ValueError(f"{folder} holds several sequences; name one of them: {', '.join(inside[:8])}")
        raise FileNotFoundError(f"{folder} holds no finished reconstruction; `{_COMMAND}={folder}` makes one")
    summary = read_json(path)
    if not isinstance(summary, dict) or summary.get("kind") != "motion4d reconstruction":
        raise ValueError(f"{folder} is a run of another task; the viewer shows runs of task=reconstruct")
    if summary.get("finished") is not True:
        raise ValueError(f"the reconstruction in {folder} was not finished; run the same command again to go on")
    return summary


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    share = min(1.0, _THUMBNAIL / max(height, width))
    return resized(image, (max(1, round(height * share)), max(1, round(width * share))))


def _positive(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value > 0 else None
