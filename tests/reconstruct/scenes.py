"""Pairs of the synthetic scene beside the MonST3R cases, as an aligner gets them."""

from __future__ import annotations

from typing import Any

import torch

from motion4d.backbones.pairs import PairPointmaps
from motion4d.reconstruct.objective import Objective
from motion4d.reconstruct.pairs import Pairs, sliding
from tests.reference.manifest import HOME
from tests.reference.procedures.monst3r_alignment import flow_of, maps_of, middle, scene_module


def scene(frames: int = 6, height: int = 24, width: int = 32, **changes: Any) -> Any:
    """A room, a moving camera, a ball."""
    return scene_module(str(HOME / "monst3r" / "scene.py")).Scene(frames, height, width, **changes)


def pointmaps(of: Any, *, noise: float = 0.01, seed: int = 0) -> tuple[PairPointmaps, Pairs]:
    """What a pair network would say of MonST3R's pair graph."""
    pairs = sliding(of.n)
    return pointmaps_of(of, pairs, noise=noise, seed=seed), pairs


def pointmaps_of(of: Any, pairs: Pairs, *, noise: float = 0.01, seed: int = 0) -> PairPointmaps:
    """What a pair network would say of these pairs."""
    return maps_of(of, pairs, {"noise": noise, "scale_spread": 0.3, "seed": seed})


def objective(of: Any, maps: PairPointmaps, pairs: Pairs, *, sigma: float = 0.2, **changes: Any) -> Objective:
    """MonST3R's objective with noisy flow and true masks."""
    flow = flow_of(of, pairs, {"sigma": sigma, "seed": 0})
    settings = {"flow": flow, "flow_pairs": pairs, "moving": torch.from_numpy(of.ball)} | changes
    return Objective(maps, pairs, principal_point=middle(of), **settings)
