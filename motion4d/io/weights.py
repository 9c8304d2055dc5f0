"""Reading and writing network weights: safetensors, and torch files without running what is inside them.

The format is recognised by content, not by suffix. Torch files are read with `weights_only=True`; what would run code
(other pickles, TorchScript archives) is refused. Large files are memory-mapped. Loading is strict: whatever does not
fit is one WeightsError that says which keys, and which published network the file looks like.
"""

from __future__ import annotations

import argparse
import pickle
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from motion4d.io.files import atomic_path

WRAPPERS = ("model_state_dict", "state_dict", "model")  # where training scripts put the weights inside their files
PARALLEL_PREFIX = "module."

# Published networks by the beginnings of keys that only they have together; the most specific ones first.
FINGERPRINTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("GeoMotion", ("motion_aware_decoder.", "camera_decoder.")),
    ("Pi3X", ("metric_decoder.", "camera_decoder.")),
    ("Pi3", ("point_decoder.", "camera_decoder.")),
    ("Page4D", ("aggregator.spatial_mask_head.",)),
    ("VGGT", ("aggregator.frame_blocks.",)),
    ("MonST3R", ("enc_blocks.", "dec_blocks2.")),
    ("RAFT (torchvision layout)", ("feature_encoder.", "update_block.")),
    ("SEA-RAFT", ("fnet.", "init_conv.")),
    ("RAFT (princeton layout)", ("fnet.", "update_block.")),
    ("UniMatch", ("feature_flow_attn.",)),
    ("SAM2", ("sam_mask_decoder.", "memory_encoder.")),
    ("SegAffordance", ("model.backbone.clip.",)),
    ("CLIP", ("visual.", "token_embedding.")),
    ("DINOv2", ("blocks.", "cls_token", "register_tokens")),
)


class WeightsError(ValueError):
    """A weights file that cannot be read, or does not fit the network."""


def read_state_dict(path: str | Path, *, prepare: str | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors or torch file by name, on the CPU.

    Unwraps {"model" | "state_dict" | "model_state_dict": ...} and strips `module.` if all names start with it.
    `prepare`: the name under which `python -m prepare.weights` brings this file, for the message when it is missing.
    """
    path = Path(path)
    kind = _format_of(path, prepare)
    content = _read_safetensors(path) if kind == "safetensors" else _read_torch(path, mmap=kind == "zip")
    state = _unwrap(content, path)
    if all(name.startswith(PARALLEL_PREFIX) for name in state):
        state = {name.removeprefix(PARALLEL_PREFIX): tensor for name, tensor in state.items()}
    return state


def read_metadata(path: str | Path) -> dict[str, str]:
    """The text that stands beside the tensors of a safetensors file."""
    if _format_of(Path(path), None) != "safetensors":
        raise WeightsError(f"{path} is not a safetensors file, so it carries no metadata")
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged or truncated ({error}); fetch it again") from error


def write_safetensors(
    path: str | Path,
    state: Mapping[str, Tensor],
    metadata: Mapping[str, str] | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write tensors atomically. `dtype`: store floating tensors so, and say so in the metadata (key `dtype`)."""
    tensors = {name: _stored(tensor, dtype) for name, tensor in state.items()}
    text = {key: str(value) for key, value in (metadata or {}).items()}
    if dtype is not None:
        text["dtype"] = str(dtype).removeprefix("torch.")
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=text)


def load_strict(module: nn.Module, state: Mapping[str, Tensor], *, source: str | Path, assign: bool = False) -> None:
    """Put `state` into `module`; every name and shape must fit, or a WeightsError tells what does not.

    source: what the message calls the weights (their path). assign: take the tensors over instead of copying them
    (no second copy of a large network; needed on the meta device); dtype and device still follow the module.
    """
    wanted = module.state_dict()
    problems = _mismatches(wanted, state)
    if problems:
        chosen = type(module).__name__
        raise WeightsError(f"{source} does not fit {chosen}: {'; '.join(problems)}{_guess(state, chosen)}")
    if not assign and any(tensor.is_meta for tensor in wanted.values()):
        raise WeightsError(f"{type(module).__name__} is on the meta device and has no memory; load with assign=True")
    if assign:
        state = {name: _like(tensor, wanted[name]) for name, tensor in state.items()}
    module.load_state_dict(state, strict=True, assign=assign)


