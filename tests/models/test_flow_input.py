"""What motion heads see of the flow (values: the reference case flow_fusion)."""

import pytest
import torch

from motion4d.clip import Flow
from motion4d.models import flow_input

LENGTHS = [
    flow_input.bidirectional_max,
    flow_input.bidirectional_mean,
    flow_input.bidirectional_sum,
    flow_input.forward_only,
]


@pytest.mark.parametrize("rule", [*LENGTHS, flow_input.vectors_max])
def test_one_frame_has_no_flow(rule) -> None:
    nothing = torch.zeros(2, 0, 2, 4, 6)
    maps = rule(Flow(nothing, nothing))
    assert maps.shape == (2, 1, 2 if rule is flow_input.vectors_max else 1, 4, 6)
    assert not maps.any()


@pytest.mark.parametrize("rule", [*LENGTHS, flow_input.vectors_max])
def test_batch_items_do_not_mix(rule) -> None:
    flow = Flow(torch.randn(3, 2, 2, 4, 6), torch.randn(3, 2, 2, 4, 6))
    alone = rule(Flow(flow.forward[1:2], flow.backward[1:2]))
    assert torch.equal(rule(flow)[1:2], alone)


def test_inner_frame_takes_the_larger_flow_on_its_own_grid() -> None:
    forward, backward = torch.zeros(1, 2, 2, 1, 2), torch.zeros(1, 2, 2, 1, 2)
    forward[0, 1, 0, 0, 0] = 3.0  # frame 1 -> 2, left pixel
    backward[0, 0, 1, 0, 1] = -4.0  # frame 1 -> 0, right pixel
    assert flow_input.bidirectional_max(Flow(forward, backward))[0, 1, 0].tolist() == [[3.0, 4.0]]


def test_missing_backward_flow_is_an_error() -> None:
    with pytest.raises(ValueError, match="both directions"):
        flow_input.bidirectional_max(Flow(torch.zeros(1, 2, 2, 4, 6)))
