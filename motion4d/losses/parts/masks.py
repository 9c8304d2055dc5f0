"""Terms on the part's mask and on heatmaps of points.

The true mask is resized bilinearly to the network's map and stays soft. A heatmap's truth is a Gaussian around the
point (x, y): its centre is (x (w-1), y (h-1)) on a map of h x w, while soft-argmax divides by w and h. Published so.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.losses.parts.reading import said, true
from motion4d.part import PartPrediction, PartQuery


def mask(
    prediction: PartPrediction,
    query: PartQuery,
    *,
    bce_weight: float = 0.5,
    dice_weight: float = 0.5,
    smooth: float = 1e-6,
) -> Tensor:
    """bce_weight * (mean cross-entropy) + dice_weight * (1 - (2 sum(p t) + s) / (sum p + sum t + s)) of each: [B]."""
    logits = said(prediction, "mask_logits")
    target = _on_map(true(query, "mask"), logits)
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((-2, -1))
    p = logits.sigmoid()
    both, either = (p * target).sum((-2, -1)), p.sum((-2, -1)) + target.sum((-2, -1))
    return bce_weight * entropy + dice_weight * (1 - (2 * both + smooth) / (either + smooth))


def point_map(prediction: PartPrediction, query: PartQuery, *, sigma: float = 8.0) -> Tensor:
    """Cross-entropy of the touched point's heatmap, sigma in pixels of the map: [B, h, w]."""
    return heatmap_entropy(said(prediction, "point_logits"), true(query, "point").float(), sigma=sigma)


def heatmap_entropy(logits: Tensor, points: Tensor, *, sigma: float) -> Tensor:
    """Cross-entropy of heatmap logits [B, h, w] against Gaussians around points [B, 2]: [B, h, w]."""
    target = gaussian_map(points, (logits.shape[-2], logits.shape[-1]), sigma=sigma)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none")


def gaussian_map(points: Tensor, size: tuple[int, int], *, sigma: float) -> Tensor:
    """exp(-((c - x (w-1))^2 + (r - y (h-1))^2) / (2 sigma^2)) at row r, column c of h x w maps: [B, h, w]."""
    height, width = size
    columns = torch.arange(width, device=points.device) - points[:, :1] * (width - 1)
    rows = torch.arange(height, device=points.device) - points[:, 1:] * (height - 1)
    squares = rows.square().unsqueeze(-1) + columns.square().unsqueeze(-2)
    return torch.exp(-squares / (2 * sigma**2))


def _on_map(mask: Tensor, logits: Tensor) -> Tensor:
    size = logits.shape[-2:]
    return F.interpolate(mask.unsqueeze(1).float(), size=size, mode="bilinear", align_corners=False).squeeze(1)
