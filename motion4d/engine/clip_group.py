"""Sequences that lie in memory as clips (procedural scenes), scored one after the other (motion4d.engine.scoring)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from motion4d.clip import Clip, Source
from motion4d.data.sampling import Clips
from motion4d.engine.inference import OURS, Inference
from motion4d.engine.pictures import Picture, masks_picture
from motion4d.engine.report import Report
from motion4d.engine.scoring import score_sequence
from motion4d.io.masks import write_mask

_log = logging.getLogger(__name__)


class ClipGroup:
    """name: of the group, "" to take each clip's own data set; masks: a folder for our model's masks, or None."""

    def __init__(self, name: str, clips: Clips, inference: Inference, *, masks: Path | None = None) -> None:
        self.name = name
        self.clips = clips
        self.inference = inference
        self.masks = masks

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.clips)

    def run(self, index: int, report: Report) -> None:
        """Score every model on one sequence; what fails is noted in the report."""
        name = f"{self.name}/{index}"
        try:
            clip = self.clips[index]
            source = self._source(clip, index)
            name = f"{source.dataset}/{source.sequence}"
            rows = [self._row(model, clip, source) for model in self.inference.models]
        except (ValueError, OSError, RuntimeError) as error:
            _log.warning("%s failed: %s", name, error)
            _log.debug("traceback", exc_info=True)
            report.failed[name] = f"{type(error).__name__}: {error}"
            return
        report.rows.extend(rows)

    def finish(self, report: Report) -> None:
        """Nothing is left to do: the means follow from the rows."""

    def picture(self, index: int) -> Picture:
        """A sequence with the masks of every model."""
        clip = self.clips[index]
        masks = {name: self.inference.segment(name, clip) for name in self.inference.models}
        return masks_picture(self._source(clip, index), clip, masks)

    def _row(self, model: str, clip: Clip, source: Source) -> dict[str, Any]:
        if clip.motion is None:
            raise ValueError("the sequence has no motion masks to compare with")
        masks = self.inference.segment(model, clip).numpy()
        if self.masks is not None and model == OURS:
            stems = source.frames or tuple(f"{k:05d}" for k in range(len(masks)))
            for stem, mask in zip(stems, masks, strict=True):
                write_mask(self.masks / source.dataset / source.sequence / f"{stem}.png", mask)
        valid = None if clip.valid is None else clip.valid[0].numpy()
        scores = score_sequence(masks, clip.motion[0].numpy(), valid)
        return {"model": model, "group": source.dataset, "sequence": source.sequence, **scores}

    def _source(self, clip: Clip, index: int) -> Source:
        """Where the clip came from, under the group's name if it has one."""
        source = clip.sources[0] if clip.sources else Source(sequence=f"{index:04d}")
        return Source(self.name or source.dataset, source.sequence, source.frames, source.frame_rate)
