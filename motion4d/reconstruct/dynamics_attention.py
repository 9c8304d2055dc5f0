"""Which pixels move, from the attention of a pair network alone: no flow, no training (Easi3R, Chen et al. 2025).

The dynamic map of the attention (motion4d.reconstruct.attention_statistics) is averaged over clusters of the encoder's
tokens, so that a thing is judged as a whole and in all frames alike, enlarged to pixels, and cut at the threshold that
parts its histogram best. With the masks the pairs are decoded a second time, in which static tokens do not read moving
ones; that gives better pointmaps, and better masks.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.backbones.pairs import EncodedFrames, PairBackbone
from motion4d.reconstruct.attention_statistics import AttentionStatistics, scaled_per_frame
from motion4d.reconstruct.clusters import cluster, cluster_means
from motion4d.reconstruct.observations import Observations
from motion4d.reconstruct.otsu import highest_threshold

_log = logging.getLogger(__name__)


class AttentionDynamics:
    """Config `dynamics=attention`. A CapabilityError for a backbone whose images do not attend to each other.

    clusters: of the tokens of all frames, with the seed of their start; second_pass: decode again with the masks, whose
    attention then gives the final ones. A deviation over pairs needs two of each kind per frame, so fewer than three
    frames say nothing: all static, and a warning. The map is scaled per frame, so that some pixel of an entirely
    static scene may be taken for moving; `dynamics=flow` knows a floor.
    """

    needs_flow = False
    needs_maps = False

    def __init__(self, *, clusters: int = 64, second_pass: bool = True, seed: int = 42) -> None:
        if clusters < 1:
            raise ValueError(f"tokens are put into at least 1 cluster, not {clusters}")
        self.clusters = clusters
        self.second_pass = second_pass
        self.seed = seed

    @torch.no_grad()
    def __call__(self, seen: Observations, backbone: PairBackbone, frames: EncodedFrames) -> Observations:
        """The observations with `moving`, and with the pointmaps of the second pass if there is one."""
        size = tuple(seen.maps.confidence_first.shape[-2:])
        statistics = AttentionStatistics(seen.frames)
        backbone.watch_attention(frames, seen.pairs, statistics)
        if statistics.least < 2:
            _log.warning(
                "the attention of %d frames in %d pairs says nothing of motion (every frame must be first and second "
                "in two pairs or more): all is taken for static; more frames, or dynamics=flow, say more",
                seen.frames,
                len(seen.pairs),
            )
            still = torch.zeros(seen.frames, *size, dtype=torch.bool, device=frames.tokens.device)
            return replace(seen, moving=still)
        labels = cluster(frames.tokens.flatten(0, 1), self.clusters, seed=self.seed)
        moving = _masks(statistics, labels, size)
        if not self.second_pass:
            return replace(seen, moving=moving)
        patch = (size[0] // frames.grid[0], size[1] // frames.grid[1])
        tokens = F.max_pool2d(moving.float()[:, None], patch)[:, 0] > 0
        statistics = AttentionStatistics(seen.frames)
        maps = backbone.decode_watched(frames, seen.pairs, statistics, moving=tokens)
        return replace(seen, maps=maps, moving=_masks(statistics, labels, size))


def _masks(statistics: AttentionStatistics, labels: Tensor, size: tuple[int, ...]) -> Tensor:
    """[N, H, W] bool: above the best threshold over all frames."""
    dynamic = statistics.fused().dynamic
    scores = scaled_per_frame(cluster_means(dynamic.flatten(), labels).view_as(dynamic))
    pixels = F.interpolate(scores[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
    return pixels > highest_threshold(pixels)
