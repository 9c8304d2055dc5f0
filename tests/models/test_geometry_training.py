"""Training geometry: what is trained, PAGE-4D's mask over the steps, checkpointing, any backbone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch import nn

from motion4d.backbones.base import Backbone, CapabilityError
from motion4d.backbones.page4d import Page4D, mask_alpha
from motion4d.backbones.pi3 import Pi3
from motion4d.backbones.vggt import VGGT
from motion4d.clip import Clip
from motion4d.framing import Native
from motion4d.losses import camera, dense, gradients
from motion4d.losses.compose import WeightedSum
from motion4d.losses.geometry_truth import normalised
from motion4d.models.geometry_training import TrainableGeometry

SMALL = {
    "dim": 32,
    "encoder_depth": 1,
    "encoder_heads": 2,
    "depth": 4,
    "attention_heads": 2,
    "camera_depth": 1,
    "camera_heads": 2,
    "head_layers": (0, 1, 2, 3),
    "head_widths": (8, 8, 8, 8),
    "head_features": 8,
    "patch_size": 8,
    "position_grid": 4,
    "layer_scale": 0.1,
}
BLOCKS = ("backbone.aggregator.frame_blocks.[2-3].*", "backbone.aggregator.global_blocks.[2-3].*")
LOSS = WeightedSum(
    {
        "T": camera.translation,
        "R": camera.rotation,
        "FL": camera.field_of_view,
        "conf": partial(dense.confidence, of=dense.depth),
        "grad": partial(gradients.differences, of=dense.depth),
    },
    truth=normalised,
)


@dataclass
class Step:
    step: int


def _model(backbone: Backbone | None = None, **settings) -> TrainableGeometry:
    torch.manual_seed(1)
    return TrainableGeometry(backbone or VGGT(**SMALL), Native(multiple=8), **settings)


def _clip() -> Clip:
    torch.manual_seed(2)
    poses = torch.eye(4).repeat(1, 3, 1, 1)
    poses[:, :, 0, 3] = torch.arange(3) * 0.2
    intrinsics = torch.tensor([[30.0, 0, 15.5], [0, 30, 11.5], [0, 0, 1]]).expand(1, 3, 3, 3)
    return Clip(
        torch.rand(1, 3, 3, 24, 32),
        depth=1 + torch.rand(1, 3, 24, 32),
        camera_to_world=poses,
        intrinsics=intrinsics,
    )


def _gradients(model: nn.Module, progress: Step | None = None) -> dict[str, torch.Tensor]:
    clip = _clip()
    LOSS(model(clip, progress), clip)["total"].backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    "backbone",
    [
        lambda: VGGT(**SMALL),
        lambda: Page4D(**SMALL, mask_layer=1, mask_layers=(2, 3), mask="on"),
        lambda: Pi3(
            dim=32,
            encoder_depth=1,
            encoder_heads=2,
            decoder_depth=4,
            decoder_heads=2,
            patch_size=8,
            position_grid=4,
            head_dim=32,
            head_depth=1,
            head_heads=2,
            pixel_dim=32,
            camera_dim=32,
            heads=("points", "pose", "confidence"),
        ),
    ],
    ids=["vggt", "page4d", "pi3"],
)
def test_every_backbone_with_cameras_and_depth_learns(backbone) -> None:
    built = backbone()
    heads = [head for head in ("pose", "depth", "points", "confidence") if head in built.available_heads]
    model = _model(built, heads=heads)
    clip = _clip()
    loss = WeightedSum({"T": camera.translation, "R": camera.rotation, "log": dense.log_regression}, truth=normalised)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    totals = []
    for _ in range(10):
        optimizer.zero_grad()
        total = loss(model(clip), clip)["total"]
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.95 * totals[0]


def test_all_stages_of_the_camera_head_are_predicted() -> None:
    prediction = _model()(_clip())
    assert prediction.pose_encodings is not None
    assert prediction.pose_encodings.shape == (4, 1, 3, 9)
    assert prediction.depth is not None
    assert prediction.depth.shape == (1, 3, 24, 32)
    assert prediction.depth_confidence is not None
    assert prediction.points_world is None


def test_only_what_is_named_is_trained_and_nothing_before_it_has_a_graph() -> None:
    model = _model(trainable=BLOCKS)
    found = _gradients(model)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == set(found)
    assert all(".2." in name or ".3." in name for name in trained)
    layers = model.backbone.aggregator(model.backbone.aggregator.embed(_clip().images), (3, 4), {1, 2})
    assert not layers[1].requires_grad
    assert layers[2].requires_grad


def test_checkpointed_gradients_are_the_same() -> None:
    page4d = Page4D(**SMALL, mask_layer=1, mask_layers=(2, 3))
    plain = _gradients(_model(page4d, trainable=("*",), mask=partial(mask_alpha, hold=5, end=9)), Step(0))
    page4d.zero_grad()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        model = _model(page4d, mask=partial(mask_alpha, hold=5, end=9))
        model(_clip(), Step(0))
        without = sum(kept)
        kept.clear()
        model = _model(page4d, mask=partial(mask_alpha, hold=5, end=9), gradient_checkpointing=True)
        model(_clip(), Step(0))
    assert sum(kept) < 0.8 * without
    again = _gradients(model, Step(0))
    assert plain.keys() == again.keys()
    assert any("spatial_mask_head" in name for name in plain)
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient, atol=1e-7, rtol=1e-5)


def test_frozen_blocks_are_not_computed_twice() -> None:
    model = _model(trainable=BLOCKS, gradient_checkpointing=True)
    calls = {"early": 0, "late": 0}

    def count(name: str):
        def hook(*_) -> None:
            calls[name] += 1

        return hook

    model.backbone.aggregator.frame_blocks[0].attn.register_forward_hook(count("early"))
    model.backbone.aggregator.frame_blocks[2].attn.register_forward_hook(count("late"))
    _gradients(model)
    assert calls == {"early": 1, "late": 2}


def test_the_mask_follows_the_optimizer_steps_in_training_only() -> None:
    backbone = Page4D(**SMALL, mask_layer=1, mask_layers=(2, 3))
    model = _model(backbone, mask=partial(mask_alpha, hold=6000, end=10000)).eval()
    clip = _clip()
    with torch.no_grad():
        strong, middle, gone = (model(clip, Step(step)).pose_encodings for step in (0, 8000, 10000))
        half = backbone.predict(clip.images, heads=("pose",), strength=0.5).pose_encodings
        used = model.geometry(clip, heads=("pose",)).camera_to_world
        plain = backbone(clip.images, heads=("pose",), strength=0.0).camera_to_world
    assert not torch.equal(strong, gone)
    assert torch.equal(middle, half)
    assert torch.equal(used, plain)


def test_what_cannot_be_trained_is_an_error_before_training() -> None:
    with pytest.raises(CapabilityError, match="VGGT has no head depth to train; it offers confidence, points"):
        _model(VGGT(**SMALL, heads=("points",)), heads=("depth",))
    with pytest.raises(CapabilityError, match="VGGT has no mask"):
        _model(mask=partial(mask_alpha, hold=1, end=2))
    with pytest.raises(ValueError, match="no parameter is called backbone.blocks.*; there is"):
        _model(trainable=("backbone.blocks.*",))
