"""Terms that compare motion logits with a motion mask, t in {0, 1}, p = sigmoid(logit).

Each term takes (prediction: Motion, clip: Clip). Where `clip.valid` is False a pixel adds nothing: it counts as p = t =
0, and in means it still stands in the denominator (as in the released GeoMotion code, Zhou et al. 2026). The released
code takes the logarithms of float32 probabilities, clamped at -100; here they are taken of logits, which is exact, and
a saturated wrong pixel still has a gradient.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.clip import Clip, Motion


def bce(prediction: Motion, clip: Clip) -> Tensor:
    """Binary cross-entropy -t log p - (1-t) log(1-p) of every pixel: [B, N, H, W]."""
    entropy = F.binary_cross_entropy_with_logits(prediction.logits.float(), motion_target(clip), reduction="none")
    return _where_valid(entropy, clip)


def dice(prediction: Motion, clip: Clip, *, epsilon: float = 1e-6) -> Tensor:
    """1 - (2 sum(p t) + e) / (sum p + sum t + e), sums over the whole batch: a scalar."""
    p = _where_valid(prediction.probabilities, clip)
    t = _where_valid(motion_target(clip), clip)
    return 1 - (2 * (p * t).sum() + epsilon) / (p.sum() + t.sum() + epsilon)


def focal(prediction: Motion, clip: Clip, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """alpha (1 - e^-b)^gamma b of every pixel, b = its cross-entropy (Lin et al. 2017): [B, N, H, W]."""
    entropy = bce(prediction, clip)
    return alpha * (1 - torch.exp(-entropy)) ** gamma * entropy


def motion_target(clip: Clip) -> Tensor:
    """The true motion mask as 0.0 / 1.0 [B, N, H, W]."""
    if clip.motion is None:
        names = ", ".join(source.sequence for source in clip.sources) or "the clip"
        raise ValueError(f"{names} has no motion mask; the loss needs data with motion truth")
    return clip.motion.float()


def _where_valid(values: Tensor, clip: Clip) -> Tensor:
    return values if clip.valid is None else values * clip.valid
