"""Refinement over whole videos: a refiner sees windows, so that memory does not grow with length.

Neighbouring windows share frames: what the second one says of them is not used, they are there for the frames after
them. Refinement is part of our own model's result; it changes masks, never probabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from motion4d.engine.errors import explained_memory
from motion4d.engine.results import FrameResult
from motion4d.engine.runtime import Runtime
from motion4d.engine.segment import describe_part, place_model
from motion4d.refine.base import Refiner

_Item = TypeVar("_Item")


def prepare_refiner(refiner: Refiner | None, runtime: Runtime) -> None:
    """Read the refiner's weights and bring it to the runtime's device; None needs nothing."""
    if refiner is not None:
        refiner.load()
        place_model(refiner, runtime)


def describe_refiner(refiner: Any) -> dict[str, Any] | None:
    """What tells one refinement from another in a summary; None if there is none."""
    if refiner is None:
        return None
    parts = refiner.named_children() if isinstance(refiner, torch.nn.Module) else ()
    return {**describe_part(refiner), **{name: describe_part(part) for name, part in parts}}


def refine_results(
    results: Iterable[FrameResult], refiner: Refiner, *, runtime: Runtime, threshold: float
) -> Iterator[FrameResult]:
    """Yield every frame's result in order with a refined mask. threshold: of the masks that came in."""
    with explained_memory(_memory_advice(refiner)):
        for window, known in windows(results, refiner.window, refiner.overlap):
            images = torch.from_numpy(np.stack([result.image for result in window])).permute(0, 3, 1, 2)
            probabilities = torch.from_numpy(np.stack([result.probabilities for result in window]))
            with runtime.autocast():
                masks = refiner(images, probabilities, threshold=threshold).cpu().numpy()
            for result, mask in zip(window[known:], masks[known:], strict=True):
                yield replace(result, mask=mask)


def refine_clip(
    images: Tensor, probabilities: Tensor, refiner: Refiner, *, runtime: Runtime, threshold: float
) -> Tensor:
    """Masks [N, H, W] bool of a clip that lies in memory: images [N, 3, H, W], probabilities [N, H, W]."""
    refined = []
    for window, known in windows(range(len(images)), refiner.window, refiner.overlap):
        frames = slice(window[0], window[-1] + 1)
        with runtime.autocast():
            refined.append(refiner(images[frames], probabilities[frames], threshold=threshold)[known:])
    return torch.cat(refined)


def windows(items: Iterable[_Item], length: int, overlap: int) -> Iterator[tuple[list[_Item], int]]:
    """Cut a stream into lists of up to `length` items, each with how many of its first ones the list before had."""
    stream = iter(items)
    window: list[_Item] = []
    while fresh := list(islice(stream, length - len(window))):
        known = len(window)
        window += fresh
        yield window, known
        window = window[-overlap:] if overlap else []


def _memory_advice(refiner: Refiner) -> str:
    fewer = max(2, refiner.window // 2)
    return (
        f"not enough memory to refine {refiner.window} frames at a time; "
        f"try refine.window={fewer} refine.overlap={min(refiner.overlap, fewer // 4)}"
    )
