"""What terms on parts read of a query and of a prediction. What a term cannot do without is named where it is missing.

Some data have no trajectories, origins or tracks (OPD): a term on them is skipped there, `nothing(prediction)`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.geometry.unit_images import unit_intrinsics
from motion4d.part import ROTATION, PartMotion, PartPrediction, PartQuery


def truth_of(query: PartQuery) -> PartMotion:
    """The truth, whatever is known of it."""
    if query.truth is None:
        raise ValueError(f"{_names(query)} has no truth; a loss needs queries with the true part")
    return query.truth


def true(query: PartQuery, field: str) -> Tensor:
    """A field of the truth that must be there."""
    value: Tensor | None = getattr(truth_of(query), field)
    if value is None:
        raise ValueError(f"{_names(query)} has no true {field}; take this term out of loss.terms, or use other data")
    return value


def said(prediction: PartPrediction, field: str) -> Tensor:
    """What the network says, in float32; a ValueError if it has no head for that."""
    value: Tensor | None = getattr(prediction, field)
    if value is None:
        raise ValueError(
            f"this network says nothing of {field}: choose a model with a head for it, or a loss without that term"
        )
    return value.float()


def nothing(prediction: PartPrediction) -> Tensor:
    """The scalar 0 of a term that is skipped: nothing gets a gradient of it."""
    return torch.zeros((), device=prediction.mask_logits.device)


def axis_said(prediction: PartPrediction, query: PartQuery) -> Tensor:
    """The axis [B, 3] of any length; of a network with one per kind, that of the true kind."""
    if prediction.axis_by_kind is None:
        return said(prediction, "axis")
    axes = said(prediction, "axis_by_kind")
    return axes[torch.arange(len(axes), device=axes.device), true(query, "kind").long()]


def rotates(query: PartQuery) -> Tensor:
    """[B] bool: the true motion is a rotation."""
    return true(query, "kind") == ROTATION


def rotation_probability(prediction: PartPrediction) -> Tensor:
    """[B]: how likely a rotation is, as the network says."""
    return said(prediction, "kind_logits").softmax(dim=-1)[:, ROTATION]


def relative(trajectory: Tensor) -> Tensor:
    """Points [..., T, K] less the first of them."""
    return trajectory - trajectory[..., :1, :]


def camera(query: PartQuery) -> Tensor:
    """Intrinsics of the image as the unit square [B, 3, 3]."""
    if query.intrinsics is None:
        raise ValueError(f"{_names(query)} has no intrinsics; terms on projections need data with cameras")
    return unit_intrinsics(query.intrinsics.float(), query.size)


def track(query: PartQuery) -> tuple[Tensor, Tensor] | None:
    """The true track in the unit square [B, T, 2] and where it is seen [B, T] bool; None where data have none."""
    truth = truth_of(query)
    if truth.track is None:
        return None
    height, width = query.size
    points = truth.track.float() / truth.track.new_tensor([width, height], dtype=torch.float32)
    seen = truth.track_valid
    return points, torch.ones_like(points[..., 0], dtype=torch.bool) if seen is None else seen.bool()


def measured_depth(query: PartQuery) -> Tensor:
    """The depth maps [B, H, W]."""
    if query.depth is None:
        raise ValueError(f"{_names(query)} has no depth; this term lifts points with it")
    return query.depth.float()


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of the values that count, 0 where none does: scalars. Nothing leaves the device."""
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp(min=1)


def row_means(values: Tensor, mask: Tensor) -> Tensor:
    """The same of each row: [B, T] -> [B]."""
    return torch.where(mask, values, 0.0).sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)


def _names(query: PartQuery) -> str:
    return ", ".join(f"{source.image} {source.item}".strip() for source in query.sources[:3]) or "the batch"
