"""Every small backbone with every flow: the command line composes, trains one step, evaluates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from motion4d.cli import build, compose
from motion4d.data.sampling import Clips
from motion4d.io.flow_files import write_flow
from motion4d.io.weights import read_state_dict
from tests.backbones.test_contract import SMALL_OPTIONS

CONF = Path(__file__).parents[2] / "conf"
FLOWS = sorted(file.stem for file in (CONF / "flow").glob("*.yaml") if file.stem != "none")
FEW = {"weights": "null", "iterations": "1", "refinements": "1"}  # random networks, one update
TINY = [
    *("+experiment=geomotion", "data=procedural_easy", "baselines=null", "checkpoint=none"),
    *("data.train.num_clips=1", "data.train.num_frames=2", "data.train.height=64", "data.train.width=80"),
    *("data.eval.num_clips=1", "data.eval.num_frames=2", "data.eval.height=64", "data.eval.width=80"),
    *("model.framing.pixel_limit=20480", "training.steps=1", "training.batch_size=1", "training.pictures=0"),
    *("runtime.device=cpu", "runtime.workers=0", "runtime.threads=1"),
]


def export(clips: Clips, root: Path) -> None:
    """The true flow of all clips as the files that flow=precomputed looks for."""
    for index in range(len(clips)):
        clip = clips[index]
        assert clip.flow is not None
        assert clip.flow.backward is not None
        source = clip.sources[0]
        folder = root / source.dataset / source.sequence
        for k, (first, second) in enumerate(zip(source.frames, source.frames[1:], strict=False)):
            write_flow(folder / "forward" / f"{first}.flo", clip.flow.forward[0, k].permute(1, 2, 0).numpy())
            write_flow(folder / "backward" / f"{second}.flo", clip.flow.backward[0, k].permute(1, 2, 0).numpy())


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("backbone", SMALL_OPTIONS)
def test_one_step(backbone: str, flow: str, tmp_path: Path) -> None:
    words = [*TINY, f"backbone={backbone}", f"flow={flow}", f"output={tmp_path}", f"paths.data={tmp_path / 'data'}"]
    keys = (CONF / "flow" / f"{flow}.yaml").read_text()
    words += [f"flow.{key}={value}" for key, value in FEW.items() if f"\n{key}:" in keys]
    torch.manual_seed(0)
    config = compose(CONF, words)
    if flow == "precomputed":
        data = build(config.data)
        for part in ("train", "eval"):
            export(data[part], tmp_path / "data" / "flow")
    task: Any = build(config.task)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    summary = task.run()
    assert 0 <= summary["main"]["J"] <= 1
    after = read_state_dict(tmp_path / "weights.safetensors")
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert any(name.startswith("backbone.") for name in moved)
    assert any(name.startswith("head.") for name in moved)
    assert not any(name.startswith("flow.") for name in after)
    assert all(torch.isfinite(value).all() for value in after.values())
