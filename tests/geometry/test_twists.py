"""Twists, lines and the unit square: against matrix exponentials, each other, and cameras in pixels."""

from __future__ import annotations

import math

import pytest
import torch

from motion4d.geometry.lines import line_distance, perpendicular_foot, unit
from motion4d.geometry.projection import project, unproject
from motion4d.geometry.twists import orbit, screw_of, squared_difference, twist_about, velocity
from motion4d.geometry.unit_images import depth_at, lift, project_in_front, unit_intrinsics
from motion4d.losses.parts.seen_curves import seen_distance


def _exponential(twist: torch.Tensor, start: torch.Tensor, time: float) -> torch.Tensor:
    w, v = twist[:, :3].double(), twist[:, 3:].double()
    matrix = torch.zeros(len(twist), 4, 4, dtype=torch.float64)
    for column in range(3):
        matrix[:, :3, column] = torch.linalg.cross(w, torch.eye(3, dtype=torch.float64)[column].expand_as(w))
    matrix[:, :3, 3] = v
    ends = torch.cat((start.double(), torch.ones(len(start), 1)), dim=1).unsqueeze(-1)
    return (torch.linalg.matrix_exp(time * matrix) @ ends)[:, :3, 0]


@pytest.mark.parametrize("turn", [0.0, 1e-12, 1e-5, 1e-4, 1e-3, 0.049, 0.051, 1.0, 3.0])
def test_orbits_are_exponentials_at_any_speed_of_turning(turn: float) -> None:
    twist = torch.randn(5, 6)
    twist[:, :3] = turn * unit(twist[:, :3])
    start = torch.randn(5, 3)
    times = torch.tensor([-2.0, -0.3, 0.0, 1.0])
    ways = orbit(twist.requires_grad_(), start, times)
    for k, time in enumerate(times.tolist()):
        torch.testing.assert_close(ways[:, k].double(), _exponential(twist.detach(), start, time), atol=1e-5, rtol=1e-5)
    ways.sum().backward()
    assert twist.grad.isfinite().all()


def test_axis_and_twist_say_the_same() -> None:
    axis, origin = 3 * torch.randn(6, 3), torch.randn(6, 3)
    turns = torch.tensor([True, False] * 3)
    twist = twist_about(axis, turns, origin)
    said = screw_of(twist)
    assert torch.equal(said.turns, turns)
    torch.testing.assert_close(said.direction, unit(axis))
    assert line_distance(said.point, origin, unit(axis))[turns].max() < 1e-5
    assert velocity(twist, origin)[turns].norm(dim=-1).max() < 1e-5  # the axis stands still
    full = orbit(twist, torch.randn(6, 3), torch.tensor([0.0, 2 * math.pi]))
    torch.testing.assert_close(full[turns, 0], full[turns, 1], atol=1e-5, rtol=0)


def test_difference_of_twists_is_that_of_a_bodys_velocities() -> None:
    twist, anchor = torch.randn(4, 6), torch.randn(4, 3)
    other = twist + 0.1 * torch.randn(4, 6)
    offsets = 0.5 * torch.cat((torch.eye(3), -torch.eye(3)))  # six points of a body about the anchor
    points = anchor.unsqueeze(1) + offsets
    difference = velocity(twist.unsqueeze(1), points) - velocity(other.unsqueeze(1), points)
    mean = difference.square().sum(-1).mean(-1)  # |dw x p + dv|^2 + (2/3) 0.25 |dw|^2
    ours = squared_difference(twist, other, anchor=anchor, radius=(2 / 3 * 0.25) ** 0.5)
    torch.testing.assert_close(ours, mean)


def test_the_foot_is_the_nearest_point_of_the_line() -> None:
    point, origin, direction = torch.randn(5, 3), torch.randn(5, 3), unit(torch.randn(5, 3))
    foot = perpendicular_foot(point, origin, direction)
    torch.testing.assert_close((point - foot).norm(dim=-1), line_distance(point, origin, direction))
    for step in (-0.1, 0.1):
        assert ((point - foot - step * direction).norm(dim=-1) > (point - foot).norm(dim=-1)).all()
    torch.testing.assert_close(perpendicular_foot(foot, origin, direction), foot)


def test_the_unit_square_sees_what_pixels_see() -> None:
    intrinsics = torch.tensor([[60.0, 0.5, 31], [0, 62, 24], [0, 0, 1]]).expand(4, 3, 3)
    size = torch.tensor([64.0, 48.0])
    points = torch.randn(4, 3) * 0.2 + torch.tensor([0, 0, 1.5])
    camera = unit_intrinsics(intrinsics, (48, 64))
    uv = project_in_front(points, camera)
    torch.testing.assert_close(uv * size, project(points, intrinsics))
    torch.testing.assert_close(lift(uv, points[:, 2], camera), points)
    assert project_in_front(-points, camera).isfinite().all()
    depth = 1 + torch.rand(4, 48, 64)
    pixel = torch.tensor([[10, 20]] * 4)
    lifted = lift(pixel / size, depth[:, 20, 10], camera)
    torch.testing.assert_close(lifted, unproject(depth, intrinsics)[:, 20, 10])
    torch.testing.assert_close(depth_at(depth, (pixel + 0.5) / size), depth[:, 20, 10])  # as upstream samples


def test_distance_to_a_curve_that_is_seen() -> None:
    camera = torch.eye(3).unsqueeze(0)
    curve = torch.tensor([[[0.0, 0, 1], [1, 0, 1], [1, 1, 1], [1, 1, -1]]])
    points = torch.tensor([[[0.5, 0.2], [2.0, 0.5], [-3.0, -4.0]]])
    torch.testing.assert_close(seen_distance(points, curve, camera), torch.tensor([[0.2, 1.0, 5.0]]))
    assert seen_distance(points, -curve, camera).min() == 1e4
