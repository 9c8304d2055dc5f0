"""Flow files: Middlebury `.flo`, KITTI `.png`, `.pfm`, `.npy` and `.npz`; the suffix chooses the format.

In memory a flow is [H, W, 2] float32, u to the right and v down in pixels. Where a format says which pixels are known
(KITTI, Middlebury's huge values), the unknown ones are NaN. `.flo`, `.pfm`, `.npy` and `.npz` keep every bit of the
known values; KITTI stores 1/64 pixel within +-512 (rounded here, which halves the error of the usual truncation; what
is out of range is stored as unknown).
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import atomic_path
from motion4d.io.png16 import read_png16, write_png16

FLO_MAGIC = b"PIEH"  # 202021.25 as a little-endian float32
UNKNOWN = 1e9  # pixels: Middlebury's limit; larger values mean unknown
KITTI_STEP = 64.0  # units per pixel
KITTI_ZERO = 2**15

FlowArray = NDArray[np.float32]
T = TypeVar("T")


def read_flow(path: str | Path) -> FlowArray:
    """A flow file of any of the formats -> [H, W, 2] float32, NaN where unknown."""
    path = Path(path)
    reader = _choose(path, READERS)
    if not path.is_file():
        raise FileNotFoundError(f"there is no flow file {path}")
    return reader(path)


def write_flow(path: str | Path, flow: FlowArray) -> None:
    """Write [H, W, 2] atomically in the format of the suffix."""
    path = Path(path)
    writer = _choose(path, WRITERS)
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise ValueError(f"a flow file needs [H, W, 2], but got {flow.shape} ({path})")
    writer(path, np.ascontiguousarray(flow, np.float32))


def encode_flo(flow: FlowArray) -> bytes:
    """The bytes of a `.flo` file."""
    height, width = flow.shape[:2]
    known = np.where(np.isfinite(flow), flow, 2 * UNKNOWN)
    return FLO_MAGIC + np.array([width, height], "<i4").tobytes() + known.astype("<f4").tobytes()


def decode_flo(content: bytes) -> FlowArray:
    """The flow of a `.flo` file's bytes."""
    if content[:4] != FLO_MAGIC or len(content) < 12:
        raise ValueError("it does not begin with PIEH")
    width, height = (int(side) for side in np.frombuffer(content, "<i4", 2, 4))
    values = np.frombuffer(content, "<f4", offset=12)
    if width <= 0 or height <= 0 or values.size != 2 * width * height:
        raise ValueError(f"it holds {values.size} numbers, but its header says {width}x{height} pixels")
    flow = values.reshape(height, width, 2).astype(np.float32)
    flow[(np.abs(flow) > UNKNOWN).any(-1)] = np.nan
    return flow


def encode_kitti(flow: FlowArray) -> NDArray[np.uint16]:
    """[H, W, 2] -> [H, W, 3] uint16: 64 u + 2^15, 64 v + 2^15, known; rounded to the nearest."""
    with np.errstate(invalid="ignore"):
        units = np.rint(flow.astype(np.float64) * KITTI_STEP) + KITTI_ZERO
        known = ((units >= 0) & (units < 2**16)).all(-1, keepdims=True)
    return np.concatenate([np.where(known, units, 0), known], -1).astype(np.uint16)


def decode_kitti(values: NDArray[np.uint16]) -> FlowArray:
    """[H, W, 3] uint16 -> [H, W, 2] float32."""
    flow = (values[..., :2].astype(np.float32) - KITTI_ZERO) / np.float32(KITTI_STEP)
    flow[values[..., 2] == 0] = np.nan
    return flow


def _read_flo(path: Path) -> FlowArray:
    try:
        return decode_flo(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"cannot read {path} as a .flo file: {error}") from error


def _write_flo(path: Path, flow: FlowArray) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_flo(flow))


def _read_pfm(path: Path) -> FlowArray:
    """Portable float map: three channels, bottom row first, the sign of the scale being the byte order."""
    try:
        kind, size, scale, content = path.read_bytes().split(b"\n", 3)
        width, height = (int(side) for side in size.split())
        channels = {b"PF": 3, b"Pf": 1}[kind.strip()]
        values = np.frombuffer(content, "<f4" if float(scale) < 0 else ">f4")
        image = values.reshape(height, width, channels)[::-1]
    except (ValueError, KeyError) as error:
        raise ValueError(f"cannot read {path} as a .pfm file: {error}") from error
    if channels != 3:
        raise ValueError(f"{path} holds one channel, but a flow needs two; is it a disparity map?")
    return np.ascontiguousarray(image[..., :2], np.float32)


def _write_pfm(path: Path, flow: FlowArray) -> None:
    height, width = flow.shape[:2]
    image = np.concatenate([flow, np.zeros((height, width, 1), np.float32)], -1)[::-1]
    with atomic_path(path) as temporary:
        temporary.write_bytes(f"PF\n{width} {height}\n-1.0\n".encode() + image.astype("<f4").tobytes())


def _read_kitti(path: Path) -> FlowArray:
    return decode_kitti(read_png16(path))


def _write_kitti(path: Path, flow: FlowArray) -> None:
    write_png16(path, encode_kitti(flow))


def _read_numpy(path: Path) -> FlowArray:
    try:
        content = np.load(path, allow_pickle=False)
        flow = content if isinstance(content, np.ndarray) else content["flow"]
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"cannot read {path} as a numpy flow (an .npz must hold `flow`): {error}") from error
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise ValueError(f"{path} holds an array of the shape {flow.shape}, but a flow is (H, W, 2)")
    return flow.astype(np.float32)


def _write_npy(path: Path, flow: FlowArray) -> None:
    with atomic_path(path) as temporary:
        np.save(temporary, flow)


def _write_npz(path: Path, flow: FlowArray) -> None:
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, flow=flow)


READERS: dict[str, Callable[[Path], FlowArray]] = {
    ".flo": _read_flo,
    ".png": _read_kitti,
    ".pfm": _read_pfm,
    ".npy": _read_numpy,
    ".npz": _read_numpy,
}
WRITERS: dict[str, Callable[[Path, FlowArray], None]] = {
    ".flo": _write_flo,
    ".png": _write_kitti,
    ".pfm": _write_pfm,
    ".npy": _write_npy,
    ".npz": _write_npz,
}


def _choose(path: Path, formats: dict[str, T]) -> T:
    if path.suffix.lower() not in formats:
        raise ValueError(f"{path} is no flow file that can be read or written; known are {', '.join(formats)}")
    return formats[path.suffix.lower()]
