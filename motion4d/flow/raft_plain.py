"""RAFT in its plain, published form: one pair and one direction per call. The oracle of tests and of eval.speed.

The same modules as motion4d.flow.raft, used the obvious way: contiguous layout, both frames encoded for every pair,
gates z, r and q as three convolutions over everything, mask head and upsampling in every iteration. The upsampling is
written as the paper has it, a weighted sum over unfolded neighbours: an oracle that shared our own would not test it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.clip import Clip, Flow
from motion4d.flow.correlation import Volume, pixel_grid
from motion4d.flow.raft import Raft
from motion4d.layers.upsample import bilinear_upsample


@torch.no_grad()
def plain_raft_pair(raft: Raft, image1: Tensor, image2: Tensor) -> list[Tensor]:
    """[P, 3, H, W] in [0, 1] twice, H and W multiples of 8 -> the flow [P, 2, H, W] after every iteration."""
    feature1, feature2 = raft.feature_encoder(2 * torch.cat([image1, image2]) - 1).chunk(2)
    correlation = Volume.one_way(feature1, feature2, levels=raft.levels, radius=raft.radius)
    block = raft.update_block
    hidden, context = raft.context_encoder(2 * image1 - 1).split([block.hidden, block.context], 1)
    hidden, context = torch.tanh(hidden), torch.relu(context)
    grid = pixel_grid(hidden.shape[-2], hidden.shape[-1], like=hidden)
    flow = torch.zeros_like(grid).expand(len(hidden), -1, -1, -1)
    predictions = []
    for _ in range(raft.iterations):
        motion = block.motion_encoder(correlation.lookup(grid + flow).contiguous(), flow)
        for unit in block.recurrent_block.units:
            hidden = unit(hidden, torch.cat([context, motion], 1))
        flow = flow + block.flow_head(hidden)
        fine = bilinear_upsample(flow) if raft.mask_predictor is None else upsample(flow, raft.mask_predictor(hidden))
        predictions.append(fine)
    return predictions


def upsample(flow: Tensor, mask: Tensor) -> Tensor:
    """[P, 2, h, w] in coarse pixels and logits [P, 9 * 64, h, w] -> [P, 2, 8h, 8w] in pixels."""
    pairs, _, height, width = flow.shape
    weights = mask.view(pairs, 1, 9, 8, 8, height, width).softmax(2)
    neighbours = F.unfold(8 * flow, 3, padding=1).view(pairs, 2, 9, 1, 1, height, width)
    fine = (weights * neighbours).sum(2)
    return fine.permute(0, 1, 4, 2, 5, 3).reshape(pairs, 2, 8 * height, 8 * width)


def plain_raft_clip(raft: Raft, clip: Clip) -> Flow:
    """What Raft.forward says of a clip, pair by pair and direction by direction."""
    images = clip.images
    size = clip.size

    def fields(first: int, second: int) -> Tensor:
        """Flow of frame `first` -> frame `second` [B, 2, H, W]."""
        pair = (raft.fitting.images(images[:, first]), raft.fitting.images(images[:, second]))
        return raft.fitting.undo_flow(plain_raft_pair(raft, *pair)[-1], size)

    pairs = range(clip.num_frames - 1)
    return Flow(
        forward=torch.stack([fields(t, t + 1) for t in pairs], 1),
        backward=torch.stack([fields(t + 1, t) for t in pairs], 1),
    )
