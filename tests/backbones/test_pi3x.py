"""Pi3X: published keys, scale, and what priors do. Its reference cases (all full-size) run with those of Pi3."""

import json

import pytest
import torch
import torch.nn.functional as F

from motion4d.backbones.pi3x import Pi3X
from motion4d.backbones.pi3x_priors import PoseAttention, Priors
from motion4d.geometry.poses import rotation_from_9, se3
from motion4d.io.weights import write_safetensors
from tests.reference.manifest import HOME

HEADS = ("points", "pose", "confidence")


def tiny(**changes) -> Pi3X:
    settings = {
        "dim": 32, "encoder_depth": 1, "encoder_heads": 2, "decoder_depth": 4, "decoder_heads": 2, "head_dim": 32,
        "head_depth": 1, "head_heads": 2, "pixel_dim": 16, "camera_dim": 16, "patch_size": 8, "position_grid": 4,
        "layer_scale": 0.5, "pose_layers": (1,), "conv_widths": (8, 8, 8), "metric_dim": 16, "metric_depth": 1,
        "metric_heads": 2,
    }  # fmt: skip
    torch.manual_seed(0)
    return Pi3X(**(settings | changes)).eval()


def poses(views: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    rotation = rotation_from_9(torch.randn(1, views, 9, generator=generator))
    return se3(rotation, torch.randn(1, views, 3, generator=generator))


CLIP = torch.rand(1, 3, 3, 16, 24, generator=torch.Generator().manual_seed(1))
DEPTH = 1 + torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(2))
INTRINSICS = torch.tensor([[20.0, 0, 11.5], [0, 20, 7.5], [0, 0, 1]]).expand(1, 3, 3, 3)


def test_published_checkpoint_has_exactly_these_keys():
    manifest = json.loads((HOME / "pi3" / "manifest_pi3x.json").read_text())
    with torch.device("meta"):
        model = Pi3X()
    assert {key: list(value.shape) for key, value in model.state_dict().items()} == manifest
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_360_032_433


@torch.no_grad()
def test_geometry_is_in_metres():
    model = tiny()
    said, answer = model.predict(CLIP, heads=HEADS), model(CLIP, heads=HEADS)
    assert answer.scale_is_metric
    model.metric_head.bias += torch.log(torch.tensor(2.0))
    doubled = model.predict(CLIP, heads=HEADS)
    assert torch.allclose(doubled.metric, 2 * said.metric)
    assert torch.allclose(doubled.points_camera, 2 * said.points_camera, rtol=1e-4)
    assert torch.allclose(doubled.camera_to_common[..., :3, 3], 2 * said.camera_to_common[..., :3, 3], rtol=1e-4)
    assert torch.equal(doubled.camera_to_common[..., :3, :3], said.camera_to_common[..., :3, :3])
    assert (answer.depth > 0).all()


@torch.no_grad()
@pytest.mark.parametrize(
    "priors",
    [Priors(depth=DEPTH), Priors(intrinsics=INTRINSICS), Priors(camera_to_world=poses(3))],
    ids=["depth", "rays", "poses"],
)
def test_every_prior_matters_alone(priors):
    model = tiny()
    for block in model.pose_inject_blk:
        assert block.ls1.gamma.abs().min() > 0
    without, informed = (model.predict(CLIP, heads=HEADS, priors=p).points_camera for p in (None, priors))
    assert not torch.allclose(without, informed, atol=1e-4)


@torch.no_grad()
def test_the_scale_and_frame_of_the_priors_do_not_matter():
    model, cameras = tiny(), poses(3)
    larger = cameras.clone()
    larger[..., :3, 3] *= 5
    moved = poses(1) @ larger
    a = Priors(depth=DEPTH, camera_to_world=cameras).normalised(CLIP)
    b = Priors(depth=5 * DEPTH, camera_to_world=moved).normalised(CLIP)
    assert torch.allclose(a.depth, b.depth, atol=1e-5)
    assert torch.allclose(a.camera_to_first, b.camera_to_first, atol=1e-4)
    assert model.predict(CLIP, heads=["pose"], priors=Priors(camera_to_world=cameras)).metric.isfinite().all()


