"""Motion masks of sequences that lie in memory as clips, scored one after the other (motion4d.engine.scoring)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motion4d.clip import Clip, Source
from motion4d.data.sampling import Clips
from motion4d.engine.inference import OURS, Inference
from motion4d.engine.memory_group import MemoryGroup, stems_of
from motion4d.engine.pictures import Picture, masks_picture
from motion4d.engine.scoring import score_sequence
from motion4d.io.masks import write_mask


class ClipGroup(MemoryGroup):
    """masks: a folder for our model's masks, or None."""

    def __init__(self, name: str, clips: Clips, inference: Inference, *, masks: Path | None = None) -> None:
        super().__init__(name, clips, inference.models)
        self.inference = inference
        self.masks = masks

    def picture(self, index: int) -> Picture:
        """A sequence with the masks of every model."""
        clip = self.clips[index]
        masks = {name: self.inference.segment(name, clip) for name in self.models}
        return masks_picture(self.source(clip, index), clip, masks)

    def scores(self, model: str, clip: Clip, source: Source) -> dict[str, Any]:
        """See MemoryGroup."""
        if clip.motion is None:
            raise ValueError("the sequence has no motion masks to compare with")
        masks = self.inference.segment(model, clip).numpy()
        if self.masks is not None and model == OURS:
            for stem, mask in zip(stems_of(source, len(masks)), masks, strict=True):
                write_mask(self.masks / source.dataset / source.sequence / f"{stem}.png", mask)
        valid = None if clip.valid is None else clip.valid[0].numpy()
        return score_sequence(masks, clip.motion[0].numpy(), valid)
