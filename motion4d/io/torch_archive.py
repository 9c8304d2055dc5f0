"""Torch's zip files of any kind, TorchScript and Lightning checkpoints among them, without running what is inside.

The pickle in the archive is read by a reader that knows tensors and nothing else: any other class becomes an inert
stand-in that only keeps its attributes, and no function of the file is called. Code of a TorchScript archive is never
looked at.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motion4d.io.weights import PARALLEL_PREFIX, WRAPPERS, WeightsError, read_state_dict

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def read_published(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a published file by name, on the CPU: safetensors, or torch's of any age and kind.

    A WeightsError for a file without tensors, a damaged one, and an old pickle that holds more than tensors.
    """
    path = Path(path)
    if not zipfile.is_zipfile(path):
        return read_state_dict(path)
    try:
        with zipfile.ZipFile(path) as archive:
            content = _Archive(archive)
            named = {name: value for name, value in _named(content.load()) if isinstance(value, _Tensor)}
            state = {name: content.tensor(value) for name, value in named.items()}
    except Exception as error:  # damaged bytes make the reader stumble over anything: an index, a key, a character
        reason = str(error).strip().split("\n")[0][:120] or type(error).__name__
        raise WeightsError(f"{path} is damaged, truncated or no torch file ({reason}); fetch it again") from error
    if not state:
        raise WeightsError(f"{path} holds no named tensors; it is not a checkpoint")
    if all(name.startswith(PARALLEL_PREFIX) for name in state):
        state = {name.removeprefix(PARALLEL_PREFIX): value for name, value in state.items()}
    return state


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: torch.dtype


@dataclass(frozen=True)
class _Tensor:
    """A tensor that was not read yet."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Inert:
    """Stands for an object of a class that is not needed; keeps its attributes, does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *_: Any, **__: Any) -> _Inert:
        return _Inert()

    def __setitem__(self, *_: Any) -> None:
        pass

    def append(self, _: Any) -> None:
        """Items of a list-like object are not needed."""

    def extend(self, _: Any) -> None:
        """Items of a list-like object are not needed."""

    def add(self, _: Any) -> None:
        """Items of a set-like object are not needed."""


class _Reader(pickle.Unpickler):
    """Tensors as _Tensor, dictionaries as such, everything else inert."""

    def find_class(self, module: str, name: str) -> Any:
        """What may stand in such a pickle."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *_: data
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        return type(name.replace(".", "_"), (_Inert,), {})

    def persistent_load(self, pid: Any) -> _Storage:
        """("storage", class, key, device, count)."""
        _, dtype, key, *_ = pid
        if not isinstance(dtype, torch.dtype):
            raise ValueError("a tensor of an unknown kind")
        return _Storage(str(key), dtype)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, int(offset), tuple(map(int, size)), tuple(map(int, stride)))


class _Archive:
    """An open archive: FOLDER/data.pkl and FOLDER/data/KEY."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        names = set(archive.namelist())
        pickles = [name for name in names if name.count("/") <= 1 and name.split("/")[-1] == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError("no data.pkl in the archive")
        self.archive = archive
        self.pickle = pickles[0]
        self.folder = self.pickle.removesuffix("data.pkl")
        order = f"{self.folder}byteorder"
        if order in names and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")
        self._storages: dict[_Storage, Tensor] = {}

    def load(self) -> Any:
        """The object of the archive, its tensors not yet read."""
        return _Reader(io.BytesIO(self.archive.read(self.pickle))).load()

    def tensor(self, described: _Tensor) -> Tensor:
        """Read it; memory is shared where the file shares it."""
        storage = described.storage
        if storage not in self._storages:
            data = bytearray(self.archive.read(f"{self.folder}data/{storage.key}"))
            self._storages[storage] = torch.frombuffer(data, dtype=storage.dtype) if data else torch.empty(0)
        values = self._storages[storage]
        if math.prod(described.size) == 0:
            return values.new_empty(described.size)
        return torch.as_strided(values, described.size, described.stride, described.offset)


def _named(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(name, value) of a state dict, perhaps wrapped in a training's file, or of a TorchScript archive's modules."""
    if isinstance(content, _Inert):
        for name, value in (content.state if isinstance(content.state, Mapping) else {}).items():
            if isinstance(value, _Inert):
                yield from _named(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value
        return
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            yield from _named(content[wrapper])
            return
    if isinstance(content, Mapping):
        yield from ((str(name), value) for name, value in content.items())
