"""The term on twists, with one or several hypotheses of which the best is taught (winner takes all)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.geometry.twists import squared_difference, twist_about
from motion4d.losses.parts.reading import relative, rotates, said, true, truth_of
from motion4d.part import PartPrediction, PartQuery

COLDEST = 0.01  # the temperature just before the winner takes all


@dataclass(frozen=True)
class TwistParts:
    """total: the term; twist, trajectory: of the winners; choice: cross-entropy of the network's choice of a winner.

    Scalars; winner [B]; shares [B, K]: how much each hypothesis counts.
    """

    total: Tensor
    twist: Tensor
    trajectory: Tensor
    choice: Tensor
    winner: Tensor
    shares: Tensor


@dataclass(frozen=True)
class TwistHypotheses:
    """Mean over the batch of sum_k q_k d_k, + choice_weight * cross-entropy(logits, winner) where there are several.

    d_k = twist_weight * |difference of twists|^2 + trajectory_weight * (mean squared difference of trajectories), the
    first as a body of `radius` metres at the start of the true trajectory would feel it; without trajectories the mean
    over the six numbers. q_k: 1 for the smallest d_k, or softmax(-d / temperature). signed: an axis has a direction.
    The temperature of a training falls from `hottest` to 0.01 over the share `cooling` of it, and is 0 from then on.
    """

    twist_weight: float = 0.5
    trajectory_weight: float = 1.0
    choice_weight: float = 0.1
    radius: float = 0.25
    signed: bool = False
    temperature: float = 0.0
    hottest: float = 10.0
    cooling: float = 0.8

    def at(self, share: float) -> TwistHypotheses:
        """The same term when this share of a training is done."""
        done = share / self.cooling
        temperature = self.hottest * (COLDEST / self.hottest) ** done if done < 1 else 0.0
        return replace(self, temperature=temperature)

    def __call__(self, prediction: PartPrediction, query: PartQuery) -> Tensor:
        """The scalar."""
        return self.parts(prediction, query).total

    def parts(self, prediction: PartPrediction, query: PartQuery) -> TwistParts:
        """The term and what it is made of."""
        twists, trajectories = _hypotheses(prediction)
        errors = self._twist_errors(twists, query)
        truth = truth_of(query).trajectory
        if truth is None or trajectories is None:
            ways = torch.zeros_like(errors)
        else:
            ways = (trajectories - relative(truth.float()).unsqueeze(1)).square().mean((-2, -1))
        costs = self.twist_weight * errors + self.trajectory_weight * ways
        winner = costs.detach().argmin(dim=1)
        first = F.one_hot(winner, costs.shape[1]).to(costs.dtype)
        several = costs.shape[1] > 1
        shares = (-costs.detach() / self.temperature).softmax(dim=1) if several and self.temperature > 0 else first
        choice = costs.new_zeros(())
        if several:
            choice = F.cross_entropy(said(prediction, "hypothesis_logits"), winner)
        total = (shares * costs).sum(dim=1).mean() + self.choice_weight * choice
        twist, way = ((first * values).sum(dim=1).mean() for values in (errors, ways))
        return TwistParts(total, twist, way, choice, winner, shares)

    def _twist_errors(self, twists: Tensor, query: PartQuery) -> Tensor:
        truth = twist_about(true(query, "axis").float(), rotates(query), true(query, "origin").float()).unsqueeze(1)
        error = self._distance(twists, truth, query)
        return error if self.signed else torch.minimum(error, self._distance(twists, -truth, query))

    def _distance(self, twists: Tensor, truth: Tensor, query: PartQuery) -> Tensor:
        trajectory = truth_of(query).trajectory
        if trajectory is None:
            return (twists - truth).square().mean(dim=-1)
        return squared_difference(twists, truth, anchor=trajectory[:, :1].float(), radius=self.radius)


def _hypotheses(prediction: PartPrediction) -> tuple[Tensor, Tensor | None]:
    """Twists [B, K, 6] and trajectories [B, K, T, 3], if the network says any."""
    if prediction.twist_hypotheses is not None:
        return said(prediction, "twist_hypotheses"), said(prediction, "trajectory_hypotheses")
    trajectory = None if prediction.trajectory is None else said(prediction, "trajectory").unsqueeze(1)
    return said(prediction, "twist").unsqueeze(1), trajectory
