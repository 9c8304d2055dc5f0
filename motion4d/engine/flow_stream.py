"""The flow of one source of frames, pair by pair: a few frames are in memory at a time, however long the video is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.clip import Clip, Flow, Source
from motion4d.engine.errors import explained_memory
from motion4d.engine.runtime import Runtime
from motion4d.engine.segment import place_model
from motion4d.flow.base import FlowEstimator
from motion4d.flow.consistency import both_consistent
from motion4d.io.frames import FrameSource, frame_names

PIXELS_AT_ONCE = 2**23  # of all frames together: 4 frames of 1080p, 82 of 240x424
_LEAST_SIDE = 128  # pixels: what every estimator accepts


@dataclass(frozen=True)
class FlowPair:
    """Flow between two neighbouring frames, [H, W, 2] float32 in pixels, each on the grid of the frame it starts from.

    first, second: names of the frames. consistent_share: of the first frame's pixels, how many the round trip finds
    again (motion4d.flow.consistency). backward and consistent_share are None if the estimator gives no backward flow.
    """

    first: str
    second: str
    forward: NDArray[np.float32]
    backward: NDArray[np.float32] | None
    consistent_share: float | None


def flow_stream(
    estimator: FlowEstimator,
    source: FrameSource,
    *,
    dataset: str = "unknown",
    runtime: Runtime | None = None,
    start: int = 0,
    pixels_at_once: int = PIXELS_AT_ONCE,
) -> Iterator[FlowPair]:
    """Yield the flow of every pair of neighbouring frames, in order.

    dataset: what the clips say they come from. start: the first frame that is looked at. pixels_at_once: how many
    pixels of frames the estimator is given at a time; at least two frames are. A single frame is a ValueError.
    """
    runtime = runtime or Runtime()
    height, width = source.size
    length = max(2, pixels_at_once // (height * width))
    advice = f"not enough memory for the flow of {length} frames of {source.name} ({height}x{width}); " + (
        f"try pixels_at_once={pixels_at_once // 2}" if length > 2 else "make the video smaller, or choose another flow"
    )
    with explained_memory(advice):
        for names, frames in _chunks(source, start, length):
            origin = Source(dataset, sequence=source.name, frames=names, frame_rate=source.frame_rate)
            images = torch.stack(frames).to(runtime.torch_device).float()[None] / 255
            with torch.no_grad(), runtime.autocast():
                flow = estimator(Clip(images, sources=(origin,)))
            yield from _pairs(flow, names)


def prepare_estimator(estimator: Any, runtime: Runtime) -> None:
    """Bring a flow network to its device and make it read its weights, so that missing ones stop nothing half-way."""
    place_model(estimator, runtime)
    blank = torch.zeros(1, 1, 3, _LEAST_SIDE, _LEAST_SIDE, device=runtime.torch_device)
    estimator(Clip(blank, sources=(Source(frames=("00000",)),)))  # one frame: weights are read, nothing is computed


def _chunks(source: FrameSource, start: int, length: int) -> Iterator[tuple[tuple[str, ...], list[Tensor]]]:
    """Names and frames from `start` on in runs of at most `length`; each begins with the last frame of the other."""
    names: list[str] = []
    frames: list[Tensor] = []
    count = 0
    for name, frame in itertools.islice(zip(frame_names(source), source, strict=False), start, None):
        if len(frames) == length:
            yield tuple(names), frames
            names, frames = names[-1:], frames[-1:]
        names.append(name)
        frames.append(frame)
        count += 1
    if count < 2:
        raise ValueError(f"{source.name} has {count} frames, but flow needs at least two")
    yield tuple(names), frames


def _pairs(flow: Flow, names: tuple[str, ...]) -> Iterator[FlowPair]:
    """The pairs of one chunk, B = 1."""
    shares: list[float | None] = [None] * (len(names) - 1)
    if flow.backward is not None:
        shares = both_consistent(flow)[0].float().mean((0, 2, 3)).tolist()
    for k, (first, second) in enumerate(itertools.pairwise(names)):
        backward = None if flow.backward is None else _as_array(flow.backward[0, k])
        yield FlowPair(first, second, _as_array(flow.forward[0, k]), backward, shares[k])


def _as_array(field: Tensor) -> NDArray[np.float32]:
    """[2, H, W] -> [H, W, 2]."""
    return np.ascontiguousarray(field.permute(1, 2, 0).float().cpu().numpy())
