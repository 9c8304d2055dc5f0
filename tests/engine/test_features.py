"""task=features draws every layer of any small backbone, with the weights that a prediction would use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motion4d.cli import build, compose
from motion4d.io.images import read_image
from tests.io.media import make_video, moving_square

CONF = Path(__file__).parents[2] / "conf"


def draw(path: Path | None, output: Path, *words: str) -> Any:
    inputs = [] if path is None else [f"input={path}"]
    shared = ["task=features", "model.framing.pixel_limit=3072", "runtime.device=cpu", f"output={output}"]
    return build(compose(CONF, [*shared, *inputs, *words]).task).run()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    make_video(tmp_path / "walk.mp4", moving_square(5))
    return tmp_path / "walk.mp4"


@pytest.mark.parametrize(("option", "layers"), [("pi3_small", 2), ("vggt_small", 4), ("page4d_small", 4)])
def test_a_picture_per_layer(video: Path, tmp_path: Path, option: str, layers: int) -> None:
    summary = draw(video, tmp_path / "out", f"backbone={option}", "checkpoint=none", "max_frames=3")
    assert summary == {"walk": {"frames": 3, "layers": layers}}
    pictures = [read_image(file) for file in sorted((tmp_path / "out").glob("layer_*.png"))]
    assert len(pictures) == layers
    assert not np.array_equal(pictures[0], pictures[1])
    assert len({picture.shape for picture in pictures}) == 1


def test_shipped_weights_change_the_maps(video: Path, tmp_path: Path) -> None:
    for name, words in {"shipped": [], "untrained": ["checkpoint=none"]}.items():
        draw(video, tmp_path / name, "+experiment=geomotion", "max_frames=2", *words)
    shipped, untrained = (read_image(tmp_path / name / "layer_01.png") for name in ("shipped", "untrained"))
    assert not np.array_equal(shipped, untrained)


def test_no_input_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="input= is missing: give a video"):
        draw(None, tmp_path)
