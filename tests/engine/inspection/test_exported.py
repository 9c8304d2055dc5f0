"""Files of published layouts under task=inspect: exact ones pass; those with a usual slip fail, and it is named."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from motion4d.cli import build, compose
from motion4d.clip import Clip, Source
from motion4d.data.procedural.dataset import ProceduralClips
from motion4d.data.procedural.difficulty import Difficulty
from motion4d.engine.errors import Incomplete
from prepare.procedural import LAYOUTS
from tests.engine.inspection.test_checks import INVERTED, TWICE, changed
from tests.prepare.exported import prepare

CONF = Path(__file__).parents[3] / "conf"
SIDEWAYS = {f"camera_{kind}": 0.0 for kind in ("static", "handheld", "pan", "orbit", "dolly", "follow", "track")}
ROOM = Difficulty(**SIDEWAYS, world_ground=0, world_plane=0, world_far=0, camera_speed_px=(8, 10), shake_px=(0, 0))
OPTIONS = {
    "sintel": ("data.sequences=all",),
    "point_odyssey": ("data.shape.size=[96,144]", "data.shape.frames=4", "data.train.windows.strides=[1]"),
}
SLIPS = {
    "depth": (changed(depth=lambda depth: 1.3 * depth), r"the depth is 1\.[23]\d* times too large"),
    "poses": (INVERTED, "the poses are inverted"),
    "intrinsics": (TWICE, "the intrinsics belong to images of another size"),
}


@cache
def room() -> Clip:
    """A room with things in it, past which a camera is carried."""
    clip = ProceduralClips(1, num_frames=4, height=96, width=144, seed=3, difficulty=ROOM)[0]
    return replace(clip, sources=(Source("procedural", "room", clip.sources[0].frames),))


def inspect(layout: str, folder: Path, change: Callable[[Clip], Clip] = lambda clip: clip) -> dict[str, Any]:
    """What task=inspect says of the changed room, written and prepared in a layout."""
    LAYOUTS[layout].write([change(room())], folder / "source")
    sources = [folder / "source" / name for name in LAYOUTS[layout].sources]
    assert prepare(importlib.import_module(f"prepare.{layout}").DATASET, sources, folder / "root") == 0
    words = ["task=inspect", f"data={layout}", f"data.root={folder / 'root'}", f"paths.data={folder}", "samples=1"]
    words += ["flow=dis_fine", "runtime.device=cpu", f"output={folder / 'out'}", *OPTIONS[layout]]
    torch.manual_seed(0)  # of the windows that training views show
    return build(compose(CONF, words).task).run()


@pytest.mark.parametrize("layout", OPTIONS)
def test_exact_files_pass(layout: str, tmp_path: Path) -> None:
    metrics = inspect(layout, tmp_path)
    assert metrics["main"] == {"verdict": "PASS", "samples": 1, "PASS": 1, "WARN": 0, "FAIL": 0}
    assert list(metrics["skipped"]) == ([] if layout == "sintel" else ["eval"])  # which is Sintel, and is not there
    (checks,) = (sample["checks"] for sample in metrics["samples"].values())
    assert checks["cameras"]["motion_px"] > 3
    assert checks["cameras"]["error_px"] < 1


@pytest.mark.parametrize(("layout", "slip"), [*(("sintel", slip) for slip in SLIPS), ("point_odyssey", "poses")])
def test_a_slip_in_the_files_is_named(layout: str, slip: str, tmp_path: Path) -> None:
    change, sentence = SLIPS[slip]
    with pytest.raises(Incomplete, match=rf"1 of 1 samples FAIL; first: .*{sentence}"):
        inspect(layout, tmp_path, change)
