"""The checkpoint layouts of GeoMotion: the published one, Pi3's alone, and ours.

- Published `best_model.pth` (Zhou et al. 2026): a training checkpoint whose `model_state_dict` holds all 1220 entries;
  Pi3's stand there under their own names, and Pi3's confidence branch *is* the motion decoder. Our model keeps the two
  apart (`backbone.*`, `head.*`), so three prefixes are renamed; nothing else differs.
- Pi3's `model.safetensors`: the start of a training. It fills the backbone, and its confidence branch the head's
  decoder, as published; the fusion starts fresh.
- Ours: what was trained, under our names; 322 MB instead of 3.9 GB when the backbone was frozen. It goes on top of the
  backbone's own file. A flow network is never part of a checkpoint: it has a file of its own.

All loading is strict. The weights of GeoMotion's Pi3 are CC BY-NC 4.0 (non-commercial).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from motion4d.io.weights import load_strict, read_state_dict, write_safetensors
from motion4d.models.geomotion import GeoMotion
from motion4d.models.motion_head import FusionHead

FUSION = "motion_aware_decoder."
# published prefix -> attribute of FusionHead
HEAD_PREFIXES = {FUSION: "fusion.", "conf_decoder.": "decoder.", "conf_head.": "pixels."}


def load_published(model: GeoMotion, path: Path | str) -> None:
    """Load the released GeoMotion checkpoint (backbone and head) into a Pi3 with heads=("points", "pose")."""
    _check_published_head(model)
    state = read_state_dict(path)
    if not any(key.startswith(FUSION) for key in state):
        raise ValueError(
            f"{path} is no GeoMotion checkpoint: it has no {FUSION}* entries"
            + ("; it looks like Pi3's own file, from which a training can start" if "register_token" in state else "")
        )
    backbone, head = split_published(state)
    load_strict(model.backbone, backbone, source=path)
    load_strict(model.head, head, source=path)


def load_pi3(model: GeoMotion, path: Path | str) -> None:
    """Fill the backbone from Pi3's own file, and the head's decoder from its confidence branch; the fusion stays."""
    _check_published_head(model)
    state = read_state_dict(path)
    rest, head = split_published(state)
    if any(key.startswith("fusion.") for key in head):
        raise ValueError(f"{path} is a GeoMotion checkpoint, not Pi3's own file")
    kept = {key for key in model.backbone.state_dict() if key.startswith(tuple(HEAD_PREFIXES))}
    backbone = rest | {key: state[key] for key in kept if key in state}
    load_strict(model.backbone, backbone, source=path)
    fresh = {key: value for key, value in model.head.state_dict().items() if key.startswith("fusion.")}
    load_strict(model.head, head | fresh, source=path)


def split_published(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Published entries -> (entries of the backbone, entries of the FusionHead), each under our names."""
    backbone: dict[str, Tensor] = {}
    head: dict[str, Tensor] = {}
    for key, value in state.items():
        prefix = next((prefix for prefix in HEAD_PREFIXES if key.startswith(prefix)), None)
        if prefix is None:
            backbone[key] = value
        else:
            head[HEAD_PREFIXES[prefix] + key.removeprefix(prefix)] = value
    return backbone, head


def to_published(model: GeoMotion) -> dict[str, Tensor]:
    """The model's entries under their published names; the inverse of `split_published`."""
    _check_published_head(model)
    names = {ours: published for published, ours in HEAD_PREFIXES.items()}
    # a confidence branch that the backbone may have is not the motion decoder, and has no place in the published file
    backbone = {k: v for k, v in model.backbone.state_dict().items() if not k.startswith(tuple(HEAD_PREFIXES))}
    head = {
        names[f"{part}."] + rest: value
        for key, value in model.head.state_dict().items()
        for part, _, rest in [key.partition(".")]
    }
    return backbone | head


def trained_state(model: GeoMotion) -> dict[str, Tensor]:
    """`head.*`, and `backbone.*` too if the backbone was trained along."""
    state = _prefixed("head.", model.head)
    return state if model.freeze_backbone else state | _prefixed("backbone.", model.backbone)


def save_trained(model: GeoMotion, path: Path | str, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write `trained_state` as safetensors."""
    write_safetensors(path, trained_state(model), dict(metadata or {}))


def load_trained(model: GeoMotion, path: Path | str) -> None:
    """Read what `save_trained` wrote: the head, and the backbone if the file holds one (else it stays as it is)."""
    state = read_state_dict(path)
    strangers = [key for key in state if not key.startswith(("head.", "backbone."))]
    if strangers:
        hint = "the published layout" if any(key.startswith(FUSION) for key in state) else "another model's"
        raise ValueError(f"{path} is not a file of trained GeoMotion parts: {strangers[0]} looks like {hint}")
    with_backbone = any(key.startswith("backbone.") for key in state)
    load_strict(_Parts(model, with_backbone=with_backbone), state, source=path)


class _Parts(nn.Module):
    """Head, and perhaps the backbone, of a model as one module: what a checkpoint of ours fills."""

    def __init__(self, model: GeoMotion, *, with_backbone: bool) -> None:
        super().__init__()
        self.head = model.head
        if with_backbone:
            self.backbone = model.backbone


def _prefixed(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in module.state_dict().items()}


def _check_published_head(model: GeoMotion) -> None:
    if not isinstance(model.head, FusionHead):
        raise ValueError(
            f"the published layouts belong to GeoMotion's FusionHead; this model has a {type(model.head).__name__}"
        )
