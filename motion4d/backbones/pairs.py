"""The contract of a pair backbone: every frame is encoded once, then any pairs of frames are decoded to pointmaps.

`reconstruct` aligns the pointmaps of many pairs; on its own a pair says nothing about a third frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from motion4d.backbones.base import CapabilityError
from motion4d.clip import Noun

# some pairs (i, j); how much image i looks at every token of j, and j at those of i, both [P, h, w, layers * heads]
WatchAttention = Callable[[Sequence[tuple[int, int]], Tensor, Tensor], None]


@dataclass
class EncodedFrames(Noun):
    """Tokens [N, h*w, C] of N frames, row by row, and their patch grid (h, w)."""

    tokens: Tensor
    grid: tuple[int, int]

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, frames: Sequence[int]) -> EncodedFrames:
        """Those frames, in that order."""
        return EncodedFrames(self.tokens[list(frames)], self.grid)


@dataclass
class PairPointmaps(Noun):
    """What is said of P ordered pairs (i, j), all in camera i; scale is arbitrary and differs from pair to pair.

    points_first [P, H, W, 3]: frame i; points_second [P, H, W, 3]: frame j, at its own time;
    confidence_first, confidence_second [P, H, W]: positive. The two frames of a pair may differ in size.
    Points are views of channel-first memory, which is what the alignment computes on.
    """

    points_first: Tensor
    confidence_first: Tensor
    points_second: Tensor
    confidence_second: Tensor


class PairBackbone(nn.Module):
    """Base of the pair backbones. Subclasses set the attributes and implement `encode` and `decode`."""

    patch_size: int
    token_channels: int  # of the encoder's tokens

    @property
    def available_heads(self) -> frozenset[str]:
        """A CapabilityError, for models that need a backbone of whole clips."""
        raise _no_clips(self)

    @property
    def available_taps(self) -> dict[str, int]:
        """A CapabilityError, as `available_heads`."""
        raise _no_clips(self)

    @property
    def trunk_taps(self) -> tuple[str, ...]:
        """A CapabilityError, as `available_heads`."""
        raise _no_clips(self)

    def encode(self, images: Tensor) -> EncodedFrames:
        """Images [N, 3, H, W] in [0, 1], H and W multiples of `patch_size`."""
        raise NotImplementedError

    def decode(self, frames: EncodedFrames, pairs: Sequence[tuple[int, int]]) -> PairPointmaps:
        """The pointmaps of the ordered pairs (i, j) of `frames`."""
        raise NotImplementedError

    def decode_watched(
        self,
        frames: EncodedFrames,
        pairs: Sequence[tuple[int, int]],
        watch: WatchAttention,
        *,
        moving: Tensor | None = None,
    ) -> PairPointmaps:
        """As `decode`; `watch` gets the attention across, before the softmax and averaged over the queries.

        moving [N, h, w] bool: the first image's static tokens do not read the second one's moving tokens. A
        CapabilityError if the two images of a pair do not attend to each other.
        """
        raise _no_attention(self)

    def watch_attention(
        self,
        frames: EncodedFrames,
        pairs: Sequence[tuple[int, int]],
        watch: WatchAttention,
        *,
        moving: Tensor | None = None,
    ) -> None:
        """As `decode_watched`, without the pointmaps, which costs less."""
        raise _no_attention(self)


def _no_clips(backbone: PairBackbone) -> CapabilityError:
    return CapabilityError(
        f"{type(backbone).__name__} reads pairs of frames, and this model needs a backbone that reads whole clips "
        "(backbone=page4d_conv); pair networks belong to model=pairs"
    )


def _no_attention(backbone: PairBackbone) -> CapabilityError:
    return CapabilityError(
        f"{type(backbone).__name__} does not let the two images of a pair look at each other in a way that shows what "
        "moves: choose another dynamics (dynamics=flow), or a backbone that does (backbone=monst3r)"
    )
