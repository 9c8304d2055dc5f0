"""Terms on the axis, the kind of the motion, and the latent of a network that draws them (CVAE)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.losses.parts.reading import axis_said, nothing, rotation_probability, said, true
from motion4d.part import PartPrediction, PartQuery

SHORTEST = 1e-4  # what a true axis must be longer than


def axis(prediction: PartPrediction, query: PartQuery, *, signed: bool = False) -> Tensor:
    """1 - cos^2 of the angle between the axes; signed: 1 - cos, so that the direction counts too: [B]."""
    truth = true(query, "axis").float()
    short = truth.norm(dim=-1) <= SHORTEST
    if short.any():
        row = int(short.nonzero()[0])
        name = query.sources[row].image if query.sources else f"query {row} of the batch"
        raise ValueError(f"the true axis of {name} has no direction (its length is at most {SHORTEST:g}); leave it out")
    cosine = F.cosine_similarity(axis_said(prediction, query), truth, dim=-1, eps=SHORTEST)
    return 1 - cosine if signed else 1 - cosine.square()


def kl(prediction: PartPrediction, query: PartQuery) -> Tensor:
    """KL divergence of the posterior from N(0, 1), -1/2 sum(1 + l - m^2 - e^l): [B]; 0 of a network without latent."""
    if prediction.latent_mean is None:
        return nothing(prediction)
    mean, log_variance = said(prediction, "latent_mean"), said(prediction, "latent_log_variance")
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(dim=-1)


def kind(prediction: PartPrediction, query: PartQuery, *, label_smoothing: float = 0.1) -> Tensor:
    """Cross-entropy of the kind of motion: [B]."""
    return F.cross_entropy(
        said(prediction, "kind_logits"), true(query, "kind").long(), label_smoothing=label_smoothing, reduction="none"
    )


def rotation_balance(prediction: PartPrediction, query: PartQuery, *, target: float = 0.225) -> Tensor:
    """(mean probability of a rotation - target)^2 over the batch, for data whose kind is not known: a scalar."""
    return torch.square(rotation_probability(prediction).mean() - target)
