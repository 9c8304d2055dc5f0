"""The homography baseline marks what moves against a plane, and nothing in front of a camera that only turns."""

import pytest
import torch

from motion4d.clip import Clip, Flow
from motion4d.models.homography import HomographyResidual


def clip_with_square(num_frames: int = 3) -> Clip:
    forward = torch.full((1, num_frames - 1, 2, 48, 64), 1.5)
    forward[..., 10:30, 20:40] += 3
    return Clip(images=torch.zeros(1, num_frames, 3, 48, 64), estimated_flow=Flow(forward, -forward))


def test_marks_the_square_in_every_frame():
    masks = HomographyResidual(None)(clip_with_square()).masks()
    assert masks.shape == (1, 3, 48, 64)
    assert masks[..., 10:30, 20:40].all()
    assert masks.sum() == 3 * 400


def test_threshold_is_in_pixels():
    clip = clip_with_square()
    assert HomographyResidual(None, 4.0)(clip).masks().any()
    assert not HomographyResidual(None, 4.5)(clip).masks().any()


def test_one_frame_is_empty_and_missing_flow_is_an_error():
    one = Clip(images=torch.zeros(1, 1, 3, 48, 64), estimated_flow=Flow(torch.zeros(1, 0, 2, 48, 64)))
    assert not HomographyResidual(None)(one).masks().any()
    with pytest.raises(ValueError, match="needs optical flow"):
        HomographyResidual(None)(Clip(images=torch.zeros(1, 2, 3, 48, 64)))


def test_it_has_no_parameters_and_keeps_native_frames():
    model = HomographyResidual(None)
    assert list(model.parameters()) == []
    assert model.framing(31, 57).size == (31, 57)
