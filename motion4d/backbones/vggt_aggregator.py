"""VGGT's trunk: frames to tokens, by blocks that attend inside each frame and over all frames in turn.

Every frame is [camera token, registers, patches]; the first frame has special tokens of its own, which makes it the
reference view. Attribute names are the published keys; the encoder's unused `mask_token` is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

from motion4d.layers.attention import Attend, attend_plainly
from motion4d.layers.block import Block
from motion4d.layers.chunks import in_chunks
from motion4d.layers.imagenet import IMAGE_MEAN, IMAGE_STD
from motion4d.layers.rope import grid_rotary
from motion4d.layers.vit import PatchEmbed, VisionTransformer

# (layer, tokens [B, N, special + h*w, dim] after its frame block) -> how its global block attends
GlobalAttention = Callable[[int, Tensor], Attend]


def plain_attention(_layer: int, _tokens: Tensor) -> Attend:
    """Every global block attends plainly (VGGT)."""
    return attend_plainly


class Aggregator(nn.Module):
    """Images -> tokens of every layer; the defaults are the published trunk.

    encoder_depth: blocks of the DINOv2 encoder; 0: a bare patch convolution instead, without position embedding.
    encoder: another network from normalised images [M, 3, H, W] to patch tokens [M, h*w, dim] in its place.
    motion: images [B, N, 3, H, W] in [0, 1] -> maps [B, N, C, H, W] that the encoder gets as further channels.
    """

    image_mean: Tensor
    image_std: Tensor

    def __init__(
        self,
        *,
        dim: int = 1024,
        encoder_depth: int = 24,
        encoder_heads: int = 16,
        encoder_registers: int = 4,
        depth: int = 24,
        heads: int = 16,
        registers: int = 4,
        mlp_ratio: float = 4.0,
        patch_size: int = 14,
        position_grid: int = 37,
        layer_scale: float = 0.01,
        rope_base: float = 100.0,
        frames_at_once: int | None = None,
        encoder: nn.Module | None = None,
        motion: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.patch_size = patch_size
        self.special_tokens = 1 + registers
        self.rope_base = rope_base
        self.frames_at_once = frames_at_once
        self.motion = motion
        self._rotary_dim = dim // heads
        self.register_buffer("image_mean", torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("image_std", torch.tensor(IMAGE_STD).view(1, 3, 1, 1), persistent=False)
        self.patch_embed = encoder or (
            VisionTransformer(
                dim,
                encoder_depth,
                encoder_heads,
                patch_size=patch_size,
                registers=encoder_registers,
                position_grid=position_grid,
                mlp_ratio=mlp_ratio,
            )
            if encoder_depth
            else PatchEmbed(patch_size, 3, dim)
        )
        self.camera_token = nn.Parameter(torch.randn(1, 2, 1, dim) * 1e-6)  # first frame, other frames
        self.register_token = nn.Parameter(torch.randn(1, 2, registers, dim) * 1e-6)

        def blocks() -> nn.ModuleList:
            return nn.ModuleList(
                Block(dim, heads, mlp_ratio=mlp_ratio, qk_norm=True, layer_scale=layer_scale, norm_eps=1e-5)
                for _ in range(depth)
            )

        self.frame_blocks = blocks()
        self.global_blocks = blocks()

    @property
    def depth(self) -> int:
        """Number of layers: a frame block and a global block each."""
        return len(self.frame_blocks)

    def embed(self, images: Tensor) -> Tensor:
        """Images [B, N, 3, H, W] in [0, 1] -> what enters the first layer [B, N, special + h*w, dim]."""
        batch, frames = images.shape[:2]
        inputs = (images - self.image_mean) / self.image_std
        if self.motion is not None:
            inputs = torch.cat((inputs, self.motion(images)), dim=2)
        patches = in_chunks(self.patch_embed, inputs.flatten(0, 1), at_once=self.frames_at_once)
        special = torch.cat((self.camera_token, self.register_token), dim=2)
        which = (torch.arange(frames, device=images.device) > 0).long()
        special = special[0][which].expand(batch, -1, -1, -1).to(patches.dtype)
        return torch.cat((special, patches.unflatten(0, (batch, frames))), dim=2)

    def forward(
        self,
        embedded: Tensor,
        grid: tuple[int, int],
        layers: Collection[int],
        attention: GlobalAttention = plain_attention,
    ) -> dict[int, Tensor]:
        """What `embed` gave -> the asked layers' outputs, each [B, N, special + h*w, 2 dim].

        A layer's output is its frame block's tokens beside its global block's. Layers after the last asked one do not
        run.
        """
        batch, frames, length, _ = embedded.shape
        rotary = grid_rotary(*grid, self.special_tokens, self._rotary_dim, self.rope_base, embedded.device)
        kept = {}
        tokens = embedded
        for layer in range(max(layers, default=-1) + 1):
            inside = self.frame_blocks[layer](tokens.reshape(batch * frames, length, self.dim), rotary)
            inside = inside.view(batch, frames, length, self.dim)
            attend = attention(layer, inside)
            tokens = self.global_blocks[layer](inside.view(batch, frames * length, self.dim), rotary, attend)
            tokens = tokens.view(batch, frames, length, self.dim)
            if layer in layers:
                kept[layer] = torch.cat((inside, tokens), dim=-1)
        return kept
