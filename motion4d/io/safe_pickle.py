"""Reading pickles of other people without running any of their code: plain values and numpy arrays, nothing else.

Not even numpy's own functions are called by name: they stand for small classes of this file that hold bytes and are
made into arrays at the end.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = "biufcSU"  # of dtypes; objects are not among them


class UnsafePickle(ValueError):
    """A pickle that names something besides plain values and numpy arrays; it was not run."""


def loads(data: bytes) -> Any:
    """What `data` holds. UnsafePickle if it names anything else, ValueError if it is damaged."""
    try:
        return _finished(_Reader(io.BytesIO(data)).load())
    except UnsafePickle:
        raise
    except Exception as error:  # a damaged pickle raises nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"it is no pickle of plain values and arrays ({reason})") from error


class _Dtype:
    def __init__(self, text: str, *_: Any) -> None:
        self.dtype = np.dtype(text)
        if self.dtype.kind not in KINDS:
            raise UnsafePickle(f"it holds an array of {self.dtype}, which is not read")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """What numpy's `_reconstruct` begins and a state completes."""

    values: NDArray[Any] | None = None

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, by_column, data = state
        self.values = _from_buffer(data, dtype, shape, "F" if by_column else "C")


def _from_buffer(data: bytes, dtype: _Dtype, shape: tuple[int, ...], order: Any = "C") -> NDArray[Any]:
    if not isinstance(dtype, _Dtype) or len(data) != dtype.dtype.itemsize * math.prod(shape):
        raise ValueError("an array does not fill its shape")
    return np.frombuffer(bytes(data), dtype.dtype).reshape(shape, order="F" if order == "F" else "C").copy()


def _scalar(dtype: _Dtype, data: bytes) -> Any:
    return _from_buffer(data, dtype, (1,))[0].item()


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise UnsafePickle(f"it encodes text as {encoding}")
    return text.encode("latin1")


class _NdarrayType:
    """Stands for numpy.ndarray, which is only ever handed to `_reconstruct`."""


NUMPY: dict[str, Callable[..., Any]] = {
    "multiarray._reconstruct": _Array,
    "multiarray.scalar": _scalar,
    "numeric._frombuffer": _from_buffer,
}
NAMES: dict[str, Callable[..., Any]] = {
    "numpy.ndarray": _NdarrayType,
    "numpy.dtype": _Dtype,
    "_codecs.encode": _encode,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.bytearray": bytearray,
    "builtins.complex": complex,
    "collections.OrderedDict": dict,
    **{f"numpy.{core}.{name}": made for core in ("core", "_core") for name, made in NUMPY.items()},
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = NAMES.get(f"{module}.{name}")
        if found is None:
            raise UnsafePickle(f"it names {module}.{name}, which could run code, so it was not read")
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise UnsafePickle("it refers to objects outside of it")


def _finished(value: Any) -> Any:
    """The same value with arrays in place of what stood for them."""
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, dict):
        return {_finished(key): _finished(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple) and any(isinstance(entry, list | tuple | dict | _Array) for entry in value):
        return type(value)(_finished(entry) for entry in value)
    return value
