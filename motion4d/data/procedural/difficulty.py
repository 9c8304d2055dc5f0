"""Difficulty: every number that decides what procedural scenes look like.

Pairs are (low, high) of a draw; `world_*`, `camera_*` and `body_*` are relative weights of the kinds; shares are
probabilities. Pixels are those of a frame `REFERENCE_WIDTH` wide; other sizes scale in proportion.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

REFERENCE_WIDTH = 192

Range = tuple[float, float]


@dataclass(frozen=True)
class Difficulty:
    """How hard a family of procedural scenes is; a frozen benchmark spells out every field."""

    # which static world: inside of a room, ground with bumps, a single plane, ground and sky far behind the subject
    world_room: float = 1.0
    world_ground: float = 1.0
    world_plane: float = 1.0
    world_far: float = 1.0
    # how the camera moves; follow translates with the first moving object, track rotates after it
    camera_static: float = 1.0
    camera_handheld: float = 1.0
    camera_pan: float = 1.0
    camera_truck: float = 1.0
    camera_orbit: float = 1.0
    camera_dolly: float = 1.0
    camera_follow: float = 1.0
    camera_track: float = 1.0
    camera_speed_px: Range = (1.0, 4.0)  # image motion at the subject's distance, per frame
    shake_px: Range = (0.1, 0.6)  # amplitude of hand shake, moving cameras only
    # what objects are (moving and still ones come from the same draw)
    body_solid: float = 1.0
    body_compound: float = 1.0
    body_card: float = 1.0
    body_vehicle: float = 1.0
    body_biped: float = 1.0
    body_quadruped: float = 1.0
    body_snake: float = 1.0
    body_blob: float = 1.0
    deforming_share: float = 0.3  # solids, compounds and cards that also stretch and shear
    moving_objects: Range = (1, 3)
    still_objects: Range = (1, 4)  # around the subject's distance
    near_objects: Range = (0, 2)  # still objects nearer than the subject: parallax
    object_area: Range = (0.03, 0.15)  # share of the frame, first moving object
    other_area: Range = (0.01, 0.08)  # share of the frame, everything else
    object_speed_px: Range = (2.0, 8.0)  # world motion as a camera at rest sees it, per frame
    stopping_share: float = 0.2  # objects that stop, start or pause within the clip
    in_place_share: float = 0.1  # moving objects that turn, swing or deform where they are
    static_scene_share: float = 0.1  # clips in which only the camera moves
    least_moving_share: float = 0.01  # of the pixels of a clip that is no static scene; drawn anew if below
    # looks
    texture_contrast: Range = (0.5, 1.0)
    plain_share: float = 0.1  # surfaces with almost no texture
    camouflage_share: float = 0.1  # objects with a surface of the background
    shadow_share: float = 0.5  # clips with soft shadows below objects (never part of the mask)
    ambient: Range = (0.5, 0.9)  # the rest is directed light
    exposure_drift: float = 0.05  # relative brightness change over a clip
    shutter: Range = (0.0, 0.4)  # motion blur, as a part of the frame's motion
    blur_px: Range = (0.45, 0.7)  # standard deviation
    noise: Range = (0.0, 0.02)  # standard deviation, of the range [0, 1]
    motion_threshold_px: float = 0.3  # see truth.moving_parts

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if not isinstance(value, int | float):
                self._check_range(item.name, value)

    def _check_range(self, name: str, value: Range) -> None:
        """Make lists of a config tuples, and refuse a range that is none."""
        if len(value) != 2 or value[0] > value[1]:
            raise ValueError(f"Difficulty.{name} must be a pair (low, high), but it is {value}")
        object.__setattr__(self, name, (value[0], value[1]))

    def without_photography(self) -> Difficulty:
        """The same scenes in constant light through a perfect lens: brightness then follows the true flow."""
        return dataclasses.replace(
            self,
            shadow_share=0.0,
            ambient=(1.0, 1.0),
            exposure_drift=0.0,
            shutter=(0.0, 0.0),
            blur_px=(0.0, 0.0),
            noise=(0.0, 0.0),
        )
