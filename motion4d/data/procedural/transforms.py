"""4x4 transforms in numpy float64, batched over any leading axes; they act on column vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]


def translation(offset: ArrayLike) -> Array:
    """[..., 3] -> [..., 4, 4]."""
    offset = np.asarray(offset, dtype=np.float64)
    matrix = identity(offset.shape[:-1])
    matrix[..., :3, 3] = offset
    return matrix


def rotation(vector: ArrayLike) -> Array:
    """[..., 3] axis times angle (radians) -> [..., 4, 4]."""
    vector = np.asarray(vector, dtype=np.float64)
    matrix = identity(vector.shape[:-1])
    matrix[..., :3, :3] = Rotation.from_rotvec(vector.reshape(-1, 3)).as_matrix().reshape(*vector.shape[:-1], 3, 3)
    return matrix


def turn(axis: int, angle: ArrayLike) -> Array:
    """Rotation about x (0), y (1) or z (2) by angles [...] -> [..., 4, 4]."""
    angle = np.asarray(angle, dtype=np.float64)
    return rotation(angle[..., None] * np.eye(3)[axis])


def scaling(factors: ArrayLike) -> Array:
    """[..., 3] -> [..., 4, 4]."""
    factors = np.asarray(factors, dtype=np.float64)
    matrix = identity(factors.shape[:-1])
    matrix[..., :3, :3] = factors[..., None] * np.eye(3)
    return matrix


def linear(matrix: ArrayLike) -> Array:
    """[..., 3, 3] -> [..., 4, 4]."""
    inner = np.asarray(matrix, dtype=np.float64)
    outer = identity(inner.shape[:-2])
    outer[..., :3, :3] = inner
    return outer


def identity(shape: tuple[int, ...]) -> Array:
    """[*shape, 4, 4] identities."""
    return np.broadcast_to(np.eye(4), (*shape, 4, 4)).copy()


def apply(transform: NDArray[np.floating], points: ArrayLike) -> Array:
    """[..., 4, 4] on points [..., 3], leading axes broadcast."""
    points = np.asarray(points, dtype=np.float64)
    return (transform[..., :3, :3] @ points[..., None])[..., 0] + transform[..., :3, 3]