def test_what_normalised_priors_are():
    cameras = poses(3)
    depth = DEPTH.clone()
    depth[:, 0, 0, 0], depth[:, 0, 0, 1] = torch.inf, -1
    known = torch.tensor([[True, False, True]])
    given = Priors(depth=depth, camera_to_world=cameras, intrinsics=INTRINSICS, depth_known=known).normalised(CLIP)
    assert (given.depth[:, 0, 0, :2] == 0).all()
    assert (given.depth[:, 1] == 0).all()
    assert given.depth[given.depth > 0].mean() == pytest.approx(1.0, abs=1e-5)
    assert torch.allclose(given.camera_to_first[:, 0], torch.eye(4), atol=1e-5)
    assert given.rays[0, 0, 5, 7].tolist() == pytest.approx([(7 - 11.5) / 20, (5 - 7.5) / 20])
    alone = Priors(camera_to_world=cameras, pose_known=torch.tensor([[False, True, False]])).normalised(CLIP)
    assert not alone.pose_known.any()
    assert alone.camera_to_first[0, 1:, :3, 3].norm(dim=-1).mean() == pytest.approx(1.0, abs=1e-5)


@torch.no_grad()
def test_unposed_views_take_no_part_in_the_exchange():
    model, cameras = tiny(), poses(3)
    known = Priors(camera_to_world=cameras, pose_known=torch.tensor([[True, False, True]])).normalised(CLIP)
    exchange = model._pose_exchange(known, (2, 3))
    tokens = torch.randn(1, 3, 11, 32)
    after = exchange(1, tokens)
    assert torch.equal(after[:, 1], tokens[:, 1])
    assert torch.equal(after[:, :, :5], tokens[:, :, :5])
    assert not torch.allclose(after[:, 0, 5:], tokens[:, 0, 5:])
    assert torch.equal(exchange(2, tokens), tokens)


def test_pose_attention_depends_on_relative_poses_only():
    cameras, other = poses(3)[0], poses(1)[0]
    query, key, value = torch.randn(3, 1, 2, 18, 16)
    here, there = (PoseAttention(world @ cameras, (2, 3), 16, 100.0) for world in (torch.eye(4), other))
    assert torch.allclose(here(query, key, value), there(query, key, value), atol=1e-4)
    still = PoseAttention(torch.eye(4).expand(3, 4, 4), (1, 1), 16, 100.0)
    query, key, value = torch.randn(3, 1, 2, 3, 16)
    plain = F.scaled_dot_product_attention(query, key, value)
    assert torch.allclose(still(query, key, value), plain, atol=1e-5)


def test_without_priors(tmp_path):
    whole, lean = tiny(), tiny(priors=False)
    assert not any(key.startswith(("depth_", "ray_", "pose_inject")) for key in lean.state_dict())
    write_safetensors(tmp_path / "model.safetensors", whole.state_dict())
    lean.load_weights(tmp_path / "model.safetensors")
    assert torch.equal(lean.metric_token, whole.metric_token)
    with pytest.raises(ValueError, match="without the parts that read priors"):
        lean.predict(CLIP, heads=["pose"], priors=Priors(depth=DEPTH))


def test_priors_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"depth is \(1, 3, 16, 16\), but these images need \(1, 3, 16, 24\)"):
        Priors(depth=DEPTH[..., :16]).normalised(CLIP)
    with pytest.raises(ValueError, match="camera_to_world must have the shape"):
        Priors(camera_to_world=torch.eye(4)).normalised(CLIP)


def test_trains_end_to_end():
    model = tiny().train()
    priors = Priors(depth=DEPTH, intrinsics=INTRINSICS, camera_to_world=poses(3))
    answer = model(CLIP, heads=HEADS, priors=priors)
    (answer.points_world.square().mean() + answer.camera_to_world.sum() + answer.confidence.mean()).backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
