"""Protocols of camera trajectories: how poses find each other, what is aligned, how many frames count. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from motion4d.metrics.camera_trajectories import (
    Poses,
    TrajectoryScores,
    associate,
    check_spread,
    checked_poses,
    trajectory_scores,
)


@dataclass(frozen=True)
class Trajectory:
    """camera_to_world [N, 4, 4]; stamps [N] in seconds, or whatever counts frames."""

    camera_to_world: NDArray[np.floating]
    stamps: NDArray[np.float64]

    def __post_init__(self) -> None:
        if len(self.camera_to_world) != len(self.stamps):
            raise ValueError(
                f"{len(self.camera_to_world)} poses cannot have {len(self.stamps)} time stamps; there must be one each"
            )


@dataclass(frozen=True)
class PoseProtocol:
    """A way of scoring trajectories.

    with_scale: the alignment has a scale (Sim(3)), else it is rigid (SE(3)). max_difference: trajectories of different
    length are matched by time stamps that differ by at most so many seconds. frames: at most so many poses count, the
    first ones.
    """

    name: str
    about: str
    with_scale: bool = True
    max_difference: float = 0.01
    frames: int | None = None

    def score(self, prediction: Trajectory, truth: Trajectory) -> TrajectoryScores:
        """ATE and RPE of one sequence; a ValueError says what does not fit."""
        found, true = self.matched(prediction, truth)
        check_spread(found[:, :3, 3], true[:, :3, 3])
        return trajectory_scores(found, true, with_scale=self.with_scale)

    def matched(self, prediction: Trajectory, truth: Trajectory) -> tuple[Poses, Poses]:
        """Poses [K, 4, 4] that belong together: by their place where lengths are equal, else by time."""
        found = checked_poses(prediction.camera_to_world, "the predicted trajectory")
        true = checked_poses(truth.camera_to_world, "the true trajectory")
        if len(found) != len(true):
            check_increasing(prediction.stamps, "the predicted trajectory")
            check_increasing(truth.stamps, "the true trajectory")
            ours, theirs = associate(prediction.stamps, truth.stamps, self.max_difference)
            if not len(ours):
                raise ValueError(
                    f"the trajectories have {len(found)} (predicted) and {len(true)} poses, and no time stamps within "
                    f"{self.max_difference:g} s of each other: give one predicted pose per true one, or the true stamps"
                )
            found, true = found[ours], true[theirs]
        return found[: self.frames], true[: self.frames]


def check_increasing(stamps: NDArray[np.float64], what: str) -> None:
    """Raise ValueError if time stamps do not increase: their poses cannot be matched by time."""
    if not np.isfinite(stamps).all():
        raise ValueError(f"{what} has time stamps that are not finite")
    wrong = np.flatnonzero(np.diff(stamps) <= 0)
    if len(wrong):
        k = int(wrong[0])
        raise ValueError(
            f"the time stamps of {what} must increase, but pose {k + 1} (counted from 0) has {stamps[k + 1]:.6f} after "
            f"{stamps[k]:.6f}; sort the lines, and keep one of each stamp"
        )


SIM3 = PoseProtocol("sim3", "alignment with scale, every pose")
SE3 = PoseProtocol("se3", "rigid alignment, every pose: for predictions in the truth's unit", with_scale=False)
SINTEL, TUM, SCANNET, BONN = (
    replace(SIM3, name=name, about=f"alignment with scale, the first {frames} poses", frames=frames)
    for name, frames in (("sintel", 50), ("tum", 90), ("scannet", 90), ("bonn", 110))
)
DYCHECK = replace(SIM3, name="dycheck", about="alignment with scale, every pose (of every tenth frame)")

POSE_PROTOCOLS = (SIM3, SE3, SINTEL, TUM, SCANNET, BONN, DYCHECK)


def pose_protocol_named(name: str) -> PoseProtocol:
    """The protocol of this name; a ValueError lists those that there are."""
    known = {protocol.name: protocol for protocol in POSE_PROTOCOLS}
    if name not in known:
        raise ValueError(f"there is no pose protocol {name}; there are {', '.join(sorted(known))}")
    return known[name]
