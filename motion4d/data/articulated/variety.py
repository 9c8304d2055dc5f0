"""Variety: every number that decides what procedural furniture looks like.

Pairs are (low, high) of a draw; `kind_*` are relative weights; shares are probabilities. Angles are degrees, lengths
metres.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

Range = tuple[float, float]
_WIDEST = 80.0
_MOST = 3  # in a row or column: what "left", "middle" and "right" can tell apart


@dataclass(frozen=True)
class Variety:
    """How varied a family of articulated objects is; a frozen benchmark spells out every field."""

    # which object: doors and drawers, a chest with lids, a panel of knobs or buttons, a stove with knobs and a flap
    kind_cabinet: float = 2.0
    kind_chest: float = 1.0
    kind_panel: float = 1.0
    kind_stove: float = 0.7
    columns: Range = (1, 3)  # of doors, drawers, knobs and buttons
    rows: Range = (1, 3)  # of drawers, knobs and buttons
    lids: Range = (1, 2)  # side by side on a chest
    opened_share: float = 0.35  # parts that are partly open already
    opened: Range = (0.1, 0.5)  # of the whole way
    handle_size: Range = (0.9, 1.4)  # 1: bars 3 cm thick
    round_handle_share: float = 0.3
    # the camera
    yaw: Range = (-38.0, 38.0)
    pitch: Range = (8.0, 32.0)
    roll: Range = (-3.0, 3.0)
    field_of_view: Range = (38.0, 62.0)  # of the longer side
    fill: Range = (0.7, 0.92)  # of the frame's width or height
    # around the object, and looks
    clutter: Range = (0, 3)  # other things on the floor
    texture_contrast: Range = (0.2, 0.8)
    plain_share: float = 0.5  # surfaces with almost no texture
    shadow_share: float = 0.7
    ambient: Range = (0.4, 0.8)  # the rest is directed light
    exposure: Range = (0.85, 1.15)
    blur_px: Range = (0.4, 0.6)  # standard deviation
    noise: Range = (0.0, 0.02)  # standard deviation, of the range [0, 1]
    # what is asked
    synonym_share: float = 0.4  # sentences in other words: "pull out the upper left drawer"
    least_mask_share: float = 0.012  # of the pixels: smaller parts are not asked for

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(value, int | float):
                continue
            if len(value) != 2 or value[0] > value[1]:
                raise ValueError(f"Variety.{item.name} must be a pair (low, high), but it is {value}")
            object.__setattr__(self, item.name, (value[0], value[1]))
        widest = max(abs(self.yaw[0]), abs(self.yaw[1])) + self.field_of_view[1] / 2
        if widest > _WIDEST:
            raise ValueError(
                "Variety.yaw plus half of Variety.field_of_view must stay below "
                f"{_WIDEST} degrees, or there is no wall behind the furniture, but they sum up to {widest:g}"
            )
        for name in ("columns", "rows", "lids"):
            low, high = getattr(self, name)
            if low < 1 or high > _MOST:
                raise ValueError(f"Variety.{name} must lie between 1 and {_MOST}, but it is {getattr(self, name)}")
