"""Clips kept on disk after the first time they were made: for scenes that take longer to render than to learn from.

Kept are images (8 bit), motion masks, sources, and what was asked for of an estimator's flow and of the true geometry
(flow and depth in half precision); a training that shows every clip in many views needs no more. Files are written
whole and renamed, so several workers, and a killed run, never leave half of one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from motion4d.clip import Clip, Flow, Source
from motion4d.data.sampling import Clips
from motion4d.io.files import atomic_path

_GEOMETRY = ("depth", "camera_to_world", "intrinsics")


class Recordable(Clips, Protocol):
    """A dataset that can say what its clips depend on."""

    @property
    def identity(self) -> str:
        """Text that differs whenever the clips do."""
        ...


class Recorded:
    """The clips of another dataset, each made once and then read from `folder`/IDENTITY/INDEX.npz.

    flow: estimates the flow that is kept with each clip; what it says must follow from its attributes alone.
    geometry: depth and cameras are kept too.
    """

    def __init__(
        self,
        clips: Recordable,
        folder: str | Path,
        *,
        flow: Callable[[Clip], Flow] | None = None,
        geometry: bool = False,
    ) -> None:
        self.clips = clips
        self.flow = flow
        self.geometry = geometry
        identity = clips.identity if flow is None else f"{clips.identity} {type(flow).__name__} {vars(flow)}"
        identity += " geometry" if geometry else ""
        self.folder = Path(folder) / hashlib.sha256(identity.encode()).hexdigest()[:16]

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int) -> Clip:
        """One clip, with images, motion, sources, and what else was kept."""
        path = self.folder / f"{index:06d}.npz"
        if not path.is_file():
            self._record(path, index)
        with np.load(path, allow_pickle=False) as entries:
            images = torch.from_numpy(entries["images"]).float() / 255
            motion = torch.from_numpy(entries["motion"])
            dataset, sequence, *frames = entries["source"].tolist()
            flow = None
            if self.flow is not None:
                flow = Flow(*(torch.from_numpy(entries[name]).float() for name in ("forward", "backward")))
            geometry: dict[str, Any] = {
                name: torch.from_numpy(entries[name]).float() for name in _GEOMETRY if self.geometry
            }
        source = Source(dataset, sequence, tuple(frames))
        return Clip(images, motion=motion, estimated_flow=flow, sources=(source,), **geometry)

    def _record(self, path: Path, index: int) -> None:
        clip = self.clips[index]
        if clip.motion is None:
            raise ValueError(f"clip {index} has no motion mask to record")
        source = clip.sources[0]
        entries: dict[str, Any] = {
            "images": (clip.images * 255).round().to(torch.uint8).numpy(),
            "motion": clip.motion.numpy(),
            "source": np.array([source.dataset, source.sequence, *source.frames]),
        }
        if self.flow is not None:
            flow = self.flow(clip)
            if flow.backward is None:
                raise ValueError(f"{type(self.flow).__name__} gives no backward flow, which recordings keep too")
            entries |= {"forward": flow.forward.half().numpy(), "backward": flow.backward.half().numpy()}
        for name in _GEOMETRY if self.geometry else ():
            value = getattr(clip, name)
            if value is None:
                raise ValueError(f"clip {index} has no {name} to record")
            entries[name] = (value.half() if name == "depth" else value).numpy()
        with atomic_path(path) as temporary:
            np.savez(temporary, **entries)
