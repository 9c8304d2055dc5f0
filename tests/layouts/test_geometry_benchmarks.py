"""Published lists of the data sets of depth and pose, and what their layouts refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from motion4d.layouts import bonn, dycheck, kitti_depth, scannet, sintel, tum_dynamics


def test_published_lists() -> None:
    assert (len(sintel.FRAMES), sum(sintel.FRAMES.values())) == (23, 1064)
    assert (len(sintel.POSE), sum(sintel.FRAMES[name] for name in sintel.POSE)) == (14, 643)
    assert set(sintel.FRAMES) - set(sintel.VIDEO_DEPTH) == {"market_5"}
    assert max(sintel.FRAMES.values()) == 50
    assert (len(tum_dynamics.SEQUENCES), len(bonn.SEQUENCES), len(kitti_depth.DRIVES)) == (8, 5, 13)
    assert tum_dynamics.SEQUENCES[0] == "rgbd_dataset_freiburg3_sitting_halfsphere"
    assert (len(dycheck.SEQUENCES), len(scannet.SCENES)) == (13, 100)
    assert (scannet.SCENES[0], scannet.SCENES[-1]) == ("scene0707_00", "scene0806_00")


def test_sequences_are_told_apart_by_their_exact_names(tmp_path: Path) -> None:
    """A list that is matched by a part of the name would take synchronous2 for synchronous."""
    (tmp_path / "rgbd_bonn_synchronous2").mkdir()
    with pytest.raises(FileNotFoundError, match=r"Bonn in .* lacks 1 of 1 sequences: rgbd_bonn_synchronous; run: "):
        bonn.bonn(tmp_path, ["rgbd_bonn_synchronous"])


def test_a_rendering_that_sintel_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="render=albedo is none of Sintel's renderings: final, clean"):
        sintel.sintel(tmp_path, render="albedo")


def test_what_was_not_prepared_is_said(tmp_path: Path) -> None:
    (tmp_path / "rgbd_bonn_crowd2" / "rgb").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"rgbd_bonn_crowd2 is not prepared: .*; run: python -m prepare.bonn"):
        bonn.bonn(tmp_path, "all")
