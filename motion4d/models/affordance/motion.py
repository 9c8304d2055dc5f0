"""Heads that say how a part moves: along or about which axis, and which of the two.

Each answers with fields of motion4d.part.PartPrediction by name. They read `feature`, what is known of the part, and
`condition`, the same with where it is. Axes have any length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motion4d.part import ROTATION, TRANSLATION

Said = dict[str, Tensor]
KINDS = 2


def perceptron(width: int, hidden: int) -> nn.Sequential:
    """Two layers, keys 0 and 2."""
    return nn.Sequential(
        nn.Linear(width, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, hidden), nn.ReLU(inplace=True)
    )


class LatentMotion(nn.Module):
    """A conditional variational autoencoder of axes. In training its code is read off the true axis."""

    published = "motion_vae"

    def __init__(self, feature: int, condition: int, *, latent: int = 32, hidden: int = 256) -> None:
        super().__init__()
        self.latent = latent
        self.enc_mlp = perceptron(feature + 3, hidden)
        self.linear_means = nn.Linear(hidden, latent)
        self.linear_log_var = nn.Linear(hidden, latent)
        self.dec_mlp = perceptron(latent + condition, hidden)
        self.motion_head = nn.Linear(hidden, 3)
        self.type_head = nn.Linear(hidden, KINDS)

    def forward(self, feature: Tensor, condition: Tensor, axis: Tensor | None, noise: Tensor) -> Said:
        """axis [B, 3]: read the code off it, noise [B, latent] in units of its spread; None: the noise is the code."""
        said: Said = {}
        code = noise
        if axis is not None:
            hidden = self.enc_mlp(torch.cat((feature, axis), 1))
            mean, log_variance = self.linear_means(hidden), self.linear_log_var(hidden)
            code = mean + noise * (log_variance / 2).exp()
            said = {"latent_mean": mean, "latent_log_variance": log_variance}
        hidden = self.dec_mlp(torch.cat((code, condition), 1))
        return said | {"axis": self.motion_head(hidden), "kind_logits": self.type_head(hidden)}


class DirectMotion(nn.Module):
    """A perceptron: axis within (-1, 1), and kind. axis, kind: leave one of them out."""

    published = "motion_mlp"
    latent = 0

    def __init__(
        self, feature: int, condition: int, *, hidden: int = 256, axis: bool = True, kind: bool = True
    ) -> None:
        super().__init__()
        if not (axis or kind):
            raise ValueError("a motion head says axis, kind or both; leave the head out instead (model.motion=null)")
        self.backbone = perceptron(condition, hidden)
        self.motion_head = _axis(hidden) if axis else None
        self.type_head = nn.Linear(hidden, KINDS) if kind else None

    def forward(self, feature: Tensor, condition: Tensor, axis: Tensor | None, noise: Tensor) -> Said:
        """Reads the condition only."""
        hidden, said = self.backbone(condition), {}
        if self.motion_head is not None:
            said["axis"] = _signed(self.motion_head(hidden))
        if self.type_head is not None:
            said["kind_logits"] = self.type_head(hidden)
        return said


class AxisByKind(nn.Module):
    """A perceptron with an axis for each kind; the kind that is likelier chooses."""

    published = "motion_mlp"
    latent = 0

    def __init__(self, feature: int, condition: int, *, hidden: int = 256) -> None:
        super().__init__()
        self.backbone = perceptron(condition, hidden)
        self.motion_head_rot = _axis(hidden)
        self.motion_head_trans = _axis(hidden)
        self.type_head = nn.Linear(hidden, KINDS)

    def forward(self, feature: Tensor, condition: Tensor, axis: Tensor | None, noise: Tensor) -> Said:
        """Reads the condition only."""
        hidden = self.backbone(condition)
        axes = {ROTATION: self.motion_head_rot, TRANSLATION: self.motion_head_trans}
        by_kind = torch.stack([_signed(axes[kind](hidden)) for kind in range(KINDS)], 1)
        kinds = self.type_head(hidden)
        chosen = by_kind[torch.arange(len(kinds), device=kinds.device), kinds.argmax(1)]
        return {"axis": chosen, "axis_by_kind": by_kind, "kind_logits": kinds}


class KindHint(nn.Embedding):
    """What the network is told of the kind, if anything. dropout: share of training samples that are told nothing."""

    def __init__(self, *, width: int = 16, dropout: float = 0.5) -> None:
        super().__init__(KINDS + 1, width)  # the last one: unknown
        self.dropout = dropout

    def said(self, kind: Tensor | None, batch: int) -> Tensor:
        """The ids [B] of a training's truth, some of them withheld; without truth and outside of training all are."""
        unknown = self.weight.new_full((batch,), KINDS, dtype=torch.long)
        if kind is None or not self.training:
            return unknown
        return torch.where(torch.rand(batch, device=kind.device) < self.dropout, unknown, kind.long())


def _axis(hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(hidden, 3), nn.Sigmoid())


def _signed(share: Tensor) -> Tensor:
    return (share - 0.5) * 2
