"""Camera trajectories against the true ones: similarity alignment, ATE and RPE, as evo computes them. No torch.

Poses are camera_to_world [N, 4, 4] float64. Umeyama 1991: C = (1/n) Y X^T of the centred positions X and Y,
U D V^T = C, S = diag(1, 1, det U det V), rotation U S V^T, scale trace(D S) / var X.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Poses = NDArray[np.float64]

COLUMNS = ("ATE", "RPE trans", "RPE rot")
ROUNDED = 1e-3  # how far rotation matrices that were rounded in a file may be from orthonormal


@dataclass(frozen=True)
class TrajectoryScores:
    """ate: RMSE of positions after alignment; rpe_trans, rpe_rot: RMSE of the steps between neighbouring frames.

    Lengths are in the truth's unit, rotations in degrees.
    """

    ate: float
    rpe_trans: float
    rpe_rot: float

    @property
    def row(self) -> dict[str, float]:
        """The values of COLUMNS."""
        return dict(zip(COLUMNS, (self.ate, self.rpe_trans, self.rpe_rot), strict=True))


@dataclass(frozen=True)
class Similarity:
    """target = scale * rotation @ source + translation."""

    scale: float
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    def move(self, poses: Poses) -> Poses:
        """Poses of the source world -> of the target world."""
        moved = poses.copy()
        moved[:, :3, :3] = self.rotation @ poses[:, :3, :3]
        moved[:, :3, 3] = self.scale * poses[:, :3, 3] @ self.rotation.T + self.translation
        return moved


def umeyama(source: NDArray[np.float64], target: NDArray[np.float64], *, with_scale: bool = True) -> Similarity:
    """The similarity (or rigid motion) that takes positions `source` to `target`, both [N, 3], with least squares.

    Where positions do not determine it (all on one line, or all at one place) it is one of the best.
    """
    mean_source, mean_target = source.mean(0), target.mean(0)
    centred = source - mean_source
    left, stretch, right = np.linalg.svd((target - mean_target).T @ centred / len(source))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = (left * signs) @ right
    variance = float(np.square(centred).sum() / len(source))
    scale = float(stretch @ signs) / variance if with_scale and variance > 0 else 1.0
    return Similarity(scale, rotation, mean_target - scale * rotation @ mean_source)


def check_spread(source: NDArray[np.float64], target: NDArray[np.float64]) -> None:
    """Raise ValueError if positions [N, 3] do not determine a similarity: covariance of rank below 2."""
    covariance = (target - target.mean(0)).T @ (source - source.mean(0)) / len(source)
    stretch = np.linalg.svd(covariance, compute_uv=False)
    if stretch[1] <= np.finfo(np.float64).eps * max(1.0, stretch[0]):
        raise ValueError(
            f"the {len(source)} positions do not determine an alignment (degenerate covariance): it needs 3 or more "
            "that are not on one line, in the truth and in the prediction"
        )


def trajectory_scores(prediction: Poses, truth: Poses, *, with_scale: bool = True) -> TrajectoryScores:
    """ATE and RPE (one frame apart, all pairs) of `prediction`, aligned to `truth` by its positions."""
    similarity = umeyama(prediction[:, :3, 3], truth[:, :3, 3], with_scale=with_scale)
    aligned = similarity.move(prediction)
    steps = _inverse(_steps(truth)) @ _steps(aligned)
    return TrajectoryScores(
        root_mean_square(np.linalg.norm(aligned[:, :3, 3] - truth[:, :3, 3], axis=-1)),
        root_mean_square(np.linalg.norm(steps[:, :3, 3], axis=-1)),
        root_mean_square(np.degrees(rotation_angles(steps[:, :3, :3]))),
    )


def rotation_angles(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles [...] in radians of rotations [..., 3, 3], exact near 0 and near half turns."""
    skew = rotations - np.swapaxes(rotations, -1, -2)
    sine = np.linalg.norm(np.stack((skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]), -1), axis=-1)
    return np.arctan2(sine, np.trace(rotations, axis1=-2, axis2=-1) - 1)


def root_mean_square(values: NDArray[np.float64]) -> float:
    """0 for no values."""
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0


def checked_poses(poses: NDArray[np.floating], what: str) -> Poses:
    """Poses [N, 4, 4] in float64, with exact rotations; `what` names them in messages.

    Rotations that were rounded become the nearest ones. A ValueError names the pose that is not finite or no rotation.
    """
    checked = np.array(poses, dtype=np.float64)
    if checked.ndim != 3 or checked.shape[1:] != (4, 4) or not len(checked):
        raise ValueError(f"{what} must be poses [N, 4, 4], but it is {checked.shape}")
    blocks = checked[:, :3, :3]
    for problem, bad in (
        ("is not finite", ~np.isfinite(checked).all((1, 2))),
        ("has no rotation in it (its columns are not orthonormal, or it mirrors)", ~_nearly_rotations(blocks)),
    ):
        if bad.any():
            raise ValueError(f"{what}: pose {int(np.argmax(bad))} (counted from 0) {problem}")
    left, _, right = np.linalg.svd(blocks)
    checked[:, :3, :3] = left @ right
    return checked


def associate(
    first: NDArray[np.float64], second: NDArray[np.float64], max_difference: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of time stamps that belong together, [K] of `first` and [K] of `second` (seconds, increasing).

    Each stamp of the shorter list takes the nearest of the longer one (the earlier of two) within `max_difference`.
    """
    if len(first) > len(second):
        return associate(second, first, max_difference)[::-1]
    after = np.clip(np.searchsorted(second, first), 1, max(1, len(second) - 1))
    before = after - 1
    after = np.minimum(after, len(second) - 1)
    nearest = np.where(np.abs(second[before] - first) <= np.abs(second[after] - first), before, after)
    found = np.abs(second[nearest] - first) <= max_difference
    return np.flatnonzero(found), nearest[found]


def _nearly_rotations(blocks: NDArray[np.float64]) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        error = np.abs(blocks @ np.swapaxes(blocks, -1, -2) - np.eye(3)).max((1, 2))
        return (error <= ROUNDED) & (np.linalg.det(blocks) > 0)


def _steps(poses: Poses) -> Poses:
    return _inverse(poses[:-1]) @ poses[1:]


def _inverse(poses: Poses) -> Poses:
    inverse = np.tile(np.eye(4), (len(poses), 1, 1))
    rotation = np.swapaxes(poses[:, :3, :3], -1, -2)
    inverse[:, :3, :3] = rotation
    inverse[:, :3, 3] = -(rotation @ poses[:, :3, 3:])[..., 0]
    return inverse
