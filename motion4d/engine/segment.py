"""One source of frames through one model: image, probabilities and mask of every frame, streaming."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from inspect import isfunction
from pathlib import Path
from typing import Any

import torch
from torch import nn

from motion4d.clip import Noun, Source
from motion4d.engine.errors import explained_memory
from motion4d.engine.results import FrameResult
from motion4d.engine.runtime import Runtime
from motion4d.engine.stopwatch import Stopwatch
from motion4d.engine.windows import MotionModel, Window, stream_logits
from motion4d.io.frames import FrameSource, collection_name
from motion4d.io.images import resized
from motion4d.layers.precision import round_blocks


def segment_source(
    model: MotionModel,
    source: FrameSource,
    *,
    window: Window,
    runtime: Runtime,
    threshold: float = 0.5,
    watch: Stopwatch | None = None,
    native: bool = True,
) -> Iterator[FrameResult]:
    """Yield the result of every frame, in order; `watch` gets the seconds of "reading" and "model".

    native: results at the source's size; else at the network's, images resized with Pillow's bilinear filter.
    The source is read twice, side by side, so that no window of full-size frames has to be kept.
    """
    watch = watch or Stopwatch()
    stream = stream_logits(
        model,
        watch.each("reading", source),
        window.fitted(source.length),
        device=runtime.torch_device,
        autocast=runtime.autocast,
        source=origin(source),
    )
    with explained_memory(_memory_advice(source, window)):
        pairs = zip(watch.each("reading", source), watch.each("model", stream), strict=True)
        for frame, (framing, logits) in pairs:
            probabilities = torch.sigmoid((framing.undo_values(logits) if native else framing.uncut(logits)).cpu())
            image = resized(frame.permute(1, 2, 0).numpy(), probabilities.shape)
            yield FrameResult(image, probabilities.numpy(), (probabilities > threshold).numpy())


def place_model(model: Any, runtime: Runtime) -> None:
    """Bring a network to the runtime's device, in evaluation mode; anything else stays as it is."""
    if isinstance(model, nn.Module):
        model.to(runtime.torch_device).eval()


def prepare_inference(model: Any, runtime: Runtime) -> None:
    """Place a network that is not trained any more; under bf16 its blocks are stored rounded, in half the memory."""
    place_model(model, runtime)
    if isinstance(model, nn.Module) and runtime.is_bf16:
        model.requires_grad_(False)
        round_blocks(model, torch.bfloat16)


def describe_model(model: Any) -> dict[str, Any]:
    """What tells one model from another in a summary: classes, settings, and checksums over weights."""
    names = ("backbone", "flow", "head", "graph", "aligner", "dynamics")
    owner = getattr(model, "reconstruction", None) or model
    parts = {name: part for name in names for part in [getattr(owner, name, None)] if part is not None}
    framing = model.framing
    return {
        **describe_part(model),
        **{name: describe_part(part) for name, part in parts.items()},
        "framing": repr(framing) if is_dataclass(framing) else type(framing).__name__,
    }


def describe_part(part: Any) -> dict[str, Any]:
    """What tells one part of a pipeline from another: class, plain settings, and a checksum over its weights."""
    if isinstance(part, partial):
        return {"function": part.func.__name__, **part.keywords}
    settings = {name: _plain(value) for name, value in vars(part).items() if not name.startswith("_")}
    shown = {name: value for name, value in settings.items() if value is not ...}
    return {"class": type(part).__name__, **shown, "weights_checksum": weights_checksum(part)}


def _plain(value: Any) -> Any:
    """A setting as JSON has it, dataclasses by their fields; ... for anything else."""
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, (type, Noun)):
        inner = {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
        return {"class": type(value).__name__, **{name: one for name, one in inner.items() if one is not ...}}
    if isfunction(value):
        return value.__name__
    return ...


def weights_checksum(model: Any) -> str:
    """Eight digits that differ when the weights do; the same for everything that has none."""
    checksum = 0
    if isinstance(model, nn.Module):
        for value in model.state_dict().values():
            checksum = zlib.crc32(value.detach().flatten()[:64].double().cpu().numpy().tobytes(), checksum)
    return f"{checksum:08x}"


def origin(source: FrameSource) -> Source:
    """What files of a sequence, such as those of flow=precomputed, are found by: as prepare.flow names them."""
    return Source(collection_name(source), source.folder or source.name, source.stems, source.frame_rate)


def _memory_advice(source: FrameSource, window: Window) -> str:
    height, width = source.size
    return (
        f"not enough memory for windows of {window.length} frames of {source.name} ({height}x{width}); "
        f"try window.length={max(2, window.length // 2)} window.overlap={min(window.overlap, window.length // 4)}"
    )
