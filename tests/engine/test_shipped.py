"""The weights that ship: they fit the configured network, stay small, and say what moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir

from motion4d.cli import build, register_resolvers
from motion4d.clip import Clip
from motion4d.data.framed import frame_clip
from motion4d.data.procedural.dataset import ProceduralClips
from motion4d.engine.shipped import (
    SHIPPED_GEOMETRY_WINDOW,
    SHIPPED_WINDOW,
    shipped_geometry_model,
    shipped_model,
    small_geometry_model,
    small_model,
)
from motion4d.engine.weights import resolve_checkpoint
from motion4d.engine.windows import segment_clip
from motion4d.metrics.depth_protocols import NEAR
from motion4d.metrics.segmentation import pixel_counts

ROOT = Path(__file__).parents[2]


def _composed(*overrides: str) -> Any:
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("config", overrides=[*overrides, "output=out"])


def test_python_and_configuration_describe_one_network() -> None:
    config = _composed("+experiment=geomotion")
    model, window = build(config.model), build(config.window)
    ours = small_model()
    shapes = {name: tensor.shape for name, tensor in ours.state_dict().items()}
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == shapes
    assert repr(model) == repr(ours)
    assert (model.framing, window, model.freeze_backbone) == (ours.framing, SHIPPED_WINDOW, ours.freeze_backbone)
    assert vars(model.flow) == vars(ours.flow)
    assert model.head.taps == ours.head.taps


def test_python_and_configuration_describe_one_geometry_network() -> None:
    config = _composed("+experiment=page4d")
    model, ours = build(config.model), small_geometry_model()
    assert build(config.window) == SHIPPED_GEOMETRY_WINDOW
    assert repr(model.backbone) == repr(ours.backbone)
    assert model.framing == ours.framing
    for name in ("mask_strength", "mask_layer", "biased", "mask_gate", "head_layers", "patch_size"):
        assert getattr(model.backbone, name) == getattr(ours.backbone, name)
    shapes = {name: tensor.shape for name, tensor in ours.state_dict().items()}
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == shapes
    assert sum(p.numel() for p in ours.parameters()) < 4_500_000


def test_files_and_networks_are_small() -> None:
    for name in ("geomotion.safetensors", "page4d.safetensors"):
        path = resolve_checkpoint("shipped", shipped=name)
        assert path is not None
        assert path.stat().st_size <= 12e6
    assert sum(p.numel() for p in small_model().parameters()) <= 4_000_000


def test_finds_what_moves_in_unseen_scenes() -> None:
    """Short clips of the easy family, none of which any training saw: most of what moves is found, little else."""
    overrides = ["data=procedural_easy", "data.eval.num_clips=8", "data.eval.num_frames=4", "data.eval.seed=4711"]
    clips, model = build(_composed(*overrides).data)["eval"], shipped_model()
    ious = []
    for index in range(len(clips)):
        clip = clips[index]
        masks = segment_clip(model, clip, SHIPPED_WINDOW).masks()[0].numpy()
        if clip.motion.any():
            ious.append(pixel_counts(clip.motion[0].numpy(), masks).iou)
        else:
            assert masks.mean() < 0.05
    assert np.mean(ious) > 0.6


def test_a_still_camera_on_a_still_scene_shows_nothing() -> None:
    frame = ProceduralClips(num_clips=1, num_frames=1, seed=3)[0].images
    clip = Clip(frame.expand(-1, 4, -1, -1, -1).contiguous())
    masks = segment_clip(shipped_model(), clip, SHIPPED_WINDOW).masks()
    assert masks.float().mean() < 0.02


def test_half_precision_changes_few_pixels() -> None:
    clip = ProceduralClips(num_clips=4, num_frames=4, seed=99)[1]
    model = shipped_model()
    exact = segment_clip(model, clip, SHIPPED_WINDOW).masks()
    rounded = segment_clip(
        model, clip, SHIPPED_WINDOW, autocast=lambda: torch.autocast("cpu", dtype=torch.bfloat16)
    ).masks()
    assert (exact != rounded).float().mean() <= 0.005


def test_depth_of_unseen_scenes_is_far_better_than_a_wall() -> None:
    """Short clips of the kind that the geometry network was trained on, none of which any training saw."""
    sizes = [f"data.scenes.eval.{name}" for name in ("num_clips=6", "num_frames=5", "seed=4711")]
    clips, model = build(_composed("data=procedural_geometry", *sizes).data)["eval"], shipped_geometry_model()
    errors, walls = [], []
    for index in range(len(clips)):
        clip = clips[index]
        framing = model.framing(*clip.size)
        with torch.no_grad():
            said = model.geometry(frame_clip(clip, framing), heads=("pose", "depth"))
        truth = clip.depth[0].numpy()
        depth = framing.undo_values(said.depth)[0].numpy()
        for found, one in ((errors, depth), (walls, np.ones_like(truth))):
            found.append(NEAR.average(NEAR.score(one, truth)).row["AbsRel"])
    assert np.mean(errors) < 0.75 * np.mean(walls)
