"""Terms on pointmaps of image pairs (DUSt3R, Wang et al. 2024; MonST3R, Zhang et al. 2024).

Each is of one image of the pairs (0: the first, 1: the second), so that a batch weighs both alike however many of their
pixels are valid: the published losses are the sum of both. Unreduced values [K], to be averaged, of valid pixels only;
a batch without any gives 0. Truth: motion4d.losses.pair_truth.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from motion4d.losses.geometry_truth import nothing
from motion4d.losses.pair_space import Compared, Space
from motion4d.losses.pair_truth import PairTruth

PUBLISHED = Space()


class PairPrediction(Protocol):
    """What the terms read of a prediction (motion4d.backbones.pairs.PairPointmaps): pointmaps [P, H, W, 3] of both
    images in the first one's camera, and their confidences [P, H, W].
    """

    points_first: Tensor
    confidence_first: Tensor
    points_second: Tensor
    confidence_second: Tensor


def regression(prediction: PairPrediction, truth: PairTruth, *, image: int, space: Compared = PUBLISHED) -> Tensor:
    """|p - t| per valid pixel of one image (Regr3D with the distance L21)."""
    valid = truth.valid[:, image]
    if not valid.any():
        return nothing([prediction.points_first, prediction.points_second])
    predicted, true = space(_points(prediction), truth.points, truth.valid)
    return (predicted[:, image][valid] - true[:, image][valid]).norm(dim=-1)


def confidence(
    prediction: PairPrediction, truth: PairTruth, *, image: int, alpha: float = 0.2, space: Compared = PUBLISHED
) -> Tensor:
    """|p - t| c - alpha log c per valid pixel of one image, c the confidence (ConfLoss)."""
    valid = truth.valid[:, image]
    sure = (prediction.confidence_first, prediction.confidence_second)[image].float()
    if not valid.any():
        return nothing([prediction.points_first, prediction.points_second, sure])
    sure = sure[valid]
    return regression(prediction, truth, image=image, space=space) * sure - alpha * sure.log()


@torch.no_grad()
def distance(prediction: PairPrediction, truth: PairTruth, *, image: int, space: Compared = PUBLISHED) -> Tensor:
    """`regression` without a gradient: a term to be logged, with weight 0."""
    return regression(prediction, truth, image=image, space=space)


def _points(prediction: PairPrediction) -> Tensor:
    """Both images [P, 2, H, W, 3]."""
    return torch.stack((prediction.points_first, prediction.points_second), dim=1).float()
