"""DINOv2's vision transformer with register tokens (Oquab et al. 2023, Darcet et al. 2023): Pi3's and VGGT's encoder.

Attribute names are the published keys (`cls_token`, `pos_embed`, `register_tokens`, `patch_embed.proj`, `blocks`,
`norm`). Images arrive normalised by the caller. Tokens: class, registers, then patches row by row; registers have no
position embedding.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.block import Block


def resize_position_embedding(embedding: Tensor, grid: tuple[int, int]) -> Tensor:
    """Position embedding [1, 1 + G*G, C] (class first, G x G patches) -> [1, 1 + h*w, C] for `grid` = (h, w).

    Bicubic with antialiasing, to a size and not by a factor, in float32; the class entry stays as it is.
    """
    side = round((embedding.shape[1] - 1) ** 0.5)
    if grid == (side, side):
        return embedding
    patches = embedding[:, 1:].float().unflatten(1, (side, side)).permute(0, 3, 1, 2)
    resized = F.interpolate(patches, size=grid, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat((embedding[:, :1].float(), resized.flatten(2).transpose(1, 2)), dim=1)


class PatchEmbed(nn.Module):
    """One linear map per patch, written as a strided convolution (key `proj`)."""

    def __init__(self, patch_size: int, channels: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """[M, channels, H, W] -> [M, h*w, dim], row by row."""
        return self.proj(images).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """Images [M, channels, H, W] -> normalised patch tokens [M, h*w, dim].

    `position_grid`: side of the square grid of the stored position embedding (37 for 518 pixels of patch 14).
    """

    def __init__(
        self,
        dim: int,
        depth: int,
        heads: int,
        *,
        patch_size: int = 14,
        registers: int = 4,
        position_grid: int = 37,
        mlp_ratio: float = 4.0,
        layer_scale: float = 1.0,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.special_tokens = 1 + registers
        self.patch_embed = PatchEmbed(patch_size, channels, dim)
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim) * 1e-6)
        self.register_tokens = nn.Parameter(torch.randn(1, registers, dim) * 1e-6)
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + position_grid**2, dim) * 0.02)
        self.blocks = nn.ModuleList(
            Block(dim, heads, mlp_ratio=mlp_ratio, layer_scale=layer_scale) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images [M, channels, H, W] -> what enters the first block [M, 1 + registers + h*w, dim]."""
        grid = (images.shape[-2] // self.patch_size, images.shape[-1] // self.patch_size)
        positions = resize_position_embedding(self.pos_embed, grid)
        patches = self.patch_embed(images)
        patches = patches + positions[:, 1:].to(patches.dtype)
        first = torch.cat((self.cls_token + positions[:, :1], self.register_tokens), dim=1)
        return torch.cat((first.expand(len(patches), -1, -1).to(patches.dtype), patches), dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images [M, channels, H, W] -> patch tokens [M, h*w, dim] (class and register tokens dropped)."""
        tokens = self.embed(images)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens[:, self.special_tokens :])
