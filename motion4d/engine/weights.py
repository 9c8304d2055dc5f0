"""Which weights a task starts from: published parts, a checkpoint of ours, or those that ship with the package.

checkpoint: `auto` (training: none; evaluation and prediction: shipped), `none`, `shipped`, or a path: a weights file,
a run folder (its weights.safetensors) or a checkpoint folder (its model.safetensors).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

import motion4d
from motion4d.io.weights import load_strict, read_state_dict

_log = logging.getLogger(__name__)


def load_task_weights(
    model: Any,
    *,
    checkpoint: str | Path | None,
    default: str,
    shipped: str | None = None,
    pretrained: Mapping[str, str | Path] | None = None,
) -> str:
    """Load the checkpoint, and published weights into the parts of `model` that it did not bring whole; says which.

    `auto` means `default` ("none" or "shipped"). pretrained: attribute name -> file.
    """
    before = {name: set(_fingerprint(getattr(model, name))) for name in pretrained or {}}
    chosen = default if checkpoint in (None, "auto") else checkpoint
    path = resolve_checkpoint(chosen, shipped=shipped)
    loaded = []
    if path is not None:
        load_checkpoint(model, path)
        _log.info("weights: %s", path)
        loaded.append(f"shipped {path.name}" if chosen == "shipped" else str(path))
    for name, file in (pretrained or {}).items():
        if before[name].intersection(_fingerprint(getattr(model, name))):  # the checkpoint did not bring all of it
            load_part(model, name, Path(file))
            loaded.append(f"{name}: {file}")
    if path is not None and len(loaded) > 1:
        load_checkpoint(model, path)  # what was trained of a part that was loaded just now
    return ", ".join(loaded) or "untrained"


def load_part(model: Any, name: str, path: Path) -> None:
    """Load published weights into the part `name` of `model`.

    The part's own `load_weights(path)` is used where it has one, a strict load otherwise. By convention files lie in
    WEIGHTS/NAME/, where `python -m prepare.weights NAME` puts them.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"the weights of {name} are not at {path}; `python -m prepare.weights {path.parent.name}` brings them, "
            f"or give pretrained.{name}=FILE"
        )
    part = getattr(model, name)
    if hasattr(part, "load_weights"):
        part.load_weights(path)
    else:
        load_strict(part, read_state_dict(path), source=path)
    _log.info("weights of %s: %s", name, path)


def load_checkpoint(model: Any, path: Path) -> None:
    """Load a checkpoint: by the model's own `load_checkpoint(path)` where it has one, else `load_trainable`."""
    if hasattr(model, "load_checkpoint"):
        model.load_checkpoint(path)
    else:
        load_trainable(model, read_state_dict(path), source=str(path))


def resolve_checkpoint(checkpoint: str | Path | None, *, shipped: str | None = None) -> Path | None:
    """The file that `checkpoint` names, None for "none"; a FileNotFoundError says what to do."""
    if checkpoint in (None, "none"):
        return None
    if checkpoint == "shipped":
        path = Path(motion4d.__file__).parent / "weights" / str(shipped)
        if shipped is None or not path.is_file():
            raise FileNotFoundError(
                f"no weights ship for {Path(str(shipped)).stem}; give checkpoint=FILE or a run folder, or "
                "checkpoint=none for untrained weights"
            )
        return path
    path = Path(str(checkpoint))
    candidates = [path / "weights.safetensors", path / "model.safetensors"] if path.is_dir() else [path]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"checkpoint={checkpoint}: there is no {' or '.join(map(str, candidates))}")


def needs_weights(model: Any) -> bool:
    """Whether there is anything to load besides a flow network, which brings its own file."""
    return isinstance(model, nn.Module) and any(not name.startswith("flow.") for name, _ in model.named_parameters())


def trainable_state(model: nn.Module) -> dict[str, Tensor]:
    """Parameters that require gradients, and the buffers beside them: what a training of `model` changes."""
    state = model.state_dict()
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    owners = {name.rpartition(".")[0] for name in names}
    names |= {name for name, _ in model.named_buffers() if name.rpartition(".")[0] in owners}
    return {name: state[name].detach() for name in state if name in names}


def load_trainable(model: nn.Module, state: Mapping[str, Tensor], *, source: str) -> None:
    """Load weights written by `trainable_state` (or a full state dict); a ValueError names what does not fit."""
    own = model.state_dict()
    missing = sorted(trainable_state(model).keys() - state.keys())
    unexpected = sorted(state.keys() - own.keys())
    shapes = sorted(name for name in state.keys() & own.keys() if state[name].shape != own[name].shape)
    for kind, names in (("lacks", missing), ("has the unknown", unexpected), ("has other shapes for", shapes)):
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise ValueError(
                f"{source} is not a checkpoint of this {type(model).__name__}: it {kind} {shown}{_hint(model, state)}"
            )
    model.load_state_dict(dict(state), strict=False)


def _hint(model: nn.Module, state: Mapping[str, Tensor]) -> str:
    """How to load what looks like the weights of one part."""
    parts = [name for name, part in model.named_children() if state.keys() & part.state_dict().keys()]
    return f"; weights of one part are loaded by +pretrained.{parts[0]}=FILE checkpoint=none" if parts else ""


def _fingerprint(part: nn.Module) -> list[tuple[int, int]]:
    """Changes when any parameter is written or replaced."""
    return [(id(parameter), parameter._version) for parameter in part.parameters()]
