"""The loss of a track head that refines its answer in stages (VGGT; PAGE-4D's data have no tracks, so it is off there).

Tracks visible in the first frame are valid, in all frames. Scores are logits: the released code takes the same
cross-entropy of scores that are probabilities already.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

FEWEST = 2  # points: no more than these, and positions do not count


@dataclass(frozen=True)
class TrackLosses:
    """Scalars. total = positions + weights * (visibility, confidence)."""

    positions: Tensor
    visibility: Tensor
    confidence: Tensor
    total: Tensor


def track_losses(
    positions: Tensor,
    visibility: Tensor,
    confidence: Tensor,
    true_positions: Tensor,
    visible: Tensor,
    *,
    decay: float = 0.8,
    visibility_weight: float = 0.2,
    confidence_weight: float = 0.1,
    near_px: float = 3.0,
) -> TrackLosses:
    """positions [stages, B, N, P, 2] in pixels; visibility, confidence: logits [B, N, P]; the true positions
    [B, N, P, 2]; visible [B, N, P] bool.

    Positions: mean over stages i of decay^(n-1-i) * mean |difference| of valid, visible points. Visibility and
    confidence: cross-entropy over all valid points; a track is right where its last stage is nearer than near_px.
    """
    valid = visible[:, :1].expand_as(visible)
    seen = valid & visible
    weights = decay ** torch.arange(len(positions) - 1, -1, -1, device=positions.device, dtype=positions.dtype)
    if int(seen.sum()) > FEWEST:
        errors = (positions - true_positions).abs()[:, seen].mean((1, 2))
        where = (weights * errors).mean()
    else:
        where = (positions * 0).sum()
    near = ((positions[-1] - true_positions).norm(dim=-1) < near_px).to(confidence.dtype)
    seeing = _cross_entropy(visibility, visible.to(visibility.dtype), valid)
    trusting = _cross_entropy(confidence, near.detach(), valid)
    total = where + visibility_weight * seeing + confidence_weight * trusting
    return TrackLosses(where, seeing, trusting, total)


def _cross_entropy(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    if not valid.any():
        return (logits * 0).sum()
    return F.binary_cross_entropy_with_logits(logits[valid], target[valid])
