"""Every option of the group flow serves +experiment=geomotion task=predict, or says in a sentence what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motion4d.cli import build, compose
from motion4d.engine.errors import Incomplete
from motion4d.io.masks import read_mask
from prepare import flow as prepare_flow
from tests.flow.texture import moving_texture
from tests.io.media import make_frames, make_video

CONF = Path(__file__).parents[2] / "conf"
OPTIONS = sorted(file.stem for file in (CONF / "flow").glob("*.yaml"))
FRAMED = ["+experiment=geomotion", "task=predict", "model.framing.pixel_limit=20480", "runtime.device=cpu"]  # 128x160
FEW = {"weights": "null", "iterations": "1", "refinements": "1"}  # random networks, one update


def frames() -> list[np.ndarray]:
    """Three frames of 64x80 pixels, two of them the first one moved."""
    images = moving_texture(64, 80, u=2, v=-1, frames=3).images[0]
    return list((images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy())


def predict(path: Path, output: Path, option: str, *overrides: str) -> Any:
    """The finished summaries of one command line."""
    words = [*FRAMED, f"flow={option}", f"input={path}", f"output={output}", *overrides]
    settings = compose(CONF, words).flow or {}
    few = [f"flow.{key}={value}" for key, value in FEW.items() if key in settings]
    torch.manual_seed(0)
    return build(compose(CONF, [*words, *few]).task).run()


@pytest.mark.parametrize("option", [option for option in OPTIONS if option not in ("none", "precomputed")])
def test_computed_flow(option: str, tmp_path: Path) -> None:
    folder = make_frames(tmp_path / "walk", frames())
    (summary,) = predict(folder, tmp_path / "out", option).values()
    assert summary["frames"] == 3
    assert read_mask(tmp_path / "out" / "masks" / "00002.png").shape == (64, 80)


def test_prepared_flow_of_a_folder_of_videos_and_frames(tmp_path: Path) -> None:
    """Files at native size, found by the names that prepare.flow gives them, framed like the images."""
    make_frames(tmp_path / "set" / "walk", frames())
    make_video(tmp_path / "set" / "drive.mp4", frames())
    assert prepare_flow.main(["--input", str(tmp_path / "set"), "--root", str(tmp_path / "flow")]) == 0
    root = f"flow.root={tmp_path / 'flow'}"
    summaries = predict(tmp_path / "set", tmp_path / "out", "precomputed", root)
    assert [summaries[name]["frames"] for name in ("drive", "walk")] == [3, 3]
    for file in (tmp_path / "flow" / "set" / "walk" / "forward").iterdir():
        file.unlink()
    with pytest.raises(Incomplete, match=r"no precomputed flow .*set/walk/forward/00000.flo"):
        predict(tmp_path / "set", tmp_path / "again", "precomputed", root)


def test_no_flow_is_a_sentence(tmp_path: Path) -> None:
    folder = make_frames(tmp_path / "walk", frames())
    with pytest.raises((Incomplete, ValueError), match=r"needs optical flow: .*flow=dis"):
        predict(folder, tmp_path / "out", "none")
