"""The picture of trajectories: which axes it shows, and that paths lie where they should."""

from __future__ import annotations

import numpy as np

from motion4d.viz.trajectories import main_plane, trajectory_plot


def test_the_axes_are_those_along_which_the_truth_varies_most() -> None:
    rng = np.random.default_rng(0)
    assert main_plane(rng.normal(size=(50, 3)) * (1, 3, 0.1)).tolist() == [0, 1]
    assert main_plane(rng.normal(size=(50, 3)) * (0.1, 3, 4)).tolist() == [1, 2]


def test_a_path_forward_goes_up_and_a_camera_at_rest_is_a_ring() -> None:
    truth = np.zeros((5, 3))
    truth[:, 2] = np.arange(5)
    truth[:, 0] = 0.1 * np.arange(5)
    picture = trajectory_plot({"truth": truth, "rest": np.zeros((5, 3))}, "title")
    white = np.argwhere((picture[100:500] == (235, 235, 235)).all(-1))
    rows, columns = white[:, 0], white[:, 1]
    assert columns[rows.argmin()] > columns[rows.argmax()]  # ahead, and to the right
    assert rows.max() - rows.min() > 300
    nowhere = trajectory_plot({"truth": np.zeros((3, 3)), "a": np.zeros((3, 3))}, "title")
    assert (nowhere == (255, 90, 40)).all(-1).any()
