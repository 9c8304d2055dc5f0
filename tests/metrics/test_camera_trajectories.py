"""Trajectories: exact alignment, association by time, and poses that are not what they should be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motion4d.metrics.camera_trajectories import associate, rotation_angles, trajectory_scores, umeyama
from motion4d.metrics.pose_protocols import SE3, SIM3, TUM, Trajectory, pose_protocol_named


def poses(count: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = np.tile(np.eye(4), (count, 1, 1))
    made[:, :3, :3] = Rotation.from_rotvec(rng.normal(size=(count, 3)) * 0.3).as_matrix()
    made[:, :3, 3] = np.cumsum(rng.normal(size=(count, 3)), 0)
    return made


def moved(truth: np.ndarray, scale: float) -> np.ndarray:
    turn = Rotation.from_rotvec((0.3, -1.0, 2.0)).as_matrix()
    other = truth.copy()
    other[:, :3, :3] = turn @ truth[:, :3, :3]
    other[:, :3, 3] = scale * truth[:, :3, 3] @ turn.T + (1, 2, 3)
    return other


def trajectory(matrices: np.ndarray, stamps: np.ndarray | None = None) -> Trajectory:
    return Trajectory(matrices, np.arange(len(matrices), dtype=float) if stamps is None else stamps)


def test_a_similarity_of_the_truth_is_perfect_and_a_rigid_alignment_keeps_its_scale() -> None:
    truth = poses()
    scores = SIM3.score(trajectory(moved(truth, 0.2)), trajectory(truth))
    assert max(scores.row.values()) < 1e-9
    rigid = SE3.score(trajectory(moved(truth, 0.2)), trajectory(truth))
    spread = truth[:, :3, 3] - truth[:, :3, 3].mean(0)
    assert rigid.ate == pytest.approx(0.8 * np.sqrt((spread**2).sum(1).mean()))
    assert max(SE3.score(trajectory(moved(truth, 1.0)), trajectory(truth)).row.values()) < 1e-9


def test_a_mirrored_path_is_not_mirrored_back() -> None:
    truth = poses()
    mirrored = truth.copy()
    mirrored[:, 0, 3] *= -1
    similarity = umeyama(mirrored[:, :3, 3], truth[:, :3, 3])
    assert np.linalg.det(similarity.rotation) == pytest.approx(1)
    assert trajectory_scores(mirrored, truth).ate > 0.1


def test_angles_are_exact_at_both_ends() -> None:
    angles = np.array([0.0, 1e-9, 1.0, np.pi - 1e-9, np.pi])
    rotations = Rotation.from_rotvec(angles[:, None] * (0.6, 0.0, 0.8)).as_matrix()
    np.testing.assert_allclose(rotation_angles(rotations), angles, rtol=1e-6, atol=1e-15)


def test_shorter_trajectories_are_matched_by_time() -> None:
    truth = poses(10)
    stamps = 100 + 0.1 * np.arange(10)
    kept = np.array([0, 2, 3, 4, 6, 9])
    part = trajectory(moved(truth, 3.0)[kept], stamps[kept] + 0.004)
    assert max(SIM3.score(part, trajectory(truth, stamps)).row.values()) < 1e-9
    first, second = associate(np.array([0.0, 1.0, 2.0]), np.array([0.95, 1.05, 2.5]), 0.2)
    assert (first.tolist(), second.tolist()) == ([1], [0])
    first, second = associate(np.array([0.0, 1.0, 2.0, 3.0]), np.array([2.9]), 0.2)
    assert (first.tolist(), second.tolist()) == ([3], [0])


def test_different_lengths_without_common_times_are_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"have 9 \(predicted\) and 10 poses, and no time stamps within 0.01 s"):
        SIM3.score(trajectory(poses(9)), trajectory(poses(10), 50.5 + np.arange(10)))


@pytest.mark.parametrize("stamps", [(0.0, 1.0, 1.0, 2.0), (0.0, 2.0, 1.0, 3.0)])
def test_stamps_that_do_not_increase_are_one_sentence(stamps: tuple[float, ...]) -> None:
    prediction = trajectory(poses(4), np.array(stamps))
    with pytest.raises(ValueError, match="stamps of the predicted trajectory must increase, but pose 2"):
        SIM3.score(prediction, trajectory(poses(5)))
    assert SIM3.score(prediction, trajectory(poses(4))).ate < 1e-9  # equal lengths: stamps are not needed


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_poses_determine_nothing(count: int) -> None:
    with pytest.raises(ValueError, match=f"the {count} positions do not determine an alignment"):
        SIM3.score(trajectory(poses(count)), trajectory(poses(count, seed=1)))


def test_a_straight_or_resting_prediction_is_degenerate_but_has_an_error() -> None:
    truth = poses(8)
    straight = np.tile(np.eye(4), (8, 1, 1))
    straight[:, 0, 3] = np.arange(8)
    for prediction in (straight, np.tile(np.eye(4), (8, 1, 1))):
        with pytest.raises(ValueError, match="degenerate covariance"):
            SIM3.score(trajectory(prediction), trajectory(truth))
    spread = truth[:, :3, 3] - truth[:, :3, 3].mean(0)
    resting = trajectory_scores(np.tile(np.eye(4), (8, 1, 1)), truth)
    assert resting.ate == pytest.approx(np.sqrt((spread**2).sum(1).mean()))
    assert trajectory_scores(straight, truth).ate < resting.ate


def test_rounded_rotations_are_mended_and_others_named() -> None:
    truth = poses()
    rounded = truth.copy()
    rounded[:, :3, :3] = rounded[:, :3, :3].round(4)
    assert SIM3.score(trajectory(rounded), trajectory(truth)).rpe_rot < 0.02
    for change, problem in ((1.2, "has no rotation"), (-1.0, "has no rotation"), (np.nan, "is not finite")):
        broken = truth.copy()
        broken[3, :3, :3] *= change
        with pytest.raises(ValueError, match=rf"predicted trajectory: pose 3 .*{problem}"):
            SIM3.score(trajectory(broken), trajectory(truth))
    with pytest.raises(ValueError, match=r"must be poses \[N, 4, 4\]"):
        SIM3.score(trajectory(truth[:, :3]), trajectory(truth))


def test_protocols_take_the_first_frames() -> None:
    truth = poses(95)
    other = moved(truth, 2.0)
    other[90:, :3, 3] += 5
    assert TUM.score(trajectory(other), trajectory(truth)).ate < 1e-9
    assert SIM3.score(trajectory(other), trajectory(truth)).ate > 0.1
    with pytest.raises(ValueError, match="no pose protocol tumm; there are .*tum"):
        pose_protocol_named("tumm")
