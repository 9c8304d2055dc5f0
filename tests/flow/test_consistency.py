"""The forward-backward check: the published forms to the number, and the true one on flow with a known occlusion."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from motion4d.clip import Flow
from motion4d.flow.consistency import both_consistent, consistent, inside, monst3r_valid, round_trip_error, warp
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check


@pytest.mark.parametrize("case", cases_of("flow", kinds=["flow_consistency"]))
def test_reference(case: Case) -> None:
    check(case)


def occluding_square() -> tuple[Tensor, Tensor]:
    """A square of 8 pixels moves 6 to the right over a still background; both true flows [1, 1, 2, 20, 32]."""
    forward, backward = torch.zeros(2, 1, 1, 2, 20, 32)
    forward[..., 0, 6:14, 4:12] = 6
    backward[..., 0, 6:14, 10:18] = -6
    return forward, backward


def test_what_the_square_covers_is_inconsistent() -> None:
    forward, backward = occluding_square()
    on_first, on_second = both_consistent(Flow(forward, backward))
    covered, uncovered = (torch.zeros(1, 1, 20, 32, dtype=torch.bool) for _ in range(2))
    covered[..., 6:14, 12:18] = True
    uncovered[..., 6:14, 4:10] = True
    assert torch.equal(~on_first, covered)
    assert torch.equal(~on_second, uncovered)
    error = round_trip_error(forward, backward)
    assert torch.equal(error > 1, covered)
    assert error[covered].eq(6).all()


def test_leaving_the_frame_is_inconsistent() -> None:
    flow = torch.full((2, 10, 12), 3.0)
    assert torch.equal(consistent(flow, -flow), inside(flow))
    assert inside(flow).sum() == 7 * 9
    assert round_trip_error(flow, -flow)[9, 11] == torch.inf


def test_errors_of_opposite_sign_do_not_cancel() -> None:
    first, second = torch.zeros(2, 8, 8), torch.zeros(2, 8, 8)
    second[0], second[1] = 4, -4
    assert monst3r_valid(first, second).all()  # as published
    assert not consistent(first, second).any()


def test_the_bound_grows_with_the_length_of_the_flow() -> None:
    first = torch.full((2, 40, 40), 10.0)
    error = torch.tensor([0.9, 0.9]).view(2, 1, 1)
    assert consistent(first, error - first)[:25, :25].all()
    assert not consistent(0 * first, error - 0 * first).any()


def test_warp_keeps_leading_axes_and_samples_between_pixels() -> None:
    ramp = torch.arange(9.0).expand(2, 3, 1, 6, 9)
    flow = torch.zeros(2, 3, 2, 6, 9)
    flow[:, :, 0] = 0.25
    warped = warp(ramp, flow)
    assert warped.shape == ramp.shape
    torch.testing.assert_close(warped[..., :8], ramp[..., :8] + 0.25)


def test_without_backward_flow_there_is_no_check() -> None:
    with pytest.raises(ValueError, match="has none"):
        both_consistent(Flow(torch.zeros(1, 1, 2, 4, 4)))
