"""VGGT's camera head: a pose encoding per frame, refined a few times from the camera tokens of all frames.

Attribute names are the published keys. The encoding's numbers: motion4d.geometry.pose_encoding.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.block import Block, Mlp

NUMBERS = 9


class CameraHead(nn.Module):
    """Camera tokens [B, N, dim] -> the pose encoding after every iteration [iterations, B, N, 9].

    Every iteration looks at the last encoding (without gradient), modulates the tokens by it, lets the frames attend to
    each other, and adds to the encoding. What is given out has its two fields of view clamped at 0 from below.
    unit: factor on the answers for translation and rotation; below 1, a training from nothing is less noisy there.
    """

    keeps_float32 = True  # whatever autocast says (motion4d.layers.precision)

    def __init__(
        self,
        dim: int = 2048,
        *,
        depth: int = 4,
        heads: int = 16,
        iterations: int = 4,
        mlp_ratio: float = 4.0,
        layer_scale: float = 0.01,
        unit: float = 1.0,
    ) -> None:
        super().__init__()
        self.iterations = iterations
        self.token_norm = nn.LayerNorm(dim)
        self.trunk_norm = nn.LayerNorm(dim)
        self.adaln_norm = nn.LayerNorm(dim, eps=1e-6, elementwise_affine=False)
        self.empty_pose_tokens = nn.Parameter(torch.zeros(1, 1, NUMBERS))
        self.embed_pose = nn.Linear(NUMBERS, dim)
        self.poseLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 3 * dim))
        self.trunk = nn.ModuleList(
            Block(dim, heads, mlp_ratio=mlp_ratio, layer_scale=layer_scale, norm_eps=1e-5) for _ in range(depth)
        )
        self.pose_branch = Mlp(dim, dim // 2, NUMBERS)
        self.unit = unit
        with torch.no_grad():
            self.pose_branch.fc2.bias[6] = 1 / unit  # w of a camera that does not turn
            self.pose_branch.fc2.bias[7:] = 0.9  # a field of view that starts below 0 would have no gradient, for ever

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        tokens = self.token_norm(tokens)
        plain = self.adaln_norm(tokens)
        pose = self.empty_pose_tokens.expand(*tokens.shape[:2], -1)
        answers: list[Tensor] = []
        for _ in range(self.iterations):
            seen = pose.detach() if answers else pose
            shift, scale, gate = self.poseLN_modulation(self.embed_pose(seen)).chunk(3, dim=-1)
            modulated = gate * (plain * (1 + scale) + shift) + tokens
            for block in self.trunk:
                modulated = block(modulated)
            motion, view = self.pose_branch(self.trunk_norm(modulated)).split((7, 2), dim=-1)
            change = torch.cat((self.unit * motion, view), dim=-1)
            pose = pose + change if answers else change
            answers.append(torch.cat((pose[..., :7], F.relu(pose[..., 7:])), dim=-1))
        return torch.stack(answers)
