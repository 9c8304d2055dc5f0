"""Clips kept on disk after the first time they were made: for scenes that take longer to render than to learn from.

Kept are images (8 bit), motion masks and sources; a training that shows every clip in many views needs no more. Files
are written whole and renamed, so several workers, and a killed run, never leave half of one.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from motion4d.clip import Clip, Source
from motion4d.data.sampling import Clips
from motion4d.io.files import atomic_path


class Recordable(Clips, Protocol):
    """A dataset that can say what its clips depend on."""

    @property
    def identity(self) -> str:
        """Text that differs whenever the clips do."""
        ...


class Recorded:
    """The clips of another dataset, each made once and then read from `folder`/IDENTITY/INDEX.npz."""

    def __init__(self, clips: Recordable, folder: str | Path) -> None:
        self.clips = clips
        self.folder = Path(folder) / hashlib.sha256(clips.identity.encode()).hexdigest()[:16]

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int) -> Clip:
        """One clip, with images, motion and sources."""
        path = self.folder / f"{index:06d}.npz"
        if not path.is_file():
            self._record(path, index)
        with np.load(path, allow_pickle=False) as entries:
            images = torch.from_numpy(entries["images"]).float() / 255
            motion = torch.from_numpy(entries["motion"])
            dataset, sequence, *frames = entries["source"].tolist()
        return Clip(images, motion=motion, sources=(Source(dataset, sequence, tuple(frames)),))

    def _record(self, path: Path, index: int) -> None:
        clip = self.clips[index]
        if clip.motion is None:
            raise ValueError(f"clip {index} has no motion mask to record")
        source = clip.sources[0]
        with atomic_path(path) as temporary:
            np.savez(
                temporary,
                images=(clip.images * 255).round().to(torch.uint8).numpy(),
                motion=clip.motion.numpy(),
                source=np.array([source.dataset, source.sequence, *source.frames]),
            )
