"""Checkpoints of SegAffordance.

- Published: Lightning's `.ckpt`, or its tensors: names with `model.` before them; before 2026 CLIP stood at
  `backbone.*`, since then at `backbone.clip.*`. Loading is strict: nothing may be missing, frozen embeddings included.
- Ours: what was trained, under the published names without `model.`; what was frozen comes from `pretrained`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor, nn

from motion4d.io.torch_archive import read_published
from motion4d.io.weights import WeightsError, load_strict, read_metadata

_log = logging.getLogger(__name__)

OURS = "motion4d"  # how the format of a file of ours begins, in its metadata
_TOWERS = ("visual.", "transformer.", "token_embedding.", "ln_final.")
_ALONE = ("positional_embedding", "text_projection", "logit_scale")


def load_checkpoint(model: nn.Module, path: str | Path) -> None:
    """Load a checkpoint of either kind into an Affordance."""
    if _is_ours(Path(path)):
        _load_ours(model, read_published(path), path)
    else:
        load_strict(model, own_names(read_published(path)), source=path)


def own_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published names of any age -> the network's."""
    return {_own_name(name): value for name, value in state.items()}


def published_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's names -> those of a Lightning checkpoint."""
    return {f"model.{name}": value for name, value in state.items()}


class Similar:
    """A network that takes from a file what fits: how OPDMulti starts from OPDReal, and SceneFun3D from either."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def parameters(self) -> Iterator[nn.Parameter]:
        """Of the network."""
        return self.model.parameters()

    def load_weights(self, path: str | Path) -> None:
        """Load every entry whose name and shape fit; says what is left. A WeightsError if nothing fits."""
        own, given = self.model.state_dict(), own_names(read_published(path))
        fits = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
        if not fits:
            raise WeightsError(f"{path} has nothing in common with {type(self.model).__name__}; is it another network?")
        self.model.load_state_dict(fits, strict=False)
        _log.info("%s: %d of %d entries fit", path, len(fits), len(own))
        other = sorted(name for name in given if name in own and name not in fits)
        untouched = sorted(name for name in own if name not in given)
        unknown = sorted(name for name in given if name not in own)
        for names, what in (
            (untouched, "not there, left as they were"),
            (other, "of another shape"),
            (unknown, "unknown"),
        ):
            if names:
                _log.warning("%s: %d entries %s: %s", path, len(names), what, _some(names))


def _is_ours(path: Path) -> bool:
    try:
        return read_metadata(path).get("format", "").startswith(OURS)
    except WeightsError:
        return False


def _load_ours(model: nn.Module, state: Mapping[str, Tensor], path: str | Path) -> None:
    """All that is trained must be there; what is frozen may be."""
    own = model.state_dict()
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    frozen |= {name for name in own if _is_statistic_of_frozen(name, frozen)}
    load_strict(model, {**{name: own[name] for name in frozen if name in own}, **state}, source=path)


def _is_statistic_of_frozen(name: str, frozen: set[str]) -> bool:
    owner, _, kind = name.rpartition(".")
    return kind in ("running_mean", "running_var", "num_batches_tracked") and f"{owner}.weight" in frozen


def _own_name(name: str) -> str:
    name = name.removeprefix("model.")
    rest = name.removeprefix("backbone.")
    if rest != name and (rest.startswith(_TOWERS) or rest in _ALONE):
        return f"backbone.clip.{rest}"
    return name


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
