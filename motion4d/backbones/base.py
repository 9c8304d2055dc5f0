"""The contract of a backbone: images -> Geometry, and named token taps.

A head asks for taps by name and learns from the backbone how wide they are, how many special tokens precede the patch
tokens, and how large a patch is; it does not know which network it stands on. Asking for a tap or a head that the
network lacks is a CapabilityError, raised before anything is computed.
"""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor, nn

from motion4d.clip import Geometry


class CapabilityError(ValueError):
    """A backbone was asked for something that it does not offer."""


class Backbone(nn.Module):
    """Base of the feed-forward backbones. Subclasses set the attributes and implement `forward`."""

    patch_size: int
    special_tokens: int  # tokens before the patch tokens in every tap
    available_heads: frozenset[str] = frozenset()  # of "points", "pose", "confidence", "depth"

    @property
    def available_taps(self) -> dict[str, int]:
        """Tap name -> channels."""
        raise CapabilityError(f"{type(self).__name__} offers no token taps")

    @property
    def trunk_taps(self) -> tuple[str, ...]:
        """The taps `decoder_0`, `decoder_1`, ... in order of depth, for heads that choose by relative depth."""
        return tuple(name for name in self.available_taps if name.startswith("decoder_"))

    @property
    def attention_blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """The trunk's blocks in the order in which they run, each with what it attends over: "frame" or "global".

        A block's output holds the tokens of all frames, one after the other, special tokens first in each.
        """
        raise CapabilityError(f"{type(self).__name__} has no blocks that attend inside frames and over all of them")

    def forward(self, images: Tensor, *, heads: Collection[str] = (), taps: Collection[str] = ()) -> Geometry:
        """Compute only what was asked for.

        images: [B, N, 3, H, W] in [0, 1], H and W multiples of `patch_size`.
        Returns Geometry with tokens[tap] [B, N, special_tokens + h*w, C], h = H / patch_size.
        """
        raise CapabilityError(f"{type(self).__name__} computes nothing")

    def check_request(self, images: Tensor, heads: Collection[str], taps: Collection[str]) -> None:
        """Raise CapabilityError for unknown heads or taps, ValueError for a size that does not fit the patches."""
        name = type(self).__name__
        for kind, asked, offered in (("head", heads, self.available_heads), ("tap", taps, self.available_taps)):
            lacking = sorted(set(asked) - set(offered))
            if lacking:
                raise CapabilityError(
                    f"{name} has no {kind} {', '.join(lacking)}; it offers {', '.join(sorted(offered))}"
                )
        height, width = images.shape[-2:]
        if height % self.patch_size or width % self.patch_size:
            raise ValueError(
                f"{name} needs height and width that are multiples of {self.patch_size}, but the images are "
                f"{height}x{width}; frame them first (motion4d.framing)"
            )
