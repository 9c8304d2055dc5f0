"""Unit shapes that a ray meets in closed form, in their own coordinates.

A ray is origin + z * direction; because a part's transform is affine and camera rays have unit z, the ray parameter of
a hit is the depth in the camera. `hit` gives that depth, infinite where the ray misses. All shapes but planes fit into
the cube [-1, 1]^3. Surface textures are laid on along the dominant axis of the normal (see shade).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

NEAR = 0.05


class Shape(Protocol):
    """A surface in its own coordinates."""

    @property
    def bounded(self) -> bool:
        """It fits into [-1, 1]^3."""
        ...

    def hit(self, origin: Tensor, direction: Tensor) -> Tensor:
        """Origin [N, 3, 1, 1], direction [N, 3, h, w] -> depth [N, h, w] of the visible hit, inf if there is none."""
        ...

    def normal(self, points: Tensor) -> Tensor:
        """Surface points [3, P] -> normals [3, P], any length."""
        ...


@dataclass(frozen=True)
class Ellipsoid:
    """The unit sphere (an ellipsoid once it is transformed), from outside."""

    bounded: bool = True

    def hit(self, origin: Tensor, direction: Tensor) -> Tensor:
        """See Shape."""
        squared, middle, rest = _sphere_terms(origin, direction)
        root = middle * middle - squared * rest
        return _front((-middle - root.clamp(min=0).sqrt()) / squared, root > 0)

    def normal(self, points: Tensor) -> Tensor:
        """See Shape."""
        return points


@dataclass(frozen=True)
class Dome:
    """The unit sphere from inside: the sky."""

    bounded: bool = False

    def hit(self, origin: Tensor, direction: Tensor) -> Tensor:
        """See Shape."""
        squared, middle, rest = _sphere_terms(origin, direction)
        return (-middle + (middle * middle - squared * rest).clamp(min=0).sqrt()) / squared

    def normal(self, points: Tensor) -> Tensor:
        """See Shape."""
        return -points


@dataclass(frozen=True)
class Box:
    """The cube [-1, 1]^3 from outside."""

    bounded: bool = True

    def hit(self, origin: Tensor, direction: Tensor) -> Tensor:
        """See Shape."""
        enter, leave = _slabs(origin, direction)
        return _front(enter, enter < leave)

    def normal(self, points: Tensor) -> Tensor:
        """See Shape."""
        return _largest_axis(points)


@dataclass(frozen=True)
class Room:
    """The cube [-1, 1]^3 from inside."""

    bounded: bool = False

    def hit(self, origin: Tensor, direction: Tensor) -> Tensor:
        """See Shape."""
        return _slabs(origin, direction)[1]

    def normal(self, points: Tensor) -> Tensor:
        """See Shape."""
        return -_largest_axis(points)


@dataclass(frozen=True)
class Cylinder:
    """Radius 1 around the y axis, from y = -1 to 1, with lids."""

    bounded: bool = True

    def hit(self, origin: Tensor, direction: Tensor) -> Tensor:
        """See Shape."""
        x, y, z = direction.unbind(1)
        ox, oy, oz = origin.unbind(1)
        squared = (x * x + z * z).clamp(min=1e-9)
        middle = ox * x + oz * z
        root = middle * middle - squared * (ox * ox + oz * oz - 1)
        side = root.clamp(min=0).sqrt()
        lid_a, lid_b = (-1 - oy) / _away_from_zero(y), (1 - oy) / _away_from_zero(y)
        enter = torch.maximum((-middle - side) / squared, torch.minimum(lid_a, lid_b))
        leave = torch.minimum((-middle + side) / squared, torch.maximum(lid_a, lid_b))
        return _front(enter, (enter < leave) & (root > 0))

    def normal(self, points: Tensor) -> Tensor:
        """See Shape."""
        x, y, z = points
        on_lid = (y.abs() > (x * x + z * z).sqrt() * 0.9999).to(points)
        on_side = 1 - on_lid
        return torch.stack([x * on_side, y * on_lid, z * on_side])


@dataclass(frozen=True)
class Card:
    """A flat, two-sided piece of the plane z = 0 with an irregular outline.

    outline: radii in (0, 1] at equally spaced angles, the first at angle -pi (against the x axis, towards y).
    """

    outline: tuple[float, ...]
    bounded: bool = True

    def hit(self, origin: Tensor, direction: Tensor) -> Tensor:
        """See Shape."""
        depth = -origin[:, 2] / _away_from_zero(direction[:, 2])
        x, y = (origin[:, :2] + depth[:, None] * direction[:, :2]).unbind(1)
        radii = depth.new_tensor([*self.outline, self.outline[0]])
        place = (torch.atan2(y, x) / (2 * torch.pi) + 0.5).clamp(0, 1) * len(self.outline)
        index = place.long().clamp(max=len(self.outline) - 1)
        radius = torch.lerp(radii[index], radii[index + 1], place - index)
        return _front(depth, x * x + y * y < radius * radius)

    def normal(self, points: Tensor) -> Tensor:
        """See Shape."""
        return points.new_tensor([[0.0], [0.0], [1.0]]).expand_as(points)


@dataclass(frozen=True)
class Plane:
    """The infinite plane y = 0."""

    bounded: bool = False

    def hit(self, origin: Tensor, direction: Tensor) -> Tensor:
        """See Shape."""
        depth = -origin[:, 1] / _away_from_zero(direction[:, 1])
        return _front(depth, depth < 1e4)

    def normal(self, points: Tensor) -> Tensor:
        """See Shape."""
        return points.new_tensor([[0.0], [-1.0], [0.0]]).expand_as(points)


def _front(depth: Tensor, is_hit: Tensor) -> Tensor:
    return torch.where(is_hit & (depth > NEAR), depth, torch.inf)


def _sphere_terms(origin: Tensor, direction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    squared = (direction * direction).sum(1)
    return squared, (origin * direction).sum(1), (origin * origin).sum(1) - 1


def _slabs(origin: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Where a ray enters and leaves the cube."""
    inverse = 1 / _away_from_zero(direction)
    low, high = (-1 - origin) * inverse, (1 - origin) * inverse
    return torch.minimum(low, high).amax(1), torch.maximum(low, high).amin(1)


def _away_from_zero(values: Tensor) -> Tensor:
    return torch.where(values.abs() < 1e-9, 1e-9, values)


def _largest_axis(points: Tensor) -> Tensor:
    """Points [3, P] with all but their largest coordinate set to 0."""
    magnitude = points.abs()
    return points * (magnitude == magnitude.amax(0))
