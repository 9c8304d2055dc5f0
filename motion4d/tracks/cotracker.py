"""Tracks by CoTracker (Karaev et al., "CoTracker3", 2024), from the user's own checkout.

CoTracker's code and weights are for the most part CC BY-NC 4.0 (non-commercial), so nothing of them is part of this
project: the user clones the repository and downloads the weights, and names both. Only then is that code imported and
run, with all the rights of this process. Without a checkout there is motion4d.tracks.chained_flow.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motion4d.clip import Clip, Tracks
from motion4d.tracks.base import check_queries

VISIBLE = 0.9  # least probability of a point that shows; published predictors that give booleans use it too


class CoTracker:
    """A PointTracker on the offline predictor of a checkout.

    checkout: folder of the clone, with cotracker/predictor.py in it; its code is run. weights: its checkpoint, such as
    scaled_offline.pth. Both are looked at when the first clip comes. Points are tracked both ways from their query.
    """

    def __init__(self, checkout: str | Path, *, weights: str | Path) -> None:
        self.checkout = Path(checkout)
        self.weights = Path(weights)
        self._predictor: Any = None

    @torch.no_grad()
    def __call__(self, clip: Clip, queries: Tensor) -> Tracks:
        """See PointTracker."""
        check_queries(clip, queries)
        if self._predictor is None:
            self._predictor = _load_predictor(self.checkout, self.weights)
        predictor = self._predictor.to(clip.images.device)
        found = [_track(predictor, *one) for one in zip(255 * clip.images.float(), queries.float(), strict=True)]
        return Tracks(*(torch.stack(parts) for parts in zip(*found, strict=True)))


def _track(predictor: Any, images: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """One video [N, 3, H, W] in 0..255, queries [P, 3] -> positions [N, P, 2], visibility [N, P].

    Some versions of the predictor give a confidence as a third output, which nothing reads.
    """
    positions, visibility, *_ = predictor(images[None], queries=queries[None], backward_tracking=True)
    positions, visibility = positions[0].float(), visibility[0]
    visibility = visibility.clone() if visibility.dtype == torch.bool else visibility > VISIBLE
    frame, point = queries[:, 0].long(), torch.arange(len(queries), device=queries.device)
    positions[frame, point] = queries[:, 1:]
    visibility[frame, point] = True
    return positions, visibility


def _load_predictor(checkout: Path, weights: Path) -> Any:
    """The network of a checkout with its weights, in evaluation mode; runs the checkout's code."""
    if not (checkout / "cotracker" / "predictor.py").is_file():
        raise FileNotFoundError(
            f"there is no cotracker/predictor.py in {checkout}; give the folder of your own clone of CoTracker "
            "(non-commercial licence), or use ChainedFlow, which needs neither code nor weights"
        )
    if not weights.is_file():
        raise FileNotFoundError(
            f"there are no CoTracker weights {weights}; download scaled_offline.pth of CoTracker3 (non-commercial "
            "licence), or use ChainedFlow, which needs no weights"
        )
    sys.path.insert(0, str(checkout.resolve()))
    try:
        module = importlib.import_module("cotracker.predictor")
    finally:
        sys.path.remove(str(checkout.resolve()))
    if not Path(str(module.__file__)).resolve().is_relative_to(checkout.resolve()):
        raise ValueError(
            f"another CoTracker, {module.__file__}, is imported already, so the one in {checkout} cannot be"
        )
    return module.CoTrackerPredictor(checkpoint=str(weights)).eval()
