"""Numbers that papers and their repositories report, to stand beside ours. Only what was seen is here.

confirmed: read in a repository of the authors or of somebody who measured. secondary: read on a page about the paper,
not in the paper's own table. Values are shares (0.847, not 84.7). Protocol None: it was not stated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One system on one dataset; metrics: column of our tables -> value; source: where the number was read."""

    system: str
    dataset: str
    metrics: Mapping[str, float]
    source: str
    protocol: str | None = None
    confirmed: bool = False

    @property
    def label(self) -> str:
        """How sure the number is, and where it comes from."""
        return f"{'confirmed' if self.confirmed else 'secondary'}: {self.source}"


_SEMI = "davis2017_semi"
_UOVOS = "README of UOVOS"
_TOOLKIT = "tests of the DAVIS 2017 toolkit"
_PAGES = "pages about the paper"


def _j(system: str, value: float, source: str, protocol: str | None = "davis2016") -> Published:
    return Published(system, "davis2016", {"J": value}, source, protocol, confirmed=True)


def _secondary(system: str, dataset: str, metric: str, value: float, protocol: str | None = None) -> Published:
    return Published(system, dataset, {metric: value}, _PAGES, protocol)


def _semi(system: str, j: tuple[float, float, float], f: tuple[float, float, float]) -> Published:
    names = ("J", "J recall", "J decay", "F", "F recall", "F decay")
    scores = {"J&F": (j[0] + f[0]) / 2, **dict(zip(names, (*j, *f), strict=True))}
    return Published(system, "davis2017", scores, _TOOLKIT, _SEMI, confirmed=True)


PUBLISHED = (
    Published(
        "UOVOS",
        "davis2016",
        {"J": 0.778, "J recall": 0.936, "J decay": 0.021, "F": 0.720, "F recall": 0.877, "F decay": 0.038},
        _UOVOS,
        "davis2016",
        confirmed=True,
    ),
    _j("ARP", 0.763, _UOVOS),
    _j("FSEG", 0.716, _UOVOS),
    _j("LMP", 0.697, _UOVOS),
    _j("NLC", 0.641, _UOVOS),
    _j("Motion grouping (its paper)", 0.683, "issue 9 of its repository", None),
    _j("Motion grouping (run again with the official tool)", 0.628, "issue 9 of its repository"),
    _semi("OSVOS", (0.566, 0.638, 0.261), (0.639, 0.738, 0.270)),
    _semi("OnAVOS", (0.616, 0.674, 0.279), (0.691, 0.754, 0.266)),
    _semi("PReMVOS", (0.739, 0.831, 0.162), (0.818, 0.889, 0.195)),
    _secondary("GeoMotion", "davis2016", "J&F", 0.847, "geomotion"),
    _secondary("GeoMotion", "davis2016_moving", "J&F", 0.839, "geomotion"),
    _secondary("GeoMotion", "davis2017", "J&F", 0.814, "geomotion"),
    _secondary("OCLR with test-time adaptation", "davis2016", "J", 0.809),
    _secondary("GMOS", "davis2016", "J", 0.901),
    _secondary("GMOS", "davis2016_moving", "J", 0.900),
    _secondary("GMOS", "davis2017_moving", "J", 0.907),
    _secondary("GMOS", "segtrackv2", "J", 0.820),
)


def published_on(dataset: str, protocols: Collection[str]) -> list[Published]:
    """What is known of a dataset, whatever way its name is written (davis2016-moving, DAVIS2016_moving).

    Systems that are given the first frame's masks solve another task: they stand only beside rows of their protocol.
    """
    name = dataset.lower().replace("-", "_")
    known = [one for one in PUBLISHED if one.dataset == name]
    return [one for one in known if one.protocol != _SEMI or _SEMI in protocols]
