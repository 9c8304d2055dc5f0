"""MonST3R and DUSt3R: pointmaps of ordered image pairs (Zhang et al. 2024; Wang et al. 2024).

One ViT encoder for all frames, two decoders that look at each other in every block, one head per image. The first image
of a pair is described in its own camera, the second one, at its own time, in the first one's camera: that is all that
MonST3R says about motion. Module attributes are the published checkpoint keys (see motion4d.backbones.monst3r_weights).

| deviation from the released code | why |
|---|---|
| a clip's frames are encoded once, not once per pair | 65 frames in 600 pairs: 65 encodings instead of 1200 |
| patch positions start at 1 | only differences of positions count; tables are shared with Pi3 |
| `mask_token`, the unused rest of pre-training, is not there | nothing reads it |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.backbones.monst3r_weights import settings_of, stored_once
from motion4d.backbones.pairs import EncodedFrames, PairBackbone, PairPointmaps, WatchAttention
from motion4d.clip import check_shape
from motion4d.io.weights import WeightsError, load_strict, read_state_dict, recognise
from motion4d.layers.attention import Attend, attend_plainly
from motion4d.layers.block import Block
from motion4d.layers.cross_block import CrossBlock
from motion4d.layers.dust3r_dpt import Dust3rDpt
from motion4d.layers.key_attention import KeyAttention
from motion4d.layers.rope import Rotary, grid_rotary
from motion4d.layers.vit import PatchEmbed


@dataclass
class DecodedPair:
    """Both decoders' token lists of P pairs: entry 0 is the encoder's output, entry k decoder block k's, normalised at
    the end; each [P, h*w, C].
    """

    first: list[Tensor]
    second: list[Tensor]


class Monst3r(PairBackbone):
    """MonST3R; the defaults are the published network (571 M parameters, head "dpt").

    linear_head: the heads of DUSt3R's linear checkpoints instead of the dense prediction heads.
    dpt_features, dpt_last_dim, dpt_layer_dims: widths of the dense prediction heads.
    frames_at_once, pairs_at_once: so many frames pass the encoder, and pairs the decoders and heads, together.
    storage: the floating type in which `decode` keeps its answers (half precision halves the memory of many pairs).
    """

    def __init__(
        self,
        *,
        encoder_dim: int = 1024,
        encoder_depth: int = 24,
        encoder_heads: int = 16,
        decoder_dim: int = 768,
        decoder_depth: int = 12,
        decoder_heads: int = 12,
        patch_size: int = 16,
        mlp_ratio: float = 4.0,
        rope_base: float = 100.0,
        linear_head: bool = False,
        dpt_features: int = 256,
        dpt_last_dim: int = 128,
        dpt_layer_dims: Sequence[int] = (96, 192, 384, 768),
        frames_at_once: int = 8,
        pairs_at_once: int = 8,
        storage: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if not linear_head and patch_size != 16:
            raise ValueError(f"the dense prediction head is made for patches of 16 pixels, not {patch_size}")
        self.patch_size = patch_size
        self.token_channels = encoder_dim
        self.rope_base = rope_base
        self.frames_at_once = frames_at_once
        self.pairs_at_once = pairs_at_once
        self.storage = storage
        self._rotary_dims = (encoder_dim // encoder_heads, decoder_dim // decoder_heads)

        self.patch_embed = PatchEmbed(patch_size, 3, encoder_dim)
        self.enc_blocks = nn.ModuleList(
            Block(encoder_dim, encoder_heads, mlp_ratio=mlp_ratio) for _ in range(encoder_depth)
        )
        self.enc_norm = nn.LayerNorm(encoder_dim, eps=1e-6)
        self.decoder_embed = nn.Linear(encoder_dim, decoder_dim)

        def decoder() -> nn.ModuleList:
            blocks = (CrossBlock(decoder_dim, decoder_heads, mlp_ratio=mlp_ratio) for _ in range(decoder_depth))
            return nn.ModuleList(blocks)

        def head() -> nn.Module:
            if linear_head:
                return _LinearHead(decoder_dim, patch_size)
            return _DenseHead(encoder_dim, decoder_dim, decoder_depth, dpt_features, dpt_last_dim, dpt_layer_dims)

        self.dec_blocks = decoder()
        self.dec_blocks2 = decoder()
        self.dec_norm = nn.LayerNorm(decoder_dim, eps=1e-6)
        self.downstream_head1 = head()
        self.downstream_head2 = head()

    @classmethod
    def from_file(cls, path: str | Path, **settings: Any) -> Self:
        """The network that fits a published file, with its weights; `settings` go to the constructor as well."""
        state = stored_once(read_state_dict(path))
        if recognise(state) != "MonST3R":
            raise WeightsError(f"{path} is not a MonST3R or DUSt3R checkpoint; it looks like {recognise(state)}")
        network = cls(**(settings_of({name: tensor.shape for name, tensor in state.items()}) | settings))
        load_strict(network, state, source=path, assign=True)
        return network

    def load_weights(self, path: str | Path) -> None:
        """Load a published file strictly, whichever of the two formats it has."""
        load_strict(self, stored_once(read_state_dict(path)), source=path)

    def encode(self, images: Tensor) -> EncodedFrames:
        """Images [N, 3, H, W] in [0, 1] -> normalised encoder tokens; `frames_at_once` frames at a time."""
        sizes = check_shape("images", images, "N 3 H W")
        if sizes["H"] % self.patch_size or sizes["W"] % self.patch_size:
            raise ValueError(
                f"Monst3r needs height and width that are multiples of {self.patch_size}, but the images are "
                f"{sizes['H']}x{sizes['W']}; frame them first (motion4d.framing)"
            )
        grid = (sizes["H"] // self.patch_size, sizes["W"] // self.patch_size)
        rotary = self._rotary(grid, self._rotary_dims[0], images)
        encoded = []
        for part in images.split(self.frames_at_once):
            tokens = self.patch_embed(2 * part - 1)
            for block in self.enc_blocks:
                tokens = block(tokens, rotary)
            encoded.append(self.enc_norm(tokens))
        return EncodedFrames(torch.cat(encoded), grid)

    def decode(self, frames: EncodedFrames, pairs: Sequence[tuple[int, int]]) -> PairPointmaps:
        """The pointmaps of the ordered pairs (i, j) of `frames`; `pairs_at_once` pairs at a time.

        Without gradients the answers are written into memory of the type `storage`, reserved once.
        """
        answers = (self.pointmaps(first, second) for _, first, second in self._parts(frames, pairs))
        if torch.is_grad_enabled():
            kept = list(answers)
            return PairPointmaps(*(torch.cat(field) for field in zip(*map(_fields, kept), strict=True)))
        return self._stored(answers, len(pairs))

    @torch.no_grad()
    def decode_watched(
        self,
        frames: EncodedFrames,
        pairs: Sequence[tuple[int, int]],
        watch: WatchAttention,
        *,
        moving: Tensor | None = None,
    ) -> PairPointmaps:
        """As `decode`, with the attention across shown and changed (motion4d.backbones.pairs)."""
        answers = (self._maps(*part) for part in self._watched(frames, pairs, watch, moving))
        return self._stored(answers, len(pairs))

    @torch.no_grad()
    def watch_attention(
        self,
        frames: EncodedFrames,
        pairs: Sequence[tuple[int, int]],
        watch: WatchAttention,
        *,
        moving: Tensor | None = None,
    ) -> None:
        """The decoders alone; `pairs_at_once` pairs at a time."""
        for _ in self._watched(frames, pairs, watch, moving):
            pass

    def pointmaps(self, first: EncodedFrames, second: EncodedFrames) -> PairPointmaps:
        """Row k of `first` paired with row k of `second`, all at once; the two may differ in size."""
        return self._maps(self.decode_tokens(first, second), first.grid, second.grid)

    def _maps(self, decoded: DecodedPair, grid: tuple[int, int], other_grid: tuple[int, int]) -> PairPointmaps:
        with torch.autocast(decoded.first[0].device.type, enabled=False):  # answers are never rounded to half precision
            points_first, confidence_first = _activate(self.downstream_head1(decoded.first, grid))
            points_second, confidence_second = _activate(self.downstream_head2(decoded.second, other_grid))
        return PairPointmaps(points_first, confidence_first, points_second, confidence_second)

    def _watched(
        self,
        frames: EncodedFrames,
        pairs: Sequence[tuple[int, int]],
        watch: WatchAttention,
        moving: Tensor | None,
    ) -> Iterator[tuple[DecodedPair, tuple[int, int], tuple[int, int]]]:
        """Decoded tokens of some pairs after the other, each part after `watch` has seen its attention."""
        tokens = None if moving is None else moving.flatten(1)
        for part, first, second in self._parts(frames, pairs):
            across, back = KeyAttention(), KeyAttention()
            if tokens is not None:
                across.moving_queries, across.moving_keys = (tokens[[pair[side] for pair in part]] for side in (0, 1))
            decoded = self.decode_tokens(first, second, across, back)
            watch(part, across.maps(second.grid), back.maps(first.grid))
            yield decoded, first.grid, second.grid

    def _parts(
        self, frames: EncodedFrames, pairs: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[Sequence[tuple[int, int]], EncodedFrames, EncodedFrames]]:
        if not pairs:
            raise ValueError("there are no pairs to decode")
        for start in range(0, len(pairs), self.pairs_at_once):
            part = pairs[start : start + self.pairs_at_once]
            yield part, frames.take([i for i, _ in part]), frames.take([j for _, j in part])

    def decode_tokens(
        self,
        first: EncodedFrames,
        second: EncodedFrames,
        attend: Attend = attend_plainly,
        attend_back: Attend = attend_plainly,
    ) -> DecodedPair:
        """Row k of `first` paired with row k of `second`: the token lists that the heads read.

        attend: how the first decoder looks at the second image; attend_back: the other way round.
        """
        rotary_first = self._rotary(first.grid, self._rotary_dims[1], first.tokens)
        rotary_second = self._rotary(second.grid, self._rotary_dims[1], first.tokens)
        lists = DecodedPair([first.tokens], [second.tokens])
        one, other = self.decoder_embed(first.tokens), self.decoder_embed(second.tokens)
        for block, block2 in zip(self.dec_blocks, self.dec_blocks2, strict=True):
            one, other = (
                block(one, other, rotary_first, rotary_second, attend),
                block2(other, one, rotary_second, rotary_first, attend_back),
            )
            lists.first.append(one)
            lists.second.append(other)
        lists.first[-1], lists.second[-1] = self.dec_norm(one), self.dec_norm(other)
        return lists

    def _rotary(self, grid: tuple[int, int], head_dim: int, like: Tensor) -> Rotary:
        return grid_rotary(*grid, 0, head_dim, self.rope_base, like.device)

    def _stored(self, answers: Iterable[PairPointmaps], count: int) -> PairPointmaps:
        """`answers` one after the other, in memory reserved once."""
        kept: list[Tensor] = []
        done = 0
        for answer in answers:
            fields = _fields(answer)
            if not kept:
                kept = [_reserve(field, count, self.storage) for field in fields]
            for target, field in zip(kept, fields, strict=True):
                target[done : done + len(field)] = field
            done += len(fields[0])
        return PairPointmaps(*kept)


class _DenseHead(nn.Module):
    """Key `dpt`: four of the token lists, spread evenly over the decoder's depth."""

    def __init__(
        self,
        encoder_dim: int,
        decoder_dim: int,
        decoder_depth: int,
        features: int,
        last_dim: int,
        layer_dims: Sequence[int],
    ) -> None:
        super().__init__()
        self.hooks = (0, decoder_depth // 2, decoder_depth * 3 // 4, decoder_depth)
        in_dims = (encoder_dim, decoder_dim, decoder_dim, decoder_dim)
        self.dpt = Dust3rDpt(in_dims, 4, features=features, last_dim=last_dim, layer_dims=layer_dims)

    def forward(self, lists: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """Token lists -> maps [P, 4, H, W]."""
        return self.dpt([lists[hook].float() for hook in self.hooks], grid)


class _LinearHead(nn.Module):
    """Key `proj`: one linear map of the last token list, shuffled to pixels as in motion4d.layers.pixel_head."""

    def __init__(self, dim: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Linear(dim, 4 * patch_size**2)

    def forward(self, lists: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """Token lists -> maps [P, 4, H, W]."""
        features = self.proj(lists[-1].float()).transpose(1, 2).unflatten(2, grid)
        return F.pixel_shuffle(features, self.patch_size)


def _activate(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Maps [P, 4, H, W] -> points [P, H, W, 3] = p expm1(|p|) / |p|, and confidence [P, H, W] = 1 + exp(c)."""
    raw = maps[:, :3]
    length = raw.norm(dim=1, keepdim=True)
    points = raw * (length.expm1() / length.clamp_min(1e-8))
    return points.permute(0, 2, 3, 1), 1 + maps[:, 3].exp()


def _fields(maps: PairPointmaps) -> tuple[Tensor, ...]:
    return maps.points_first, maps.confidence_first, maps.points_second, maps.confidence_second


def _reserve(like: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Memory for `count` rows such as `like`, channel-first under pointmaps."""
    if like.ndim == 4:
        return like.new_empty((count, 3, *like.shape[1:3]), dtype=dtype).permute(0, 2, 3, 1)
    return like.new_empty((count, *like.shape[1:]), dtype=dtype)
