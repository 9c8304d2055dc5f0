"""How frames of any size meet a flow network that needs multiples of 8: resized, or padded, and back.

`Resize` is GeoMotion's published wrapper. `ReplicatePad` is the padding of the published RAFT evaluation: centred for
Sintel, at the bottom for KITTI. `Landscape` around a `Resize` is UniMatch's wrapper: its networks saw landscape frames
only; published code forgets to exchange the components of the flow when it turns portrait frames back, ours does not.
A fitting is a value; the flow that comes back is in pixels of the original frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor


class Fitting(Protocol):
    """Frames in, flow back."""

    def images(self, images: Tensor) -> Tensor:
        """[M, 3, H, W] -> a size that the network accepts."""
        ...

    def undo_flow(self, flow: Tensor, size: tuple[int, int]) -> Tensor:
        """[M, 2, h, w] of the fitted size -> [M, 2, H, W] of the original (H, W)."""
        ...


@dataclass(frozen=True)
class Resize:
    """Enlarge to the next multiples, bilinear; the flow is resized back and its vectors rescaled.

    align_corners: whether corner pixels' centres are mapped onto each other (UniMatch), or the frames' borders.
    """

    multiple: int = 8
    align_corners: bool = False

    def images(self, images: Tensor) -> Tensor:
        """See Fitting."""
        height, width = images.shape[-2:]
        size = (_round_up(height, self.multiple), _round_up(width, self.multiple))
        return self._resize(images, size)

    def undo_flow(self, flow: Tensor, size: tuple[int, int]) -> Tensor:
        """See Fitting."""
        if tuple(flow.shape[-2:]) == size:
            return flow
        factors = flow.new_tensor([size[1] / flow.shape[-1], size[0] / flow.shape[-2]])
        return self._resize(flow, size) * factors.view(2, 1, 1)

    def _resize(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        if tuple(maps.shape[-2:]) == size:
            return maps
        return F.interpolate(maps, size, mode="bilinear", align_corners=self.align_corners, antialias=False)


@dataclass(frozen=True)
class ReplicatePad:
    """Repeat the edges up to the next multiples. Columns are shared by left and right, rows only if `centre_rows`."""

    multiple: int = 8
    centre_rows: bool = True

    def margins(self, height: int, width: int) -> tuple[int, int, int, int]:
        """(left, right, top, bottom) pixels that are added."""
        rows = _round_up(height, self.multiple) - height
        columns = _round_up(width, self.multiple) - width
        top = rows // 2 if self.centre_rows else 0
        return columns // 2, columns - columns // 2, top, rows - top

    def images(self, images: Tensor) -> Tensor:
        """See Fitting."""
        return F.pad(images, self.margins(*images.shape[-2:]), mode="replicate")

    def undo_flow(self, flow: Tensor, size: tuple[int, int]) -> Tensor:
        """See Fitting."""
        left, _, top, _ = self.margins(*size)
        return flow[..., top : top + size[0], left : left + size[1]]


@dataclass(frozen=True)
class Landscape:
    """Turn portrait frames by exchanging rows and columns, then fit; the flow is turned back, its components too."""

    fitting: Fitting

    def images(self, images: Tensor) -> Tensor:
        """See Fitting."""
        return self.fitting.images(images.transpose(-2, -1) if _is_portrait(images.shape[-2:]) else images)

    def undo_flow(self, flow: Tensor, size: tuple[int, int]) -> Tensor:
        """See Fitting."""
        if not _is_portrait(size):
            return self.fitting.undo_flow(flow, size)
        return self.fitting.undo_flow(flow, (size[1], size[0])).transpose(-2, -1).flip(-3)


def _is_portrait(size: Sequence[int]) -> bool:
    return size[0] > size[1]


def _round_up(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple
