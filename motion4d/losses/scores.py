"""What a training log says of one batch of motion masks: IoU, precision, recall, F1, pooled over all its pixels.

These follow the released GeoMotion code (Zhou et al. 2026): denominators + 1e-6, so an empty prediction of an empty
mask scores 0. They watch a training (`iou` as a term of weight 0); benchmarks are scored by motion4d.metrics, where
that case scores 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.clip import Clip, Motion


def iou(prediction: Motion, clip: Clip, *, threshold: float = 0.5) -> Tensor:
    """Intersection over union of the whole batch, a scalar without gradient: a term to be logged, with weight 0."""
    return batch_scores(prediction, clip, threshold=threshold)["iou"]


@torch.no_grad()
def batch_scores(prediction: Motion, clip: Clip, *, threshold: float = 0.5) -> dict[str, Tensor]:
    """Scalars "iou", "precision", "recall", "f1" of probability > threshold against the true motion mask."""
    if clip.motion is None:
        raise ValueError("batch scores need clips with a true motion mask")
    marked, moving = prediction.masks(threshold), clip.motion.bool()
    if clip.valid is not None:
        marked, moving = marked & clip.valid, moving & clip.valid
    true_positive = (marked & moving).sum().float()
    false_positive = (marked & ~moving).sum().float()
    false_negative = (~marked & moving).sum().float()
    precision = true_positive / (true_positive + false_positive + 1e-6)
    recall = true_positive / (true_positive + false_negative + 1e-6)
    return {
        "iou": true_positive / (true_positive + false_positive + false_negative + 1e-6),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall + 1e-6),
    }
