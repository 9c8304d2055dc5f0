"""The options of conf/model and conf/loss that belong to GeoMotion compose, and build what they say."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from motion4d.losses.compose import WeightedSum
from motion4d.models.geomotion import GeoMotion

CONF = Path(__file__).parents[2] / "conf"


def _build(group: str, *overrides: str):
    with initialize_config_dir(str(CONF), version_base=None), torch.device("meta"):
        return instantiate(compose(overrides=list(overrides))[group])


def test_published_model() -> None:
    model = _build("model", "+model=geomotion", "+backbone=pi3_geomotion", "+flow=dis")
    assert isinstance(model, GeoMotion)
    assert sum(p.numel() for p in model.parameters()) == 972_687_132
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 80_320_196
    assert model.backbone.normalizations == 2
    assert model.framing(480, 854).size == (518, 518)


@pytest.mark.parametrize("option", sorted(path.stem for path in (CONF / "loss").glob("*.yaml")))
def test_losses(option: str) -> None:
    loss = _build("loss", f"+loss={option}")
    assert isinstance(loss, WeightedSum)
    assert loss.weights.keys() == loss.terms.keys()
    masks, cameras, pairs, parts = {"bce", "dice"}, {"T", "R", "FL"}, {"conf_1", "conf_2"}, {"mask", "coord"}
    assert any(terms <= loss.terms.keys() for terms in (masks, cameras, pairs, parts))


def test_a_weight_is_one_override() -> None:
    assert _build("loss", "+loss=geomotion", "loss.weights.dice=2").weights == {"bce": 1.0, "dice": 2.0, "iou": 0.0}
