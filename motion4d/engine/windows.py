"""Long clips in overlapping windows: memory does not grow with length, and seams do not show.

Each window is one clip for the model, so flow and attention cross every border that lies inside an overlap. Where two
windows see the same frame their logits are averaged, each with a weight that falls linearly towards the window's own
ends. A last window that would begin without any overlap takes one earlier frame along as context, because motion needs
two frames. A stream of a single frame is static by decision: its logits are STATIC_LOGIT and the model is not called.

With `interleave` k, every k-th frame belongs to one group, and each group goes through windows of its own: motion
between neighbours is k times as large (GeoMotion's published evaluation: 4). The logits come back in temporal order.

A model is anything with `framing` (rule: (H, W) -> Framing) and `__call__(clip) -> Motion` on a framed clip.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from motion4d.clip import Clip, Flow, Motion, Source
from motion4d.framing import Framing
from motion4d.io.frames import part_of

STATIC_LOGIT = -20.0  # probability 2e-9: what is said where nothing can be known to move

Autocast = Callable[[], AbstractContextManager[object]]


class MotionModel(Protocol):
    """What the functions below need of a model."""

    framing: Callable[[int, int], Framing]

    def __call__(self, clip: Clip) -> Motion:
        """Logits of a framed clip, at its size."""
        ...


@dataclass(frozen=True)
class Window:
    """length: frames that the model sees at once; overlap: frames that neighbouring windows share.

    interleave: number of groups of every so many-th frame that the windows are cut from; 1: the frames as they come.
    """

    length: int = 32
    overlap: int = 8
    interleave: int = 1

    def __post_init__(self) -> None:
        if self.length < 2 or not 0 <= self.overlap < self.length:
            raise ValueError(
                f"a window needs a length of at least 2 and an overlap of 0 to length-1 frames, "
                f"not length={self.length} and overlap={self.overlap}"
            )

    @property
    def stride(self) -> int:
        """New frames per window."""
        return self.length - self.overlap

    def fitted(self, count: int | None) -> Window:
        """This window for a clip of `count` frames: not so many groups that one of them has a single frame."""
        return self if count is None else replace(self, interleave=max(1, min(self.interleave, count // 2)))

    def weights(self, count: int) -> list[float]:
        """Blending weights of a window of `count` frames: a ramp over the overlap at both ends."""
        return [min(k + 1, count - k, self.overlap + 1) / (self.overlap + 1) for k in range(count)]


def stream_logits(
    model: MotionModel,
    frames: Iterable[Tensor],
    window: Window,
    *,
    device: torch.device | str = "cpu",
    autocast: Autocast = nullcontext,
    source: Source | None = None,
) -> Iterator[tuple[Framing, Tensor]]:
    """Yield (framing, motion logits [h, w]) of every frame, in order, float32, at the network's size and on its device.

    frames: [3, H, W], uint8 or float in [0, 1], of one size. autocast: makes the context in which the model runs.
    source: where the frames come from; each window's clip carries it with its own frame stems, 00000, 00001, ... if
    the source knows none.
    What is held at a time does not depend on the number of frames: per group, one window of framed frames and logits.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        return
    framing = model.framing(first.shape[-2], first.shape[-1])
    framed = (_frame(frame.to(device), framing) for frame in itertools.chain([first], frames))
    source = None if source is None else replace(source, framing=framing)
    groups = []
    for number, group in enumerate(_deal(framed, window.interleave)):
        own = None if source is None else _thinned(source, number, window.interleave)
        groups.append(_blend(model, _stream_pieces(group, window, own), window, autocast))
    for group in itertools.cycle(groups):
        logits = next(group, None)
        if logits is None:  # groups end in the order in which frames were dealt
            return
        yield framing, logits[0]


def segment_clip(model: MotionModel, clip: Clip, window: Window, *, autocast: Autocast = nullcontext) -> Motion:
    """Motion logits [B, N, H, W] of a clip at its own size and on its device, in windows.

    An estimated flow that travels in the clip is framed with it, unless frames are interleaved; otherwise the model
    estimates its own.
    """
    framing = model.framing(*clip.size)
    framed = _frame_clip(clip, framing)
    step = window.fitted(clip.num_frames).interleave
    logits = framed.images.new_empty(len(framed.images), clip.num_frames, *framed.size)
    for number in range(step):
        pieces = _clip_pieces(framed if step == 1 else _every(framed, number, step), window)
        logits[:, number::step] = torch.stack(list(_blend(model, pieces, window, autocast)), dim=1)
    return Motion(framing.undo_values(logits))


@dataclass(frozen=True)
class _Piece:
    """One window. start: index of its first blended frame; context: leading frames whose logits are not used."""

    clip: Clip
    start: int
    context: int = 0


