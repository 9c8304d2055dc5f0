"""From the frames of a clip to what an aligner is given: pointmaps of pairs, flow between them, and who moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from motion4d.backbones.pairs import EncodedFrames, PairBackbone, PairPointmaps
from motion4d.clip import Clip, Source, check_shape
from motion4d.flow.base import FlowEstimator
from motion4d.reconstruct.observations import Dynamics, Observations

_AT_ONCE = 8  # frame pairs that the flow estimator sees together


def observe(
    images: Tensor,
    pairs: Sequence[tuple[int, int]],
    *,
    backbone: PairBackbone,
    dynamics: Dynamics,
    flow: FlowEstimator | None = None,
    with_flow: bool = False,
    with_maps: bool = True,
    principal_point: Tensor | None = None,
    source: Source | None = None,
) -> Observations:
    """Every frame is encoded once; pairs are decoded once, unless `dynamics` decodes them in its own way.

    images [N, 3, H, W] in [0, 1], at a size that the backbone takes. with_flow: estimate the flow of all pairs, even if
    `dynamics` does not need it; with_maps: the answer must hold the pointmaps. principal_point: in pixels; None: that
    of MonST3R and DUSt3R, (W/2, H/2). source: where the frames come from. A ValueError if there are no pairs, or no
    estimator of a flow that is needed.
    """
    sizes = check_shape("images", images, "N 3 H W")
    pairs = tuple((int(i), int(j)) for i, j in pairs)
    if not pairs:
        raise ValueError(f"{sizes['N']} frames of this graph give no pairs: two frames are the least")
    if principal_point is None:
        principal_point = images.new_tensor([sizes["W"] / 2, sizes["H"] / 2])
    frames = backbone.encode(images)
    maps = backbone.decode(frames, pairs) if dynamics.needs_maps else _no_maps(images)
    seen = Observations(sizes["N"], pairs, maps, principal_point, images=images, source=source)
    if with_flow or dynamics.needs_flow:
        if flow is None:
            raise ValueError(
                "optical flow between the frames is needed, to find what moves or to align: choose a flow estimator "
                "(flow=dis, flow=sea_raft), or do without (dynamics=none, and an alignment without a flow term)"
            )
        flow_pairs = tuple(dict.fromkeys((i, j) for i, j in pairs if i != j))
        seen = replace(seen, flow=flow_between(flow, images, flow_pairs, source=source), flow_pairs=flow_pairs)
    seen = dynamics(seen, backbone, frames)
    return _with_maps(seen, backbone, frames) if with_maps else seen


@torch.no_grad()
def flow_between(
    estimator: FlowEstimator, images: Tensor, pairs: Sequence[tuple[int, int]], *, source: Source | None = None
) -> Tensor:
    """[D, 2, H, W], the flow i -> j of each of the D `pairs` of frames; both directions of two frames in one go."""
    places: dict[tuple[int, int], list[tuple[int, bool]]] = {}  # two frames -> rows of the answer, is it backward
    for row, (i, j) in enumerate(pairs):
        places.setdefault((min(i, j), max(i, j)), []).append((row, j < i))
    answer = images.new_empty(len(pairs), 2, *images.shape[-2:])
    couples = list(places)
    for start in range(0, len(couples), _AT_ONCE):
        part = couples[start : start + _AT_ONCE]
        sources = () if source is None else tuple(_couple(source, *couple) for couple in part)
        fields = estimator(Clip(images[torch.tensor(part, device=images.device)], sources=sources))
        for k, couple in enumerate(part):
            for row, is_backward in places[couple]:
                field = fields.backward if is_backward else fields.forward
                if field is None:
                    raise ValueError("pairs of frames need the flow in both directions, but this flow has no backward")
                answer[row] = field[k, 0]
    return answer


def _couple(source: Source, i: int, j: int) -> Source:
    frames = (source.frames[i], source.frames[j]) if source.frames else ()
    return replace(source, frames=frames, step=source.step * (j - i))


def _no_maps(like: Tensor) -> PairPointmaps:
    points, confidence = like.new_empty(0, *like.shape[-2:], 3), like.new_empty(0, *like.shape[-2:])
    return PairPointmaps(points, confidence, points, confidence)


def _with_maps(seen: Observations, backbone: PairBackbone, frames: EncodedFrames) -> Observations:
    return seen if len(seen.maps.points_first) else replace(seen, maps=backbone.decode(frames, seen.pairs))
