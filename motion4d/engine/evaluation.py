"""Evaluation: what decides how a published data set is predicted and scored, apart from model and windows."""

from __future__ import annotations

from dataclasses import dataclass

from motion4d.metrics.protocols import PROTOCOLS, Protocol


@dataclass(frozen=True)
class Evaluation:
    """protocol: name of the one to score by, None: each data set's own.

    labelled_only: of sequences that are labelled sparsely (FBMS-59) the model sees the labelled frames alone, as they
    come, without interleaving (GeoMotion's published evaluation); otherwise it sees every frame.
    """

    protocol: str | None = None
    labelled_only: bool = False

    def __post_init__(self) -> None:
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
