"""What an evaluation scores of a model, and how sequences are predicted for it: here, motion masks.

Cameras and depth: motion4d.engine.geometry_evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from motion4d.engine.benchmark import BenchmarkGroup
from motion4d.engine.clip_group import ClipGroup
from motion4d.engine.inference import Inference
from motion4d.engine.pictures import Picture
from motion4d.engine.report import Report
from motion4d.engine.scoring import MASK_FIGURES, Figures
from motion4d.metrics.protocols import PROTOCOLS
from motion4d.metrics.protocols import Protocol as MaskProtocol


class Group(Protocol):
    """A data set with the models that are run on it."""

    def __len__(self) -> int:
        """Number of sequences."""
        ...

    def run(self, index: int, report: Report) -> None:
        """Run every model on one sequence; what fails is noted in the report."""
        ...

    def finish(self, report: Report) -> None:
        """Add to the report what needs all sequences; on one rank, after all of them."""
        ...

    def picture(self, index: int) -> Picture:
        """What the models say of one sequence, beside the truth."""
        ...


class Scoring(Protocol):
    """What Evaluate needs of an evaluation."""

    @property
    def figures(self) -> Figures:
        """What the rows of its groups hold."""
        ...

    def groups(self, data: Mapping[str, Any], inference: Inference, folder: Path, *, save_all: bool) -> list[Group]:
        """A group for each data set of `data`, by the name for tables ("": each clip's own).

        folder: of the run; save_all: predictions of clips that lie in memory are written, too.
        """
        ...


@dataclass(frozen=True)
class Evaluation:
    """Motion masks.

    interleave: of published data sets, the number of groups of every so many-th frame that windows are cut from
    (GeoMotion, published: 4); short clips in memory are taken as they are.
    labelled_only: of sequences that are labelled sparsely (FBMS-59) the model sees the labelled frames alone, as they
    come, without interleaving (GeoMotion, published); otherwise it sees every frame. protocol: name of the one to score
    published data sets by (motion4d.metrics.protocols), None: each data set's own.
    """

    interleave: int = 1
    labelled_only: bool = False
    protocol: str | None = None

    @property
    def figures(self) -> Figures:
        """See Scoring."""
        return MASK_FIGURES

    def __post_init__(self) -> None:
        if self.interleave < 1:
            raise ValueError(f"evaluation.interleave is a number of groups, at least 1, not {self.interleave}")
        if self.protocol is not None:
            protocol_named(self.protocol)

    def groups(self, data: Mapping[str, Any], inference: Inference, folder: Path, *, save_all: bool) -> list[Group]:
        """See Scoring; masks of clips in memory go to FOLDER/masks."""
        for name, model in inference.models.items():
            if hasattr(model, "geometry"):
                raise ValueError(f"the model {name} says cameras and depth, not motion: choose evaluation=geometry")
        dealt = replace(inference, window=replace(inference.window, interleave=self.interleave))
        masks = folder / "masks" if save_all else None
        return [
            BenchmarkGroup(
                one,
                protocol_named(self.protocol or one.protocol),
                dealt,
                folder / "predictions",
                labelled_only=self.labelled_only,
            )
            if hasattr(one, "protocol")
            else ClipGroup(name, one, inference, masks=masks)
            for name, one in data.items()
        ]


def protocol_named(name: str) -> MaskProtocol:
    """The protocol of this name; a ValueError lists those that there are."""
    known = {protocol.name: protocol for protocol in PROTOCOLS}
    if name not in known:
        raise ValueError(f"there is no protocol {name}; there are {', '.join(sorted(known))}")
    return known[name]
