"""A clip through a network in windows: the exact world comes back, whatever frame and scale each window answers in."""

from __future__ import annotations

import pytest
import torch

from motion4d.backbones.base import CapabilityError
from motion4d.clip import Geometry
from motion4d.framing import FitWidth, Letterbox
from motion4d.reconstruct.feed_forward import PlacedFrame, stream_geometry
from tests.reconstruct.worlds import SIZE, Truth, WindowedTruth


def reconstructed(model: WindowedTruth, **settings: int) -> list[PlacedFrame]:
    frames = list(stream_geometry(model, model.truth.images(), **settings))
    assert [frame.index for frame in frames] == list(range(len(model.truth.depth)))
    return frames


def unit(model: WindowedTruth, frames: list[PlacedFrame]) -> float:
    """The true length of one unit of the reconstruction, from the first window's depth."""
    return float((model.truth.depth[0] / frames[0].depth).median())


def trajectory_error(model: WindowedTruth, frames: list[PlacedFrame]) -> float:
    """Largest difference of any entry of a pose; the world is the first camera's, so only the unit is free."""
    poses = torch.stack([frame.camera_to_world for frame in frames])
    poses[:, :3, 3] *= unit(model, frames)
    return float((poses - model.truth.camera_to_world).abs().max())


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 13, 26, 27])
@pytest.mark.parametrize(("length", "overlap"), [(6, 1), (6, 2), (6, 5), (7, 4)])
def test_the_exact_trajectory_comes_back(count: int, length: int, overlap: int) -> None:
    model = WindowedTruth(Truth(count))
    frames = reconstructed(model, length=length, overlap=overlap)
    assert trajectory_error(model, frames) < 2e-5 * count
    for frame in frames:
        torch.testing.assert_close(frame.depth * unit(model, frames), model.truth.depth[frame.index], rtol=1e-4, atol=0)
        torch.testing.assert_close(frame.intrinsics.float(), model.truth.intrinsics)
    assert {len(seen) for seen in model.seen} == {min(count, length)}
    assert model.seen[-1][-1] == count - 1


def test_frames_are_yielded_before_the_clip_ends() -> None:
    model = WindowedTruth(Truth(120))
    asked = 0

    def frames():
        nonlocal asked
        for image in model.truth.images():
            asked += 1
            yield image

    behind = [asked - frame.index for frame in stream_geometry(model, frames(), length=6, overlap=2)]
    assert len(behind) == 120
    assert max(behind) <= 6


def test_outliers_on_a_third_of_the_shared_points_do_not_move_a_window() -> None:
    def spoil(call: int, answer: Geometry) -> None:
        if call:
            assert answer.points_camera is not None
            answer.points_camera[:, :, :8] *= 1.7

    model = WindowedTruth(Truth(20), spoil=spoil)
    assert trajectory_error(model, reconstructed(model, length=6, overlap=3)) < 1e-2


def test_points_without_confidence_do_not_count() -> None:
    def spoil(call: int, answer: Geometry) -> None:
        assert answer.points_camera is not None
        assert answer.confidence is not None
        answer.points_camera[:, :, :20] *= 1.0 + call
        answer.confidence[:, :, :20] = 0

    model = WindowedTruth(Truth(20), spoil=spoil)
    assert trajectory_error(model, reconstructed(model, length=6, overlap=3)) < 5e-4


def test_a_seam_is_faded_over_the_overlap() -> None:
    def spoil(call: int, answer: Geometry) -> None:
        assert answer.intrinsics is not None
        answer.intrinsics[..., 0, 0] += call

    model = WindowedTruth(Truth(9), spoil=spoil)
    focals = [float(frame.intrinsics[0, 0]) for frame in reconstructed(model, length=6, overlap=3)]
    assert focals == pytest.approx([30, 30, 30, 30.25, 30.5, 30.75, 31, 31, 31])


def test_what_is_not_finite_or_behind_the_camera_is_not_known() -> None:
    def spoil(call: int, answer: Geometry) -> None:
        assert answer.points_camera is not None
        answer.points_camera[:, :, 0] = torch.nan
        answer.points_camera[:, :, 1] *= -1

    model = WindowedTruth(Truth(12), spoil=spoil)
    frames = reconstructed(model, length=6, overlap=2)
    for frame in frames:
        assert not frame.confidence[:2].any()
        assert (frame.confidence[2:] == 1).all()
        assert not frame.points_camera[:2].any()


@pytest.mark.parametrize("rule", [FitWidth(32, 8), Letterbox(32, 8)])
def test_padding_is_not_known_and_intrinsics_return_to_the_frames_own_size(rule: FitWidth | Letterbox) -> None:
    model = WindowedTruth(Truth(3), framing=rule, spoil=_fit_to(rule))
    frame = reconstructed(model, length=6, overlap=2)[0]
    known = frame.framing.labels(torch.ones(SIZE, dtype=torch.uint8)).bool()
    assert ((frame.confidence > 0) == known).all()
    assert frame.framing.undo_values(frame.depth).shape == SIZE
    torch.testing.assert_close(frame.framing.intrinsics(frame.native_intrinsics), frame.intrinsics)


def _fit_to(rule: FitWidth | Letterbox):
    """The answer at the size of the framed images."""

    def spoil(call: int, answer: Geometry) -> None:
        framing = rule(*SIZE)
        assert answer.points_camera is not None
        moved = framing.values(answer.points_camera.movedim(-1, 2))
        answer.points_camera = moved.movedim(2, -1).where(moved.movedim(2, -1) != 0, 1.0)
        answer.confidence = torch.ones(answer.points_camera.shape[:-1])

    return spoil


def test_what_does_not_work_is_said_in_a_sentence() -> None:
    truth = Truth(9)
    with pytest.raises(CapabilityError, match="has no pose"):
        reconstructed(WindowedTruth(truth, heads=("depth",)))
    with pytest.raises(CapabilityError, match="no points and no pose"):
        reconstructed(WindowedTruth(truth, heads=()))
    with pytest.raises(ValueError, match="overlap must be at least 1"):
        reconstructed(WindowedTruth(truth), length=4, overlap=0)

    def broken_poses(call: int, answer: Geometry) -> None:
        assert answer.camera_to_world is not None
        answer.camera_to_world[0, 1] = torch.nan

    with pytest.raises(ValueError, match="poses of frames 0 to 3 are not finite"):
        reconstructed(WindowedTruth(truth, spoil=broken_poses), length=4, overlap=2)

    def flat(call: int, answer: Geometry) -> None:
        assert answer.points_camera is not None
        answer.points_camera.zero_()

    with pytest.raises(ValueError, match="frames 2 to 3 have no points"):
        reconstructed(WindowedTruth(truth, spoil=flat), length=4, overlap=2)
