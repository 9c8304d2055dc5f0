"""The checkpoint layouts of GeoMotion: the published one and ours.

- Published `best_model.pth` (Zhou et al. 2026): a training checkpoint whose `model_state_dict` holds all 1220 entries;
  Pi3's stand there under their own names, and Pi3's confidence branch *is* the motion decoder. Our model keeps the two
  apart (`backbone.*`, `head.*`), so three prefixes are renamed (motion4d.models.motion_head); nothing else differs.
- Ours: what was trained, under our names: `head.*`, and `backbone.*` unless it was frozen (then 322 MB instead of
  3.9 GB, on top of the backbone's own file). A flow network is never part of a checkpoint: it has a file of its own.

A training starts from Pi3's own file, as published, with `model.backbone.load_weights` and `model.head.load_weights`.
All loading is strict. The weights of GeoMotion's Pi3 are CC BY-NC 4.0 (non-commercial).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from motion4d.io.weights import WeightsError, load_strict, read_state_dict
from motion4d.models.motion_head import PUBLISHED_PREFIXES, FusionHead, from_published_head

if TYPE_CHECKING:
    from motion4d.models.geomotion import GeoMotion

FUSION = "motion_aware_decoder."


def load_checkpoint(model: GeoMotion, path: str | Path) -> None:
    """Load a GeoMotion checkpoint of either layout."""
    state = read_state_dict(path)
    if any(key.startswith(FUSION) for key in state):
        _load_published(model, state, path)
    elif all(key.startswith(("head.", "backbone.")) for key in state):
        with_backbone = any(key.startswith("backbone.") for key in state)
        load_strict(_Parts(model, with_backbone=with_backbone), state, source=path)
    else:
        hint = "; it looks like Pi3's own file, which goes into the backbone" if "register_token" in state else ""
        raise WeightsError(f"{path} is no GeoMotion checkpoint: it has neither {FUSION}* nor head.* entries{hint}")


def to_published(model: GeoMotion) -> dict[str, Tensor]:
    """The model's entries under their published names."""
    names = {ours: published for published, ours in PUBLISHED_PREFIXES.items()}
    # a confidence branch that the backbone may have is not the motion decoder, and has no place in the published file
    backbone = {k: v for k, v in model.backbone.state_dict().items() if not k.startswith(tuple(PUBLISHED_PREFIXES))}
    head = {
        names[f"{part}."] + rest: value
        for key, value in model.head.state_dict().items()
        for part, _, rest in [key.partition(".")]
    }
    return backbone | head


def _load_published(model: GeoMotion, state: Mapping[str, Tensor], path: str | Path) -> None:
    if not isinstance(model.head, FusionHead):
        raise WeightsError(
            f"{path} is GeoMotion's published checkpoint, which fits its FusionHead (model=geomotion); "
            f"this model has a {type(model.head).__name__}"
        )
    if any(key.startswith(tuple(PUBLISHED_PREFIXES)) for key in model.backbone.state_dict()):
        raise WeightsError(
            f"{path} has no confidence branch for the backbone (its place is the motion decoder's); "
            "build the backbone without (backbone=pi3_geomotion)"
        )
    rest = {key: value for key, value in state.items() if not key.startswith(tuple(PUBLISHED_PREFIXES))}
    load_strict(model.backbone, rest, source=path)
    load_strict(model.head, from_published_head(state), source=path)


class _Parts(nn.Module):
    """Head, and perhaps the backbone, of a model as one module: what a checkpoint of ours fills."""

    def __init__(self, model: GeoMotion, *, with_backbone: bool) -> None:
        super().__init__()
        self.head = model.head
        if with_backbone:
            self.backbone = model.backbone
