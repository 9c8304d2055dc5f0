"""Joints: how a movable part is led, and the way of a point that is touched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion4d.data.procedural import transforms
from motion4d.part import ROTATION, TRANSLATION

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Joint:
    """One degree of freedom. axis [3]: unit vector along which, or about which by the right hand, the part is moved
    when someone uses it; origin [3]: a point of the axis; reach: the whole way, metres or radians.
    """

    kind: int
    axis: Array
    origin: Array
    reach: float

    def transform(self, amount: Array | float) -> Array:
        """[...] metres or radians -> [..., 4, 4]."""
        amount = np.asarray(amount, dtype=np.float64)
        if self.kind == TRANSLATION:
            return transforms.translation(amount[..., None] * self.axis)
        there, back = transforms.translation(self.origin), transforms.translation(-self.origin)
        return there @ transforms.rotation(amount[..., None] * self.axis) @ back

    def path(self, point: Array, amount: float, steps: int) -> Array:
        """[steps, 3]: the rest of the way of a point that is at `point` when the part has gone `amount`."""
        return transforms.apply(self.transform(np.linspace(0, self.reach - amount, steps)), point)

    def foot(self, point: Array) -> Array:
        """[3] the point of the axis that is nearest to `point`; of a sliding part the point itself."""
        if self.kind == TRANSLATION:
            return point
        return self.origin + self.axis * float((point - self.origin) @ self.axis)


def slide(axis: tuple[float, float, float], reach: float) -> Joint:
    """Along an axis."""
    return Joint(TRANSLATION, np.array(axis), np.zeros(3), reach)


def hinge(axis: tuple[float, float, float], origin: tuple[float, float, float], reach: float) -> Joint:
    """About an axis through origin."""
    return Joint(ROTATION, np.array(axis), np.array(origin), reach)
