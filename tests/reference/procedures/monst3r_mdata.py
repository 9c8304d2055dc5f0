"""Procedures of the MonST3R cases about training data (reference/monst3r/cases.md says what each kind computes)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from motion4d.data.epoch_mix import EpochMix
from motion4d.data.pair_views import PairViews, fitted
from motion4d.data.pool_batches import PoolBatches
from motion4d.data.stride_choice import exponential, linear, uniform
from motion4d.data.view import View
from tests.reference.manifest import Case

Outputs = dict[str, Any]


def stride_distribution(case: Case) -> Outputs:
    """How likely each stride is."""
    kind, *ends = case.params["distribution"].split("_")
    line = partial(linear, **dict(zip(("first", "last"), map(float, ends), strict=False)))
    chosen = {"uniform": uniform, "exponential": exponential, "linear": line}[kind]
    return {"probabilities": chosen(case.params["strides"])}


def dataset_mix(case: Case) -> Outputs:
    """The value at every index; a set that is taken whole, each item k times, comes last."""
    sets, epoch = case.params["sets"], case.params["epoch"]
    drawn = {one["name"]: one for one in sets if "samples" in one}
    mix = EpochMix(
        {name: range(one["size"]) for name, one in drawn.items()},  # type: ignore[misc]
        {name: one["samples"] for name, one in drawn.items()},
    ).at_epoch(epoch)
    items = [mix[index] for index in range(len(mix))]
    whole = [value for one in sets if "repeat" in one for value in range(one["size"]) for _ in range(one["repeat"])]
    return {"length": len(items) + len(whole), "items": items + whole}


def sampler(case: Case) -> Outputs:
    """What one rank sees."""
    params = case.params
    batches = PoolBatches(params["batch_size"], [(1, 1)] * params["pool_size"])
    items = batches.items(
        params["length"], seed=0, epoch=params["epoch"], rank=params["rank"], ranks=params["world_size"]
    )
    return {"items": [list(item) for item in items]}


def crop_resize(case: Case) -> Outputs:
    """One frame; tall ones, and square ones as the generator says, are shown upright."""
    params, (height, width) = case.params, case.params["input_hw"]
    image = np.asarray(case.inputs["image"]).repeat(params["block"], 0).repeat(params["block"], 1)[:height, :width]
    matrix = np.asarray(case.inputs["K"], np.float64)
    draws, zoom_draws = np.random.default_rng(params["rng_seed"]), np.random.RandomState(params["global_rng_seed"])
    size = params["resolution"][::-1]
    column, row = matrix[:2, 2].round()
    tall = min(row, height - row) / min(column, width - column)
    if tall > 1.1 or (0.9 < tall < 1.1 and draws.integers(2)):
        size = size[::-1]
    views = PairViews(params["aug_focal"] or 1.0, params["aug_crop"])
    kept = 1.0 if views.zoom == 1 else views.zoom + (1 - views.zoom) * zoom_draws.beta(0.5, 0.5)
    more = int(draws.integers(views.shift)) if views.shift else 0
    shown = fitted(View(image, matrix, np.asarray(case.inputs["depth"], np.float32)), kept, more, tuple(size))
    return {"size": list(shown.size[::-1]), "image": shown.image, "depth": shown.depth, "K": shown.intrinsics}


PROCEDURES = {
    "stride_distribution": stride_distribution,
    "dataset_mix": dataset_mix,
    "sampler": sampler,
    "crop_resize": crop_resize,
}
