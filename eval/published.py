"""Numbers that papers and their repositories report, to stand beside ours. Only what was seen is here.

confirmed: read in the paper, or in a repository of the authors or of somebody who measured. secondary: read on a page
about the paper, not in the paper's own table. Values are shares (0.847, not 84.7). Protocol None: it was not stated.
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
_CUT3R = "others, by the protocol of CUT3R"
_AGAIN = "MonST3R (run again by others; depth: one scale per sequence)"


def _j(system: str, value: float, source: str, protocol: str | None = "davis2016") -> Published:
    return Published(system, "davis2016", {"J": value}, source, protocol, confirmed=True)


def _secondary(system: str, dataset: str, metric: str, value: float, protocol: str | None = None) -> Published:
    return Published(system, dataset, {metric: value}, _PAGES, protocol)


def _semi(system: str, j: tuple[float, float, float], f: tuple[float, float, float]) -> Published:
    names = ("J", "J recall", "J decay", "F", "F recall", "F decay")
    scores = {"J&F": (j[0] + f[0]) / 2, **dict(zip(names, (*j, *f), strict=True))}
    return Published(system, "davis2017", scores, _TOOLKIT, _SEMI, confirmed=True)


def _poses(
    system: str, dataset: str, values: tuple[float, float, float], source: str, protocol: str | None, confirmed: bool
) -> Published:
    metrics = dict(zip(("ATE", "RPE trans", "RPE rot"), values, strict=True))
    return Published(system, dataset, metrics, source, protocol, confirmed)


def _depth(dataset: str, abs_rel: float, source: str, protocol: str) -> Published:
    return Published("MonST3R", dataset, {"AbsRel": abs_rel}, source, protocol, confirmed=True)


def _depth_mono(dataset: str, abs_rel: float, delta1: float, protocol: str) -> Published:
    return Published("MonST3R", dataset, {"AbsRel": abs_rel, "delta1": delta1}, "a table of others", protocol)


def _depth_again(dataset: str, abs_rel: float, delta1: float) -> Published:
    return Published(_AGAIN, dataset, {"AbsRel": abs_rel, "delta1": delta1}, _CUT3R, confirmed=True)


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
    _poses("MonST3R", "sintel", (0.108, 0.042, 0.732), "its paper", "sintel", confirmed=True),
    _poses("MonST3R", "tum_dynamics", (0.072, 0.018, 0.845), "issue 42 of its repository", "tum", confirmed=True),
    _poses("DUSt3R", "tum_dynamics", (0.127, 0.062, 3.099), "issue 42 of MonST3R's repository", "tum", confirmed=True),
    _poses("MonST3R", "scannet", (0.068, 0.017, 0.545), _PAGES, "scannet", confirmed=False),
    _poses(_AGAIN, "sintel", (0.111, 0.044, 0.869), _CUT3R, None, confirmed=True),
    _poses(_AGAIN, "tum_dynamics", (0.098, 0.019, 0.935), _CUT3R, None, confirmed=False),
    _poses(_AGAIN, "scannet", (0.077, 0.018, 0.529), _CUT3R, None, confirmed=False),
    _depth("sintel_depth", 0.335, "its paper", "sintel_monst3r"),
    _depth("bonn", 0.063, "its paper", "bonn_monst3r"),
    _depth("kitti_depth", 0.104, "its paper", "kitti_monst3r"),
    _depth_mono("sintel_depth", 0.358, 0.548, "sintel_mono"),
    _depth_mono("bonn", 0.076, 0.939, "bonn_mono"),
    _depth_mono("kitti_depth", 0.100, 0.893, "kitti_mono"),
    _depth_mono("nyu_depth", 0.102, 0.880, "nyu"),
    _depth_again("sintel_depth", 0.378, 0.558),
    _depth_again("bonn", 0.067, 0.963),
    _depth_again("kitti_depth", 0.168, 0.744),
)


def published_on(dataset: str, protocols: Collection[str]) -> list[Published]:
    """What is known of a dataset, whatever way its name is written (davis2016-moving, DAVIS2016_moving).

    Systems that are given the first frame's masks solve another task: they stand only beside rows of their protocol.
    """
    name = dataset.lower().replace("-", "_")
    known = [one for one in PUBLISHED if one.dataset == name]
    return [one for one in known if one.protocol != _SEMI or _SEMI in protocols]
