"""Heads that say the way of the touched point, and twists: a motion as one vector of six numbers."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.models.affordance.motion import Said, perceptron


class Trajectory(nn.Module):
    """condition -> [B, hypotheses, points, dimensions], each point said by itself."""

    def __init__(
        self, condition: int, *, hypotheses: int = 1, points: int = 20, dimensions: int = 3, hidden: int = 256
    ) -> None:
        super().__init__()
        self.points = points
        self.dimensions = dimensions
        self.hypotheses = hypotheses
        self.backbone = perceptron(condition, hidden)
        self.trajectory_head = nn.Linear(hidden, hypotheses * self.vectors * dimensions)

    @property
    def vectors(self) -> int:
        """How many vectors the head says."""
        return self.points

    def forward(self, condition: Tensor) -> Tensor:
        """The points, relative to the first or absolute: as they were trained."""
        said = self.trajectory_head(self.backbone(condition)).float()
        return self.decode(said.unflatten(1, (self.hypotheses, self.vectors, self.dimensions)))

    def decode(self, said: Tensor) -> Tensor:
        """[..., vectors, dimensions] -> [..., points, dimensions]."""
        return said


class StepTrajectory(Trajectory):
    """The head says the steps from point to point; the first one is 0."""

    @property
    def vectors(self) -> int:
        """One step less than points."""
        return self.points - 1

    def decode(self, said: Tensor) -> Tensor:
        """The sum of the steps."""
        return F.pad(said.cumsum(-2), (0, 0, 1, 0))


class CosineTrajectory(Trajectory):
    """The head says the first coefficients of the cosine transform of the points: smooth ways only."""

    idct_m: Tensor

    def __init__(self, condition: int, *, coefficients: int, points: int = 20, **settings: int) -> None:
        self.coefficients = coefficients
        super().__init__(condition, points=points, **settings)
        waves = torch.arange(coefficients)
        basis = (math.pi * (torch.arange(points)[:, None] + 0.5) * waves / points).cos() * math.sqrt(2 / points)
        self.register_buffer("idct_m", torch.where(waves == 0, basis / math.sqrt(2), basis))

    @property
    def vectors(self) -> int:
        """As many as coefficients."""
        return self.coefficients

    def decode(self, said: Tensor) -> Tensor:
        """The inverse transform."""
        return self.idct_m @ said


class Twist(nn.Module):
    """condition -> twists (w, v), and logits where there are several hypotheses.

    pitch_free: v along w is taken away, so that a rotation does not advance.
    """

    def __init__(self, condition: int, *, hypotheses: int = 1, pitch_free: bool = False, hidden: int = 256) -> None:
        super().__init__()
        self.hypotheses = hypotheses
        self.pitch_free = pitch_free
        self.backbone = perceptron(condition, hidden)
        self.twist_head = nn.Linear(hidden, 6 * hypotheses)
        self.logit_head = nn.Linear(hidden, hypotheses) if hypotheses > 1 else None

    def forward(self, condition: Tensor) -> Said:
        """twist of the likeliest hypothesis; twist_hypotheses and hypothesis_logits, if there are several."""
        hidden = self.backbone(condition)
        twists = self.twist_head(hidden).float().unflatten(1, (self.hypotheses, 6))
        if self.pitch_free:
            turn, shift = twists.split(3, -1)
            along = (turn * shift).sum(-1, keepdim=True) / (turn.square().sum(-1, keepdim=True) + _SOFT**2)
            twists = torch.cat((turn, shift - along * turn), -1)
        if self.logit_head is None:
            return {"twist": twists[:, 0]}
        logits = self.logit_head(hidden)
        return {"twist": chosen(twists, logits), "twist_hypotheses": twists, "hypothesis_logits": logits}


_SOFT = 0.05  # turns below this are taken for none


def chosen(hypotheses: Tensor, logits: Tensor) -> Tensor:
    """The likeliest one of [B, K, ...] by logits [B, K]."""
    return hypotheses[torch.arange(len(logits), device=logits.device), logits.argmax(1)]