def _blend(model: MotionModel, pieces: Iterable[_Piece], window: Window, autocast: Autocast) -> Iterator[Tensor]:
    """Run the model on every piece; yield the averaged logits [B, h, w] of every frame, in order."""
    pending: deque[tuple[Tensor, float]] = deque()  # weighted sums and weights of frames that a window may still see
    done = 0
    for piece in pieces:
        for _ in range(piece.start - done):
            yield _mean(*pending.popleft())
        done = piece.start
        logits = _run(model, piece.clip, autocast)[:, piece.context :]
        for k, weight in enumerate(window.weights(logits.shape[1])):
            if k < len(pending):
                pending[k] = (pending[k][0] + weight * logits[:, k], pending[k][1] + weight)
            else:
                pending.append((weight * logits[:, k], weight))
    for item in pending:
        yield _mean(*item)


def _mean(weighted_sum: Tensor, weight: float) -> Tensor:
    return weighted_sum / weight


def _run(model: MotionModel, clip: Clip, autocast: Autocast) -> Tensor:
    """Logits [B, n, h, w] in float32."""
    if clip.num_frames == 1:
        return clip.images.new_full((len(clip.images), 1, *clip.size), STATIC_LOGIT)
    # no_grad rather than inference_mode: networks cache tables, which a training that goes on must be able to use
    with torch.no_grad(), autocast():
        return model(clip).logits.float()


def _stream_pieces(frames: Iterator[Tensor], window: Window, source: Source | None) -> Iterator[_Piece]:
    """Cut a stream of framed frames [3, h, w] into windows. A piece's images are valid until the next one is asked for.

    One buffer serves all windows: blocks of a window's size that come and go would leave holes in the heap, which make
    a process grow with the length of the video. Its row 0 is the frame before the window.
    """
    first = next(frames, None)
    if first is None:
        return
    frames = itertools.chain([first], frames)
    buffer = first.new_empty(window.length + 1, *first.shape)
    start = 0
    end = fresh = _fill(buffer[1:], frames)
    while fresh:
        context = 1 if start and end == 1 else 0
        sources = () if source is None else (part_of(source, start - context, start + end),)
        yield _Piece(Clip(buffer[None, 1 - context : 1 + end], sources=sources), start, context)
        if end < window.length:
            return
        buffer[: window.overlap + 1] = buffer[window.stride :].clone()
        fresh = _fill(buffer[window.overlap + 1 :], frames)
        start, end = start + window.stride, window.overlap + fresh


def _deal(frames: Iterator[Tensor], count: int) -> list[Iterator[Tensor]]:
    """Frame k of a stream for the (k modulo count)-th of `count` streams; frames wait until their stream asks."""
    waiting: list[deque[Tensor]] = [deque() for _ in range(count)]
    numbered = enumerate(frames)

    def one(queue: deque[Tensor]) -> Iterator[Tensor]:
        while True:
            while not queue:
                item = next(numbered, None)
                if item is None:
                    return
                waiting[item[0] % count].append(item[1])
            yield queue.popleft()

    return [one(queue) for queue in waiting]


def _every(clip: Clip, first: int, step: int) -> Clip:
    """Every step-th frame from `first` on; flows between neighbours do not fit any more."""
    sources = tuple(_thinned(source, first, step) for source in clip.sources)
    return Clip(clip.images[:, first::step], sources=sources)


def _thinned(source: Source, first: int, step: int) -> Source:
    return replace(source, frames=source.frames[first::step], step=source.step * step)


def _fill(rows: Tensor, frames: Iterator[Tensor]) -> int:
    """Copy frames into rows [n, 3, h, w] until one of them ends; returns how many."""
    count = 0
    for count, frame in enumerate(itertools.islice(frames, len(rows)), 1):
        rows[count - 1] = frame
    return count


def _clip_pieces(clip: Clip, window: Window) -> Iterator[_Piece]:
    """Cut a framed clip into the same windows."""
    for start in range(0, max(1, clip.num_frames - window.overlap), window.stride):
        stop = min(start + window.length, clip.num_frames)
        context = 1 if start and stop - start == 1 else 0
        yield _Piece(clip.frames(start - context, stop), start, context)


def _frame(frame: Tensor, framing: Framing) -> Tensor:
    """[3, H, W] -> [3, h, w] float32, whatever precision the caller computes in."""
    floating = frame.float() / 255 if frame.dtype == torch.uint8 else frame.float()
    with torch.no_grad(), torch.autocast(frame.device.type, enabled=False):
        return framing.images(floating)


def _frame_clip(clip: Clip, framing: Framing) -> Clip:
    """Images and estimated flow at the network's size; truth stays behind."""
    flow = clip.estimated_flow
    with torch.no_grad(), torch.autocast(clip.images.device.type, enabled=False):
        if flow is not None:
            backward = None if flow.backward is None else framing.flow(flow.backward)
            flow = Flow(framing.flow(flow.forward), backward)
        sources = tuple(replace(source, framing=framing) for source in clip.sources)
        return Clip(framing.images(clip.images), estimated_flow=flow, sources=sources)
