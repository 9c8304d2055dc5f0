"""Evaluation of pair networks by the criterion of their training: how far pointmaps of two frames are from the truth.

DUSt3R and MonST3R choose their checkpoints by the median of this test loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from motion4d.backbones.pairs import PairPointmaps
from motion4d.clip import Clip, Source
from motion4d.data.framed import frame_clip
from motion4d.data.sampling import Clips
from motion4d.engine.evaluation import Group
from motion4d.engine.geometry_pictures import depth_range
from motion4d.engine.inference import Inference
from motion4d.engine.memory_group import MemoryGroup
from motion4d.engine.pictures import Picture, image_bytes, picture_name
from motion4d.engine.scoring import Figures
from motion4d.losses.pair_space import Compared
from motion4d.losses.pair_truth import PairTruth, in_first_camera
from motion4d.losses.pairs import distance
from motion4d.viz.grid import picture_grid
from motion4d.viz.sample import depth_colours

PAIR_FIGURES = Figures(
    ("loss", "first", "second"),
    main=("loss", "loss median", "first", "second"),
    protocol="test loss",
    note="loss: mean distance of points, in units of the truth, of the first image plus that of the second",
    medians=("loss",),
)


@dataclass(frozen=True)
class PairEvaluation:
    """The mean and the median test loss over sequences.

    space: in which points are compared (motion4d.losses.pair_space); steps: frames so many apart make a pair, each two
    of them both ways; steps as long as a clip or longer are left out of it; max_depth: what is farther counts as
    unknown, None: nothing does (a horizon would set the scale of its scene).
    """

    space: Compared
    steps: Sequence[int] = (1,)
    max_depth: float | None = None

    def __post_init__(self) -> None:
        if not self.steps or min(self.steps) < 1:
            raise ValueError(f"evaluation.steps are distances of frames, each at least 1, not {list(self.steps)}")

    @property
    def figures(self) -> Figures:
        """See motion4d.engine.evaluation.Scoring."""
        return PAIR_FIGURES

    def groups(self, data: Mapping[str, Any], inference: Inference, folder: Path, *, save_all: bool) -> list[Group]:
        """See motion4d.engine.evaluation.Scoring; nothing is saved."""
        for name, one in data.items():
            if hasattr(one, "protocol") or hasattr(one, "depth_protocol"):
                raise ValueError(f"{name or 'data.eval'} is a benchmark of whole videos: choose evaluation=geometry")
        return [PairClipGroup(name, one, inference, self) for name, one in data.items()]


class PairClipGroup(MemoryGroup):
    """Clips with depth and cameras; see PairEvaluation."""

    def __init__(self, name: str, clips: Clips, inference: Inference, evaluation: PairEvaluation) -> None:
        super().__init__(name, clips, inference.models)
        self.inference = inference
        self.evaluation = evaluation

    def scores(self, model: str, clip: Clip, source: Source) -> dict[str, Any]:
        """See MemoryGroup."""
        couples = couples_of(clip.num_frames, self.evaluation.steps)
        said, truth = self._compared(model, clip, couples)
        if not truth.valid.flatten(2).any(dim=2).all(dim=0).all():
            raise ValueError("the depth of an image of its pairs is known nowhere")
        first, second = (float(distance(said, truth, image=k, space=self.evaluation.space).mean()) for k in (0, 1))
        return {"frames": clip.num_frames, "loss": first + second, "first": first, "second": second}

    def picture(self, index: int) -> Picture:
        """The two frames farthest apart, and the depth of both in the first one's camera, by truth and models."""
        clip = self.clips[index]
        couple = couples_of(clip.num_frames, self.evaluation.steps)[-1]
        source = self.source(clip, index)
        rows: dict[str, list[NDArray[np.uint8]]] = {}
        maps: dict[str, list[NDArray[np.floating]]] = {}
        for model in self.models:
            said, truth = self._compared(model, clip, [couple])
            true, valid = truth.points[0, ..., 2].cpu(), truth.valid[0].cpu()
            found = torch.stack((said.points_first[0], said.points_second[0]))[..., 2].float().cpu()
            scale = true[valid].median() / found[valid].median()
            maps.setdefault("truth", [np.where(v, t, 0) for t, v in zip(true.numpy(), valid.numpy(), strict=True)])
            maps[model] = list((scale * found).numpy())
            shape = found.shape[-2:]
            shown = frame_clip(_together(clip, [couple]), self.inference.models[model].framing(*clip.size))
            if shape == shown.size:
                rows.setdefault("image", list(image_bytes(shown)))
        near, far = depth_range(maps["truth"])
        rows |= {name: [depth_colours(one, near, far) for one in both] for name, both in maps.items()}
        title = f"{source.dataset} {source.sequence}, frames {couple[0]} and {couple[1]}: z in the first camera"
        return picture_name(source), picture_grid(rows, title)

    def _compared(self, model: str, clip: Clip, couples: Sequence[tuple[int, int]]) -> tuple[PairPointmaps, PairTruth]:
        """What the model says of these couples of frames, each shown alone, and the truth."""
        network, runtime = self.inference.models[model], self.inference.runtime
        shown = frame_clip(_together(clip, couples), network.framing(*clip.size)).to(runtime.torch_device)
        farthest = self.evaluation.max_depth
        if farthest is not None and shown.depth is not None:
            near = shown.depth <= farthest
            shown = replace(shown, valid=near if shown.valid is None else shown.valid & near)
        with torch.no_grad(), runtime.autocast():
            return network(shown), in_first_camera(shown)


def couples_of(num_frames: int, steps: Sequence[int]) -> list[tuple[int, int]]:
    """Frames (k, k + step) for every step; a ValueError if there are none."""
    couples = [(k, k + step) for step in steps for k in range(num_frames - step)]
    if not couples:
        raise ValueError(f"{num_frames} frames have no pairs {', '.join(map(str, steps))} frames apart")
    return couples


def _together(clip: Clip, couples: Sequence[tuple[int, int]]) -> Clip:
    """The couples of frames of one video as a batch of clips of two frames."""
    parts = []
    for i, j in couples:
        ends = [clip.frames(k, k + 1) for k in (i, j)]
        fields: dict[str, Any] = {
            name: None if getattr(clip, name) is None else torch.cat([getattr(end, name) for end in ends], dim=1)
            for name in ("images", "depth", "camera_to_world", "intrinsics", "valid")
        }
        parts.append(Clip(**fields, sources=tuple(replace(source, frames=()) for source in clip.sources)))
    return Clip.collate(parts)
