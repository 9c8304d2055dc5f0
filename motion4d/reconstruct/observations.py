"""What an aligner is given of a clip, what it answers, and who says which pixels move: the contracts of `alignment`.

Pointmaps of pairs may come from a pair network or from any feed-forward backbone; an aligner cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from motion4d.backbones.pairs import EncodedFrames, PairBackbone, PairPointmaps
from motion4d.clip import Noun, Source

Pairs = tuple[tuple[int, int], ...]


@dataclass
class Observations(Noun):
    """What is seen of N = `frames` frames of one size.

    pairs: E ordered pairs (i, j); maps: what is said of each; principal_point [2] in pixels. flow [D, 2, H, W]: the
    observed flow i -> j of the D `flow_pairs`, None where nobody looked. moving [N, H, W] bool: pixels that move in the
    world, None where nobody knows. images [N, 3, H, W] in [0, 1], and their `source`: for whoever must look again.
    """

    frames: int
    pairs: Pairs
    maps: PairPointmaps
    principal_point: Tensor
    flow: Tensor | None = None
    flow_pairs: Pairs = ()
    moving: Tensor | None = None
    images: Tensor | None = None
    source: Source | None = None


@dataclass
class Known(Noun):
    """What is known of some frames before an alignment, and stays as it is: those where `frames` [N] bool is true.

    camera_to_world [N, 4, 4]; depth [N, H, W] and focal [N] (pixels), None: not known. The other rows are ignored.
    """

    frames: Tensor
    camera_to_world: Tensor
    depth: Tensor | None = None
    focal: Tensor | None = None


@dataclass
class Aligned(Noun):
    """One consistent scene: camera_to_world [N, 4, 4], focal [N] in pixels, depth [N, H, W] (z), confidence [N, H, W].

    losses: name -> final value; optimised: names of what was free. All numbers are finite.
    """

    camera_to_world: Tensor
    focal: Tensor
    depth: Tensor
    confidence: Tensor
    losses: Mapping[str, float]
    optimised: tuple[str, ...] = ()


class Aligner(Protocol):
    """Config group `alignment`.

    needs_flow: it reads `seen.flow`.
    """

    needs_flow: bool

    def __call__(self, seen: Observations, known: Known | None = None) -> Aligned:
        """The scene that explains the observations best. A ValueError says which frames nothing connects."""
        ...


class Dynamics(Protocol):
    """Config group `dynamics`: who says which pixels move.

    needs_flow: it reads `seen.flow`, so flow must be estimated even if the aligner has no use for it.
    needs_maps: it reads `seen.maps`; if not, they are of no pairs when it is asked, unless somebody had them already.
    """

    needs_flow: bool
    needs_maps: bool

    def __call__(self, seen: Observations, backbone: PairBackbone, frames: EncodedFrames) -> Observations:
        """The observations with `moving`; with other `maps` where the method decodes the pairs in its own way."""
        ...
