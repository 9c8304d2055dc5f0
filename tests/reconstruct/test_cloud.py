"""Which pixels become points, and an even sample of bounded size."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from motion4d.reconstruct.cloud import CloudSample, PointFilter
from motion4d.reconstruct.feed_forward import PlacedFrame, stream_geometry
from tests.reconstruct.worlds import SIZE, Truth, WindowedTruth


def frame() -> PlacedFrame:
    """Confidence 1, 2, 3, ... in reading order; 0 in the first row."""
    truth = Truth(1)
    (frame,) = stream_geometry(WindowedTruth(truth), truth.images())
    confidence = torch.arange(1, 1 + SIZE[0] * SIZE[1], dtype=torch.float32).view(SIZE)
    confidence[0] = 0
    return replace(frame, confidence=confidence)


def test_pixels_that_are_not_sure_are_left_out() -> None:
    everything = PointFilter(edge=None, drop=0).keep(frame())
    assert not everything[0].any()
    assert everything[1:].all()
    assert PointFilter(edge=None, drop=0.25).keep(frame()).sum() == pytest.approx(0.75 * everything.sum(), abs=1)
    surer = PointFilter(edge=None, drop=0, min_confidence=100).keep(frame())
    assert surer.flatten()[100:].all()
    assert not surer.flatten()[:100].any()
    same = replace(frame(), confidence=torch.ones(SIZE))
    assert PointFilter(edge=None, drop=0.5).keep(same).all()  # nobody is less sure than others


def test_points_between_two_surfaces_are_left_out() -> None:
    points = torch.stack(torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij"), -1) * 0.05
    depth = torch.where(torch.arange(32) < 16, 2.0, 4.0).expand(24, 32).clone()
    depth[:, 16] = 3  # floats
    solid = replace(
        frame(),
        points_camera=torch.cat((points, depth[..., None]), -1),
        confidence=torch.ones(SIZE),
    )
    assert not PointFilter(drop=0).keep(solid)[2:-2, 16].any()
    assert PointFilter(drop=0).keep(solid)[:, :12].all()
    assert PointFilter(drop=0, edge=None).keep(solid).all()


def test_a_sample_is_bounded_and_even() -> None:
    sample = CloudSample(300)
    for part in range(20):
        points = torch.full((100 + 50 * (part % 2), 3), float(part))
        sample.add(points, torch.full((len(points), 3), part, dtype=torch.uint8))
        assert len(sample) <= 300
    points, colours = sample.drawn()
    assert len(points) == 300
    assert (points == colours).all()
    assert (points[1:, 0] >= points[:-1, 0]).all()  # in the order in which they came
    shares = torch.bincount(colours[:, 0].long(), minlength=20)
    assert (shares[1::2].sum() / shares[::2].sum()).item() == pytest.approx(1.5, rel=0.35)
    assert shares.min() > 2
    assert len(sample.drawn(20)[0]) == 20
    assert len(sample.drawn(0)[0]) == 0
    few = CloudSample(300)
    few.add(torch.rand(5, 3), torch.zeros(5, 3, dtype=torch.uint8))
    assert len(few.drawn(20)[0]) == 5


def test_bad_numbers_are_refused() -> None:
    for settings in ({"most": 0}, {"drop": 1.0}, {"edge": 0.0}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            PointFilter(**settings)