def recognise(names: Collection[str]) -> str | None:
    """The published network whose checkpoint has such names, or None."""
    for network, prefixes in FINGERPRINTS:
        if all(any(name.startswith(prefix) for name in names) for prefix in prefixes):
            return network
    return None


def _format_of(path: Path, prepare: str | None) -> str:
    """ "safetensors", "zip" (torch) or "pickle" (old torch); an error of one sentence for anything else."""
    if not path.is_file():
        advice = f"run: python -m prepare.weights {prepare}" if prepare else "check the path"
        raise FileNotFoundError(f"there are no weights at {path}; {advice}")
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    if start[8:9] == b"{":
        return "safetensors"
    if start.startswith(b"\x80"):
        return "pickle"
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path} is a git-lfs pointer, not the weights themselves; fetch it again")
    if start.lstrip().startswith(b"<"):
        raise WeightsError(f"{path} is a web page, not weights; fetch it again")
    raise WeightsError(
        f"{path} is neither a safetensors nor a torch file ({path.stat().st_size} bytes); fetch it again"
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged or truncated ({error}); fetch it again") from error


def _read_torch(path: Path, *, mmap: bool) -> Any:
    try:
        with torch.serialization.safe_globals([argparse.Namespace, *_numpy_numbers()]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols and TorchScript: answered below
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than tensors ({_blocked(error)}) and was not read, because that could run foreign "
            "code; use a safetensors file or one that holds only tensors"
        ) from error
    except Exception as error:  # damaged bytes make the reader stumble over anything: an index, a key, a character
        if "TorchScript" in str(error):
            raise WeightsError(
                f"{path} is a TorchScript archive, which can run foreign code, and was not read"
            ) from error
        raise WeightsError(f"{path} is damaged or truncated ({_first_line(error)}); fetch it again") from error


def _numpy_numbers() -> list[Any]:
    """What a pickled numpy scalar needs (a stored best score): harmless, but refused by default."""
    make_scalar = np.float64(0).__reduce__()[0]
    dtypes = [type(np.dtype(scalar)) for scalar in (np.float64, np.float32, np.int64)]
    return [make_scalar, (make_scalar, "numpy.core.multiarray.scalar"), np.dtype, *dtypes]


def _unwrap(content: Any, path: Path) -> dict[str, Tensor]:
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            return _unwrap(content[wrapper], path)
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path} holds no named tensors, but {type(content).__name__}")
    odd = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if odd:
        raise WeightsError(f"{path} holds entries that are not tensors: {_some(odd)}; it is not a plain checkpoint")
    return {str(name): value for name, value in content.items()}


def _mismatches(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    missing = [name for name in wanted if name not in state]
    unexpected = [name for name in state if name not in wanted]
    shapes = [
        f"{name} is {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
    return [f"{len(names)} {label} ({_some(names)})" for label, names in kinds if names]


def _guess(state: Mapping[str, Tensor], chosen: str) -> str:
    network = recognise(state.keys())
    return f"; it looks like {network}; you chose {chosen}" if network and network != chosen else ""


def _some(names: list[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (" ..." if len(names) > limit else "")


def _like(tensor: Tensor, wanted: Tensor) -> Tensor:
    return tensor.to(dtype=wanted.dtype) if wanted.is_meta else tensor.to(device=wanted.device, dtype=wanted.dtype)


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Contiguous memory of its own, on the CPU: what safetensors asks for."""
    tensor = tensor.detach().cpu()
    return (tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor).clone().contiguous()


def _blocked(error: Exception) -> str:
    """The object that torch refused, as its message names it."""
    _, found, rest = str(error).partition("GLOBAL ")
    return rest.split()[0] if found and rest else "Python objects"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:120] or type(error).__name__
