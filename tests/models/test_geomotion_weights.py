"""Checkpoint layouts: names and shapes of the published files, round trips of ours, wrong files."""

import json

import pytest
import torch

from motion4d.engine.weights import load_part, trainable_state
from motion4d.io.weights import WeightsError, write_safetensors
from motion4d.models.geomotion import GeoMotion
from motion4d.models.geomotion_weights import FUSION, to_published
from motion4d.models.motion_head import MotionHead
from tests.models.test_geomotion import _model as toy_model
from tests.reference.manifest import HOME, load
from tests.reference.procedures.geomotion import build
from tests.reference.seeded import seeded_state_dict

CASES = {case.name: case for case in load(HOME / "geomotion")}
TINY = CASES["geomotion_tiny_n3_70x98"]


def _manifest(name: str) -> dict[str, list[int]]:
    return json.loads((HOME / name).read_text())


def _seeded(manifest: str, seed: int) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in seeded_state_dict(_manifest(manifest), seed).items()}


def _tiny() -> GeoMotion:
    model = build(TINY.params["config"]).to_empty(device="cpu")
    for value in model.state_dict().values():
        value.zero_()
    return model


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    return _seeded("geomotion/manifest_geomotion_tiny.json", 1)


def _same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_full_size_names_and_shapes_are_the_published_ones() -> None:
    model = build(CASES["geomotion_large_n3_70x98"].params["config"])
    shapes = {name: list(value.shape) for name, value in to_published(model).items()}
    assert shapes == _manifest("geomotion/manifest_best_model.json")
    assert len(shapes) == 1220
    assert sum(parameter.numel() for parameter in model.parameters()) == 972_687_132
    assert sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad) == 80_320_196


@pytest.mark.parametrize("plain", [True, False])
def test_published_checkpoint(tmp_path, published, plain: bool) -> None:
    path = tmp_path / "best_model.pth"
    torch.save(published if plain else {"epoch": 3, "model_state_dict": published, "best_iou": 0.5}, path)
    model = _tiny()
    model.load_checkpoint(path)
    assert _same(to_published(model), published)


def test_pi3_file_starts_a_training(tmp_path) -> None:
    pi3, path = _seeded("pi3/manifest_pi3_tiny.json", 2), tmp_path / "model.safetensors"
    write_safetensors(path, pi3)
    model = _tiny()
    with torch.no_grad():
        model.head.fusion.fusion_proj.weight.fill_(7.0)
    for part in ("backbone", "head"):
        load_part(model, part, path)
    after = to_published(model)
    assert _same({name: value for name, value in after.items() if name in pi3}, pi3)
    assert (after["motion_aware_decoder.fusion_proj.weight"] == 7).all()


def test_trained_parts_combine_with_pi3(tmp_path, published) -> None:
    """A frozen backbone is not in our files; with Pi3's own file they give the published model again."""
    torch.save(published, tmp_path / "best_model.pth")
    first, second = _tiny(), _tiny()
    first.load_checkpoint(tmp_path / "best_model.pth")
    trained = trainable_state(first)
    write_safetensors(tmp_path / "trained.safetensors", trained)
    assert all(name.startswith("head.") for name in trained)
    pi3 = {name: value + name.startswith("conf_") for name, value in published.items() if not name.startswith(FUSION)}
    write_safetensors(tmp_path / "pi3.safetensors", pi3)
    second.backbone.load_weights(tmp_path / "pi3.safetensors")
    second.load_checkpoint(tmp_path / "trained.safetensors")
    assert _same(to_published(second), published)


@pytest.mark.parametrize("freeze", [True, False])
def test_round_trip_of_any_composition(tmp_path, freeze: bool) -> None:
    first, second = toy_model(freeze_backbone=freeze), toy_model()
    write_safetensors(tmp_path / "trained.safetensors", trainable_state(first))
    second.load_checkpoint(tmp_path / "trained.safetensors")
    assert _same(first.head.state_dict(), second.head.state_dict())
    assert _same(first.backbone.state_dict(), second.backbone.state_dict()) != freeze


def test_a_missing_entry_is_named(tmp_path, published) -> None:
    path = tmp_path / "best_model.safetensors"
    write_safetensors(path, {name: value for name, value in published.items() if "conf_head.proj.bias" not in name})
    with pytest.raises(WeightsError, match=r"missing \(pixels.proj.bias\)"):
        _tiny().load_checkpoint(path)


def test_files_of_another_kind_are_named(tmp_path, published) -> None:
    pi3, best = tmp_path / "model.safetensors", tmp_path / "best_model.safetensors"
    write_safetensors(pi3, _seeded("pi3/manifest_pi3_tiny.json", 2))
    write_safetensors(best, published)
    with pytest.raises(WeightsError, match="looks like Pi3's own file"):
        _tiny().load_checkpoint(pi3)
    with pytest.raises(WeightsError, match="looks like GeoMotion; you chose Pi3"):
        _tiny().backbone.load_weights(best)
    with pytest.raises(WeightsError, match="fits its FusionHead"):
        toy_model(lambda backbone: MotionHead()).load_checkpoint(best)
    config = TINY.params["config"]
    with_confidence = build(config, heads=("points", "pose", "confidence"))
    with pytest.raises(WeightsError, match="backbone=pi3_geomotion"):
        with_confidence.load_checkpoint(best)
