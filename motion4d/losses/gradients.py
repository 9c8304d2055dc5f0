"""Terms on how depth maps and pointmaps change from pixel to pixel (VGGT, PAGE-4D), at several scales.

Scale s looks at every 2^s-th pixel. Reduced values: a scalar each, the mean over the scales. The variants with a
confidence c weigh a value g as g c - 0.2 log c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.losses.dense import LARGEST, Maps, Part
from motion4d.losses.geometry_truth import GeometryPrediction, GeometryTruth

CONFIDENCE_ALPHA = 0.2
FEWEST_NORMALS = 10


def differences(
    prediction: GeometryPrediction, truth: GeometryTruth, *, of: Part, scales: int = 4, weighted: bool = False
) -> Tensor:
    """How p - t changes to the right and downwards, between valid pixels ("grad").

    Sum over both directions / number of valid values. weighted: by the confidence of the right or lower pixel, whose
    logarithm counts where pixels are not valid, too (published quirk).
    """
    return _over_scales(of(prediction, truth), scales, weighted, _difference_loss)


def normals(
    prediction: GeometryPrediction, truth: GeometryTruth, *, of: Part, scales: int = 3, weighted: bool = False
) -> Tensor:
    """1 - cosine of the angle between the surface normals of p and t ("normal"); pointmaps only.

    Four normals per pixel, each from two neighbours; valid where the pixel and both neighbours are. weighted: by the
    pixel's confidence.
    """
    return _over_scales(of(prediction, truth), scales, weighted, _normal_loss)


Loss = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


def _over_scales(maps: Maps, scales: int, weighted: bool, loss: Loss) -> Tensor:
    """The mean of `loss` (maps [M, h, w, C], truth, valid [M, h, w], confidence) over the scales."""
    if not maps.is_enough:
        return maps.nothing()
    arguments = [maps.predicted, maps.true, maps.valid] + ([maps.sure()] if weighted else [])
    flat = [value.flatten(0, 1) for value in arguments]
    total = maps.predicted.new_zeros(())
    for scale in range(scales):
        step = 2**scale
        p, t, valid, *sure = (value[:, ::step, ::step] for value in flat)
        total = total + loss(p, t, valid, sure[0] if sure else None)
    return total / scales


def _difference_loss(predicted: Tensor, true: Tensor, valid: Tensor, sure: Tensor | None) -> Tensor:
    count = valid.sum() * predicted.shape[-1]
    error = (predicted - true) * valid.unsqueeze(-1)
    total = predicted.new_zeros(())
    for axis in (2, 1):
        later, earlier = (slice(1, None), slice(None, -1))
        both = (_cut(valid, axis, later) & _cut(valid, axis, earlier)).unsqueeze(-1)
        change = ((_cut(error, axis, later) - _cut(error, axis, earlier)).abs() * both).clamp(max=LARGEST)
        if sure is not None:
            weight = _cut(sure, axis, later).unsqueeze(-1)
            change = change * weight - CONFIDENCE_ALPHA * weight.log()
        total = total + change.sum()
    return total / count.clamp(min=1) * (count > 0)


def _normal_loss(predicted: Tensor, true: Tensor, valid: Tensor, sure: Tensor | None) -> Tensor:
    losses, weights = [], []
    for (mine, known), (theirs, _) in zip(_normals(predicted, valid), _normals(true, valid), strict=True):
        # in float32 the bounds are +-1
        cosine = (mine * theirs).sum(dim=-1).clamp(-1 + 1e-8, 1 - 1e-8)
        losses.append((1 - cosine)[known])
        weights.append(None if sure is None else sure[known])
    loss = torch.cat(losses)
    if loss.numel() < FEWEST_NORMALS:
        return (predicted * 0).sum()
    if sure is not None:
        weight = torch.cat([one for one in weights if one is not None])
        loss = loss * weight - CONFIDENCE_ALPHA * weight.log()
    return loss.mean()


def _normals(points: Tensor, valid: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Points [M, h, w, 3] -> four times (unit normals [M, h, w, 3], valid [M, h, w])."""
    padded = F.pad(points, (0, 0, 1, 1, 1, 1))
    known = F.pad(valid, (1, 1, 1, 1))
    up, left, down, right = (
        (padded[:, rows, columns] - points, known[:, rows, columns])
        for rows, columns in (
            (slice(None, -2), slice(1, -1)),
            (slice(1, -1), slice(None, -2)),
            (slice(2, None), slice(1, -1)),
            (slice(1, -1), slice(2, None)),
        )
    )
    for (a, a_known), (b, b_known) in ((up, left), (left, down), (down, right), (right, up)):
        yield F.normalize(torch.linalg.cross(a, b), dim=-1, eps=1e-8), valid & a_known & b_known


def _cut(values: Tensor, axis: int, part: slice) -> Tensor:
    return values[(slice(None),) * axis + (part,)]
