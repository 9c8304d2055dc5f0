"""Checkpoint layouts: names and shapes of the published files, round trips of ours, wrong files."""

import json

import pytest
import torch

from motion4d.io.weights import WeightsError, write_safetensors
from motion4d.models.geomotion import GeoMotion
from motion4d.models.geomotion_weights import load_pi3, load_published, load_trained, save_trained, to_published
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


def _tiny(**settings) -> GeoMotion:
    model = build(TINY.params["config"], **settings).to_empty(device="cpu")
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
    load_published(model, path)
    assert _same(to_published(model), published)


def test_pi3_file_starts_a_training(tmp_path) -> None:
    pi3 = _seeded("pi3/manifest_pi3_tiny.json", 2)
    write_safetensors(tmp_path / "model.safetensors", pi3)
    model = _tiny()
    with torch.no_grad():
        model.head.fusion.fusion_proj.weight.fill_(7.0)
    load_pi3(model, tmp_path / "model.safetensors")
    after = to_published(model)
    assert _same({name: value for name, value in after.items() if name in pi3}, pi3)
    assert (after["motion_aware_decoder.fusion_proj.weight"] == 7).all()


def test_trained_parts_combine_with_pi3(tmp_path, published) -> None:
    torch.save(published, tmp_path / "best_model.pth")
    first = _tiny()
    load_published(first, tmp_path / "best_model.pth")
    save_trained(first, tmp_path / "trained.safetensors")
    frozen = {name: value for name, value in published.items() if name.split(".")[0] not in _TRAINED}
    confidence = {name: value + 1 for name, value in published.items() if name.startswith("conf_")}
    write_safetensors(tmp_path / "pi3.safetensors", frozen | confidence)
    second = _tiny()
    load_pi3(second, tmp_path / "pi3.safetensors")
    load_trained(second, tmp_path / "trained.safetensors")
    assert _same(to_published(second), published)
    sizes = [(tmp_path / name).stat().st_size for name in ("trained.safetensors", "best_model.pth")]
    assert sizes[0] < 0.4 * sizes[1]


_TRAINED = ("conf_decoder", "conf_head", "motion_aware_decoder")


@pytest.mark.parametrize("freeze", [True, False])
def test_round_trip_of_any_composition(tmp_path, freeze: bool) -> None:
    path = tmp_path / "trained.safetensors"
    first, second = toy_model(freeze_backbone=freeze), toy_model()
    save_trained(first, path, metadata={"seed": "0"})
    load_trained(second, path)
    assert _same(first.head.state_dict(), second.head.state_dict())
    assert _same(first.backbone.state_dict(), second.backbone.state_dict()) != freeze


def test_files_of_another_kind_are_named(tmp_path, published) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, _seeded("pi3/manifest_pi3_tiny.json", 2))
    with pytest.raises(ValueError, match="looks like Pi3"):
        load_published(_tiny(), path)
    write_safetensors(path, published)
    with pytest.raises(ValueError, match="is a GeoMotion checkpoint"):
        load_pi3(_tiny(), path)
    with pytest.raises(ValueError, match="published layout"):
        load_trained(_tiny(), path)
    write_safetensors(path, {name: value for name, value in published.items() if "conf_head" not in name})
    with pytest.raises(WeightsError, match="missing"):
        load_published(_tiny(), path)


def test_published_layouts_need_the_published_head(tmp_path, published) -> None:
    class Other(torch.nn.Module):
        taps = ()

    model = toy_model(lambda backbone: Other())
    with pytest.raises(ValueError, match="FusionHead"):
        load_published(model, tmp_path / "best_model.pth")
