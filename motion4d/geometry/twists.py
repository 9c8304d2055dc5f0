"""Twists: a motion of space as six numbers (w, v); a point p moves with the velocity w x p + v.

A rotation about the line through o along the unit d is w = d, v = -(d x o); a translation along d is w = 0, v = d.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.geometry.lines import cross, unit

SMALL = 0.05  # radians: below, series, since quotients of float32 lose their digits


@dataclass(frozen=True)
class Screw:
    """What a twist says of an axis: turns [...] bool, direction [..., 3] of unit length, point [..., 3] of the axis."""

    turns: Tensor
    direction: Tensor
    point: Tensor


def twist_about(axis: Tensor, turns: Tensor, origin: Tensor) -> Tensor:
    """Unit twists [..., 6] of rotations (where `turns` [...] bool) about, or translations along, the line."""
    direction = unit(axis)
    turns = turns.unsqueeze(-1)
    moment = -cross(direction, origin)
    return torch.cat((torch.where(turns, direction, 0.0), torch.where(turns, moment, direction)), dim=-1)


def velocity(twist: Tensor, points: Tensor) -> Tensor:
    """w x p + v of points [..., 3] under twists [..., 6], with broadcasting."""
    return cross(twist[..., :3], points) + twist[..., 3:]


def screw_of(twist: Tensor, *, least_turn: float = 0.5) -> Screw:
    """The axis of each twist [..., 6]: a rotation iff |w| > least_turn; its point is the one nearest to the origin."""
    w, v = twist[..., :3], twist[..., 3:]
    turns = w.norm(dim=-1) > least_turn
    direction = unit(torch.where(turns.unsqueeze(-1), w, v))
    return Screw(turns, direction, cross(w, v) / w.square().sum(dim=-1, keepdim=True).clamp(min=1e-12))


def squared_difference(twist: Tensor, other: Tensor, *, anchor: Tensor, radius: float) -> Tensor:
    """How differently a body of this radius (metres) at the anchor [..., 3] moves: |dw x p + dv|^2 + r^2 |dw|^2."""
    difference = twist - other
    return velocity(difference, anchor).square().sum(-1) + radius**2 * difference[..., :3].square().sum(-1)


def orbit(twist: Tensor, start: Tensor, time: Tensor) -> Tensor:
    """exp(t xi) p: the way of points [..., 3] under twists [..., 6] at times [..., S] -> [..., S, 3]."""
    w, v = twist[..., None, :3], twist[..., None, 3:]
    start, time = start.unsqueeze(-2), time.unsqueeze(-1)
    angle = time * w.norm(dim=-1, keepdim=True)
    small = angle.abs() < SMALL
    safe = torch.where(small, 1.0, angle)
    sine = torch.where(small, 1 - angle.square() / 6, torch.sin(safe) / safe)
    cosine = torch.where(small, 0.5 - angle.square() / 24, 2 * (torch.sin(safe / 2) / safe).square())
    rest = torch.where(small, 1 / 6 - angle.square() / 120, (safe - torch.sin(safe)) / safe.pow(3))
    turning, bending = cross(w, start), cross(w, v)
    turned = start + time * sine * turning + time.square() * cosine * (cross(w, turning) + bending)
    return turned + time * v + time.pow(3) * rest * cross(w, bending)
