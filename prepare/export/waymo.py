"""Waymo Open as downloaded: a TFRecord file per clip, one frame per record, with one laser on the camera's own place.

Each beam that meets a pixel of the image has the range at which that pixel's surface lies. In the world z is up.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from motion4d.clip import Clip
from prepare.export.geometry import Truth, truth_of
from prepare.tfrecords import write_records
from prepare.waymo_frame import AXES, FRONT

TOP = 1  # of the lasers
BEAMS, TURNS = 32, 180  # rows and columns of the range image
PLACE = np.array([[1.0, 0, 0, 1.5], [0, 1, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]])  # of camera and laser in the vehicle


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`."""
    for clip in clips:
        truth = truth_of(clip)
        path = folder / "waymo" / "training_0000" / f"segment-{truth.name}_with_camera_labels.tfrecord"
        write_records(path, _frames(truth))


def _frames(truth: Truth) -> Iterator[bytes]:
    height, width = truth.depth.shape[1:]
    steepness, to_world = np.linspace(-0.5, 0.5, BEAMS), np.linalg.inv(AXES)
    for frame, picture in enumerate(truth.images):
        matrix, pose = truth.intrinsics[frame], to_world @ truth.camera_to_world[frame] @ AXES @ np.linalg.inv(PLACE)
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=95)
        ranges, projection = _laser(truth.depth[frame], matrix, steepness)
        lens = np.array([matrix[0, 0], matrix[1, 1], matrix[0, 2] + 0.5, matrix[1, 2] + 0.5, 0, 0, 0, 0, 0])
        lens_message = {1: FRONT, 2: lens, 3: {1: PLACE}, 4: width, 5: height}
        laser_message = {1: TOP, 2: steepness, 5: {1: PLACE}}
        angles = Rotation.from_matrix(pose[:3, :3]).as_euler("ZYX")[::-1]
        poses = np.broadcast_to(np.concatenate((angles, pose[:3, 3])), (BEAMS, TURNS, 6))
        returned = {2: _compressed(ranges, "<f4"), 3: _compressed(projection, None), 4: _compressed(poses, "<f4")}
        yield encode(
            {
                1: {1: truth.name.encode(), 2: lens_message, 3: laser_message},
                2: 100_000 * frame,
                3: {1: pose},
                4: {1: FRONT, 2: file.getvalue()},
                5: {1: TOP, 2: returned},
            }
        )


def _laser(
    depth: NDArray[np.float32], matrix: NDArray[np.float64], steepness: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The range image [BEAMS, TURNS, 4] of a depth map, and which pixel each beam meets [BEAMS, TURNS, 6]."""
    azimuth = ((TURNS - np.arange(TURNS) - 0.5) / TURNS * 2 - 1) * np.pi
    up, around = np.meshgrid(steepness[::-1], azimuth, indexing="ij")
    beams = np.stack((np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)), -1) @ AXES[:3, :3].T
    forward = np.maximum(beams[..., 2], 1e-6)
    column, row = (np.rint(matrix[k, k] * beams[..., k] / forward + matrix[k, 2]).astype(int) for k in (0, 1))
    seen = (beams[..., 2] > 0.1) & (column >= 0) & (column < depth.shape[1]) & (row >= 0) & (row < depth.shape[0])
    ranges, projection = np.zeros((*seen.shape, 4)), np.zeros((*seen.shape, 6), np.int64)
    ranges[seen, 0] = depth[row[seen], column[seen]] / forward[seen]
    projection[seen, :3] = np.column_stack((np.full(seen.sum(), FRONT), column[seen], row[seen]))
    return ranges, projection


def _compressed(values: NDArray[Any], kind: str | None) -> bytes:
    """MatrixFloat (kind: of the numbers) or MatrixInt32 (None) behind zlib."""
    data = values.astype(kind).tobytes() if kind else b"".join(_varint(int(value)) for value in values.ravel())
    return zlib.compress(encode({1: data, 2: {1: b"".join(map(_varint, values.shape))}}))


def encode(message: Mapping[int, Any]) -> bytes:
    """A protocol buffer: field number -> whole number, bytes, message, or array of doubles (packed)."""
    parts = []
    for number, value in message.items():
        if isinstance(value, int):
            parts.append(_varint(number << 3) + _varint(value))
            continue
        if isinstance(value, np.ndarray):
            value = value.astype("<f8").tobytes()
        content = value if isinstance(value, bytes) else encode(value)
        parts.append(_varint(number << 3 | 2) + _varint(len(content)) + content)
    return b"".join(parts)


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
