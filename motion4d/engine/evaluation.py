"""Evaluation: what decides how sequences are predicted and scored, apart from the model and its windows."""

from __future__ import annotations

from dataclasses import dataclass

from motion4d.metrics.protocols import PROTOCOLS, Protocol


@dataclass(frozen=True)
class Evaluation:
    """interleave: of published data sets, the number of groups of every so many-th frame that windows are cut from
    (GeoMotion, published: 4); short clips in memory are taken as they are.

    labelled_only: of sequences that are labelled sparsely (FBMS-59) the model sees the labelled frames alone, as they
    come, without interleaving (GeoMotion, published); otherwise it sees every frame. protocol: name of the one to score
    published data sets by (motion4d.metrics.protocols), None: each data set's own.
    """

    interleave: int = 1
    labelled_only: bool = False
    protocol: str | None = None

    def __post_init__(self) -> None:
        if self.interleave < 1:
            raise ValueError(f"evaluation.interleave is a number of groups, at least 1, not {self.interleave}")
        if self.protocol is not None:
            protocol_named(self.protocol)

    def protocol_of(self, default: str) -> Protocol:
        """The protocol for a data set whose own is `default`."""
        return protocol_named(self.protocol or default)


def protocol_named(name: str) -> Protocol:
    """The protocol of this name; a ValueError lists those that there are."""
    known = {protocol.name: protocol for protocol in PROTOCOLS}
    if name not in known:
        raise ValueError(f"there is no protocol {name}; there are {', '.join(sorted(known))}")
    return known[name]
