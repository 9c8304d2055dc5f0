"""Depth maps of a sequence: they wait on disk at the network's size, and become files when the whole range is known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.framing import Framing
from motion4d.io.arrays import write_arrays
from motion4d.io.depth_files import LARGEST, write_depth_png
from motion4d.io.files import make_folder
from motion4d.io.video import open_video_writer
from motion4d.viz.sample import depth_colours

FORMATS = ("png", "npz", "both", "none")
_DEEP = 5.0  # depths beyond so many times the 98th percentile do not decide the scale of 16-bit files


@dataclass(frozen=True)
class DepthFiles:
    """How depth is written. format: "png" (16 bit), "npz" (float32), "both" or "none"; native: at the video's own size,
    else at the network's; per_unit: 16-bit values per unit of depth, None: so that all depths fit but extreme ones.
    """

    format: str = "png"
    native: bool = True
    per_unit: float | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"depth.format must be one of {', '.join(FORMATS)}, not {self.format!r}")
        if self.per_unit is not None and not 0 < self.per_unit < float("inf"):
            raise ValueError(f"depth.per_unit must be a positive number, not {self.per_unit}")


class WaitingDepth:
    """`add` every frame's depth, then `write`; `low`, `high`, `largest`: of all frames, for scales of colours."""

    def __init__(self, folder: Path, files: DepthFiles) -> None:
        self.folder = folder
        self.files = files
        self._names: list[str] = []
        self._ranges: list[tuple[float, float, float]] = []  # of one frame: 2 %, 98 %, largest

    def add(self, name: str, depth: Tensor, known: Tensor) -> None:
        """depth [h, w] at the network's size; known [h, w] bool."""
        make_folder(self.folder)
        np.save(self.folder / f"{name}.npy", torch.where(known, depth, 0).numpy(), allow_pickle=False)
        self._names.append(name)
        self._ranges.append(_range(depth[known]))

    def load(self, name: str) -> NDArray[np.float32]:
        """[h, w] at the network's size, 0 where nothing is known."""
        return np.load(self.folder / f"{name}.npy", allow_pickle=False)

    @property
    def median_range(self) -> tuple[float, float]:
        """2 % and 98 % of a typical frame's depth."""
        low, high, _ = np.median(self._ranges, axis=0)
        return float(low), float(high)

    def colours(self, depth: NDArray[np.float32]) -> NDArray[np.uint8]:
        """[H, W, 3]: one scale for all frames, near is bright."""
        return depth_colours(depth, min(low for low, _, _ in self._ranges), max(high for _, high, _ in self._ranges))

    def write(self, folder: Path, framing: Framing, *, frame_rate: float) -> float:
        """depth/NAME.png, depth.npz and depth.mp4; returns the 16-bit values per unit of depth."""
        deep = [min(largest, _DEEP * high) for _, high, largest in self._ranges]
        per_unit = self.files.per_unit or LARGEST / max(deep)
        with ExitStack() as opened:
            video = opened.enter_context(open_video_writer(folder / "depth.mp4", frame_rate=frame_rate))
            arrays = None
            if self.files.format in ("npz", "both"):
                arrays = opened.enter_context(write_arrays(folder / "depth.npz"))
            for name, depth in self._sized(framing):
                video.add(self.colours(depth))
                if arrays is not None:
                    arrays.add(name, depth)
                if self.files.format in ("png", "both"):
                    write_depth_png(folder / "depth" / f"{name}.png", depth, per_unit=per_unit)
        return per_unit

    def _sized(self, framing: Framing) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """(name, depth [H, W]) of every frame, at the size that was asked for."""
        for name in self._names:
            depth = self.load(name)
            yield name, at_native_size(torch.from_numpy(depth), framing).numpy() if self.files.native else depth


def at_native_size(depth: Tensor, framing: Framing) -> Tensor:
    """[h, w] -> [H, W]: bilinear between known depths; 0 where a pixel's nearest one is not known."""
    known = (depth > 0).float()
    smooth = framing.undo_values(depth) / framing.undo_values(known).clamp_min(1e-6)
    return torch.where(framing.undo_labels(known) > 0, smooth, 0)


def _range(depth: Tensor) -> tuple[float, float, float]:
    """2 %, 98 % and the largest of the known depths [P]; ones if there are none."""
    if not len(depth):
        return 1.0, 1.0, 1.0
    ranked = depth.sort().values
    return float(ranked[int(0.02 * len(ranked))]), float(ranked[int(0.98 * len(ranked))]), float(ranked[-1])
