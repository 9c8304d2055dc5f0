"""The benchmarks of MonST3R's tables: which protocol scores each of them, and that their published rows are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.published import published_on
from motion4d.cli import build, compose
from motion4d.layouts.sintel import FRAMES

CONF = Path(__file__).parents[2] / "conf"
DEPTH = {
    "sintel_depth_monst3r": "sintel_monst3r",
    "bonn_monst3r": "bonn_monst3r",
    "kitti_depth_monst3r": "kitti_monst3r",
    "sintel_mono": "sintel_mono",
    "bonn_mono": "bonn_mono",
    "kitti_mono": "kitti_mono",
    "nyu_depth": "nyu",
}


@pytest.mark.parametrize(("option", "protocol"), DEPTH.items())
def test_depth_is_scored_as_published(option: str, protocol: str) -> None:
    clips = build(compose(CONF, [f"data={option}", "output=out"]).data.eval)
    assert (clips.depth_protocol, clips.pose_protocol) == (protocol, None)
    assert [row for row in published_on(clips.name, []) if row.system == "MonST3R" and row.protocol == protocol]


@pytest.mark.parametrize("option", ["sintel", "tum_dynamics", "scannet"])
def test_poses_have_published_rows(option: str) -> None:
    clips = build(compose(CONF, [f"data={option}", "output=out"]).data.eval)
    rows = [row for row in published_on(clips.name, []) if row.system == "MonST3R"]
    assert clips.pose_protocol in {row.protocol for row in rows}


def test_all_of_sintel_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "sintel" / "training" / "final" / "alley_1").mkdir(parents=True)
    clips = build(compose(CONF, ["data=sintel_depth_monst3r", f"paths.data={tmp_path}", "output=out"]).data.eval)
    with pytest.raises((FileNotFoundError, ValueError), match="prepare.sintel"):
        len(clips)
    assert len(FRAMES) == 23
