"""Which points of a reconstruction are seen at which setting of the page; numpy only.

Every frame keeps a bounded, even sample of its pixels, in random order, so that any first part of it is even as well.
What stands still may be seen from all frames at once, what moves only at its own time. Confidence is compared within
its kind (still, moving) over the whole clip, so that a setting means the same for every network: the share of points
that is left out, the least sure first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion4d.io.frames_4d import Frame4D
from motion4d.viz.colours import MOVING

MOST_KEPT = 4_000_000  # points of a clip in memory, still ones; half as many of those that move
MOST_DRAWN = 500_000  # still points of all frames in one picture
_LEVELS = 1001  # of confidence that are told apart
_TINT = 0.5  # share of the colour of what moves


@dataclass(frozen=True)
class Settings:
    """What the page's controls say.

    still, moving: which kinds are seen; all_frames: still points of all frames, not only of this one; masks: False
    takes everything as moving, so that only this frame is seen; least_still, least_moving: shares that are left out,
    the least sure first; one_in: only one point in so many; tint: what moves is tinted.
    """

    still: bool = True
    moving: bool = True
    all_frames: bool = True
    masks: bool = True
    least_still: float = 0.1
    least_moving: float = 0.05
    one_in: int = 1
    tint: bool = False


@dataclass(frozen=True)
class Cloud:
    """points [P, 3] float32 in the world, colours [P, 3] uint8."""

    points: NDArray[np.float32]
    colours: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class FramePoints:
    """A sample of one frame's pixels, in random order: cloud, log_confidence [P] float32, moving [P] bool."""

    cloud: Cloud
    log_confidence: NDArray[np.float32]
    moving: NDArray[np.bool_]

    def scaled(self, factor: float) -> FramePoints:
        """The same in another unit."""
        cloud = Cloud(self.cloud.points * np.float32(factor), self.cloud.colours)
        return FramePoints(cloud, self.log_confidence, self.moving)


def sample_frame(frame: Frame4D, *, most: int, seed: int) -> FramePoints:
    """At most `most` still points and half as many moving ones, of pixels whose depth is known."""
    known = np.isfinite(frame.log_confidence) & np.isfinite(frame.depth) & (frame.depth > 0)
    places = np.random.default_rng(seed).permutation(np.flatnonzero(known))
    moving = np.zeros(len(places), bool) if frame.moving is None else frame.moving.ravel()[places]
    kept = np.where(moving, np.cumsum(moving) <= max(most // 2, 1), np.cumsum(~moving) <= most)
    places, moving = places[kept], moving[kept]
    row, column = np.divmod(places, frame.depth.shape[1])
    pixels = np.stack((column, row, np.ones_like(row)), 1).astype(np.float64)
    local = pixels @ np.linalg.inv(frame.intrinsics).T * frame.depth.ravel()[places][:, None]
    world = local @ frame.camera_to_world[:3, :3].T + frame.camera_to_world[:3, 3]
    cloud = Cloud(world.astype(np.float32), frame.image.reshape(-1, 3)[places])
    return FramePoints(cloud, frame.log_confidence.ravel()[places], moving)


class ScenePoints:
    """The points of all frames; asks for those of one moment are quick."""

    def __init__(self, frames: Sequence[FramePoints]) -> None:
        self.frames = frames
        still = [frame.log_confidence[~frame.moving] for frame in frames]
        moving = [frame.log_confidence[frame.moving] for frame in frames]
        of_still, of_moving, of_all = _levels(still), _levels(moving), _levels([*still, *moving])
        self._surer = [  # [P]: share of the points of the same kind that are at most as sure
            np.where(frame.moving, _rank(frame, of_moving), _rank(frame, of_still)) for frame in frames
        ]
        self._surer_of_all = [_rank(frame, of_all) for frame in frames]

    @property
    def anything_moves(self) -> bool:
        """Whether masks are known and say so."""
        return any(bool(frame.moving.any()) for frame in self.frames)

    def still_at(self, number: int, settings: Settings) -> Cloud:
        """What stands still: of all frames (the same at every moment), or of this one."""
        if not settings.still or not settings.masks:
            return _EMPTY
        if not settings.all_frames:
            return self._chosen(number, self._still(number, settings), settings.one_in)
        most = max(MOST_DRAWN // len(self.frames), 1)
        numbers = range(len(self.frames))
        return _joined([self._chosen(k, self._still(k, settings)[:most], settings.one_in) for k in numbers])

    def moving_at(self, number: int, settings: Settings) -> Cloud:
        """What moves, at this moment; everything of this frame if masks are off."""
        if not settings.moving:
            return _EMPTY
        frame = self.frames[number]
        if not settings.masks:
            return self._chosen(
                number, np.flatnonzero(self._surer_of_all[number] > settings.least_moving), settings.one_in
            )
        cloud = self._chosen(
            number, np.flatnonzero(frame.moving & (self._surer[number] > settings.least_moving)), settings.one_in
        )
        if not settings.tint:
            return cloud
        mixed = (1 - _TINT) * cloud.colours + _TINT * np.array(MOVING)
        return Cloud(cloud.points, mixed.round().astype(np.uint8))

    def _still(self, number: int, settings: Settings) -> NDArray[np.intp]:
        return np.flatnonzero(~self.frames[number].moving & (self._surer[number] > settings.least_still))

    def _chosen(self, number: int, places: NDArray[np.intp], one_in: int) -> Cloud:
        """The first part of these points: an even sample, because they lie in random order."""
        cloud, places = self.frames[number].cloud, places[: -(-len(places) // one_in)]
        return Cloud(cloud.points[places], cloud.colours[places])


_EMPTY = Cloud(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8))


def _joined(clouds: Sequence[Cloud]) -> Cloud:
    return Cloud(np.concatenate([one.points for one in clouds]), np.concatenate([one.colours for one in clouds]))


def _levels(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.floating]:
    values = np.concatenate(parts)
    return np.quantile(values, np.linspace(0, 1, _LEVELS)) if len(values) else np.zeros(1)


def _rank(frame: FramePoints, levels: NDArray[np.floating]) -> NDArray[np.float32]:
    """[P] in (0, 1]; the same for equal confidences, and 1 where all are equal, so that nothing is left out then."""
    return (np.searchsorted(levels, frame.log_confidence, side="right") / len(levels)).astype(np.float32)
