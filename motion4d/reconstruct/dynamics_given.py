"""Nobody looks for motion, or somebody has done it before: masks from files or from memory."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from motion4d.io.masks import read_mask
from motion4d.reconstruct.observations import Observations

_log = logging.getLogger(__name__)


class NoDynamics:
    """Config `dynamics=none`: every pixel is taken for static; right where nothing moves."""

    needs_flow = False
    needs_maps = False

    def __call__(self, seen: Observations, backbone: object, frames: object) -> Observations:
        """Unchanged: `moving` stays as it is, which is None unless somebody knew before."""
        return seen


class GivenMasks:
    """Config `dynamics=given`: ground truth or anybody's masks.

    folder, pattern: image files of the frames' native size, brighter than half = moving, named by {sequence} and
    {frame} (its stem). masks [N, H, W] bool: of the frames at the network's size, instead of files. most: a frame with
    a larger moving share counts as all static (MonST3R's rule), and a warning says so.
    """

    needs_flow = False
    needs_maps = False

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        pattern: str = "{sequence}/{frame}.png",
        masks: Tensor | None = None,
        most: float = 0.8,
    ) -> None:
        self.folder = None if folder is None else Path(folder)
        self.pattern = pattern
        self.masks = masks
        self.most = most

    def __call__(self, seen: Observations, backbone: object, frames: object) -> Observations:
        """The observations with the masks. OSError or ValueError: one is missing, or of another size."""
        size = tuple(seen.maps.confidence_first.shape[-2:])
        moving = self._read(seen) if self.masks is None else self.masks
        if tuple(moving.shape) != (seen.frames, *size):
            raise ValueError(f"the masks are {tuple(moving.shape)}, but the frames are {(seen.frames, *size)}")
        moving = moving.to(seen.principal_point.device, torch.bool)
        full = moving.float().mean((1, 2)) >= self.most
        if full.any():
            _log.warning(
                "%d of %d given masks cover %.0f %% or more of their frame: taken for static",
                int(full.sum()),
                len(full),
                100 * self.most,
            )
        return replace(seen, moving=moving & ~full[:, None, None])

    def _read(self, seen: Observations) -> Tensor:
        if self.folder is None:
            raise ValueError("dynamics=given needs masks: dynamics.folder=FOLDER says where their files are")
        source = seen.source
        if source is None or len(source.frames) != seen.frames:
            raise ValueError(f"the masks in {self.folder} are found by the frames' names, but these frames have none")
        masks = []
        for frame in source.frames:
            path = self.folder / self.pattern.format(sequence=source.sequence, frame=frame, dataset=source.dataset)
            if not path.is_file():
                raise FileNotFoundError(f"there is no mask {path} (dynamics.folder, dynamics.pattern)")
            mask = torch.from_numpy(read_mask(path))
            if source.framing is not None and tuple(mask.shape) != source.framing.native:
                raise ValueError(f"{path} is {tuple(mask.shape)}, but its frame is {source.framing.native}")
            masks.append(mask if source.framing is None else source.framing.labels(mask[None])[0])
        return torch.stack(masks)
