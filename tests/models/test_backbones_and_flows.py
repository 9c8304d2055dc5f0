"""Every small backbone with every flow composes under GeoMotion and trains one step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motion4d.cli import build, compose
from motion4d.clip import Clip
from motion4d.data.framed import frame_clip
from motion4d.data.procedural.dataset import ProceduralClips
from motion4d.io.flow_files import write_flow
from tests.backbones.test_contract import SMALL_OPTIONS

CONF = Path(__file__).parents[2] / "conf"
FLOWS = sorted(file.stem for file in (CONF / "flow").glob("*.yaml") if file.stem != "none")
FEW = {"weights": "null", "iterations": "1", "refinements": "1"}  # random networks, one update


@pytest.fixture(scope="module")
def clip() -> Clip:
    """Two frames, large enough for every flow network once they are framed."""
    return ProceduralClips(1, num_frames=2, height=64, width=80)[0]


@pytest.fixture(scope="module")
def data(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip's true flow in the files that flow=precomputed looks for."""
    root = tmp_path_factory.mktemp("data")
    assert clip.flow is not None
    assert clip.flow.backward is not None
    folder = root / "flow" / clip.sources[0].dataset / clip.sources[0].sequence
    for name, flow, frame in (("forward", clip.flow.forward, 0), ("backward", clip.flow.backward, 1)):
        write_flow(folder / name / f"{frame:05d}.flo", flow[0, 0].permute(1, 2, 0).numpy())
    return root


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("backbone", SMALL_OPTIONS)
def test_one_step(backbone: str, flow: str, clip: Clip, data: Path) -> None:
    words = [f"backbone={backbone}", f"flow={flow}", f"paths.data={data}", "model.framing.pixel_limit=20480"]
    keys = (CONF / "flow" / f"{flow}.yaml").read_text()
    config = compose(CONF, [*words, *(f"flow.{key}={value}" for key, value in FEW.items() if f"\n{key}:" in keys)])
    torch.manual_seed(0)
    model, losses = build(config.model), build(config.loss)
    optimizer = build(config.optimizer)([p for p in model.parameters() if p.requires_grad])
    before = {name: value.clone() for name, value in model.named_parameters()}
    framed = frame_clip(clip, model.framing(*clip.size))
    loss = losses(model.train()(framed), framed)["total"]
    loss.backward()
    optimizer.step()
    moved = {name.split(".")[0] for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {"backbone", "head"}
    assert torch.isfinite(loss)
    assert all(torch.isfinite(value).all() for value in model.parameters())
