"""The start of an alignment as its end: the surest pairs, chained along a maximum spanning tree."""

from __future__ import annotations

import torch

from motion4d.reconstruct.observations import Aligned, Known, Observations
from motion4d.reconstruct.spanning_tree import initial_state, place_frames


class TreeAlignment:
    """Config `alignment=tree`: an aligner that optimises nothing (motion4d.reconstruct.spanning_tree).

    min_confidence: points that are less sure say nothing about cameras; shared_focal: one focal length for all frames.
    """

    needs_flow = False

    def __init__(self, *, min_confidence: float = 3.0, shared_focal: bool = True) -> None:
        self.min_confidence = min_confidence
        self.shared_focal = shared_focal

    @torch.no_grad()
    def __call__(self, seen: Observations, known: Known | None = None) -> Aligned:
        """See motion4d.reconstruct.observations; a ValueError if cameras are known, which only an optimisation uses."""
        if known is not None and bool(known.frames.any()):
            raise ValueError("alignment=tree takes no known cameras; choose another alignment")
        placed = place_frames(
            seen.maps,
            seen.pairs,
            seen.frames,
            principal_point=seen.principal_point,
            min_confidence=self.min_confidence,
        )
        state = initial_state(placed, seen.maps, seen.pairs, shared_focal=self.shared_focal)
        depth = state.depth.view_as(placed.confidence)
        return Aligned(state.camera_to_world, state.focal, depth, placed.confidence, {})
