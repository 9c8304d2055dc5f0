"""Determinism, frozen presets, bad input."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from motion4d.clip import Clip
from motion4d.data.procedural.dataset import ProceduralClips
from motion4d.data.procedural.difficulty import Difficulty

CONFIGS = Path(__file__).parents[3] / "conf" / "data"
PRESETS = ("procedural_easy_v1", "procedural_hard_v1", "procedural_static_v1")


def preset(name: str, part: str) -> ProceduralClips:
    return instantiate(OmegaConf.load(CONFIGS / f"{name}.yaml")[part])


def figures(clip: Clip) -> list[float]:
    """A few numbers that hardly any change of a scene leaves alone."""
    return [
        clip.images.mean().item(),
        clip.images.std().item(),
        clip.motion.float().mean().item(),
        clip.depth.log().mean().item(),
        clip.flow.forward.norm(dim=2).mean().item(),
        clip.camera_to_world[0, -1, :3, 3].norm().item(),
    ]


def test_a_sample_depends_on_seed_and_index_only():
    first, second = ProceduralClips(4, 3, 32, 48, seed=9), ProceduralClips(400, 3, 32, 48, seed=9)
    second[1], first[3]
    a, b = first[2], second[2]
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.flow.forward, b.flow.forward)
    assert a.sources == b.sources
    assert not torch.equal(a.images, first[1].images)
    assert not torch.equal(a.images, ProceduralClips(4, 3, 32, 48, seed=10)[2].images)


def test_samples_have_the_shapes_of_a_clip_and_collate():
    dataset = ProceduralClips(2, 3, 32, 48)
    clip = Clip.collate([dataset[0], dataset[1]])
    assert clip.images.shape == (2, 3, 3, 32, 48)
    assert clip.motion.shape == clip.instances.shape == clip.depth.shape == (2, 3, 32, 48)
    assert clip.flow.backward.shape == (2, 2, 2, 32, 48)
    assert clip.camera_to_world.shape == (2, 3, 4, 4)
    assert clip.intrinsics.shape == (2, 3, 3, 3)
    assert clip.sources[1].frames == ("00000", "00001", "00002")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_build_and_train_and_eval_differ(name):
    train, held_out = preset(name, "train"), preset(name, "eval")
    assert train.name == held_out.name == name
    assert train.seed != held_out.seed
    assert train.difficulty == held_out.difficulty
    assert len(held_out) >= 24


@pytest.mark.parametrize(("alias", "name"), [("easy", "easy_v1"), ("hard", "hard_v1")])
def test_names_without_a_version_point_at_the_newest(alias, name):
    assert OmegaConf.load(CONFIGS / f"procedural_{alias}.yaml").defaults == [f"procedural_{name}"]


FROZEN: dict[tuple[str, int], list[float]] = {
    ("procedural_easy_v1", 0): [0.3293, 0.20671, 0.07644, 1.86219, 0.38949, 0.0],
    ("procedural_easy_v1", 7): [0.38926, 0.10188, 0.16906, 2.12931, 1.22409, 0.0],
    ("procedural_easy_v1", 30): [0.36277, 0.15322, 0.12615, 1.60295, 2.17352, 0.29391],
    ("procedural_hard_v1", 0): [0.46542, 0.15, 0.12531, 2.29144, 3.83024, 1.40657],
    ("procedural_hard_v1", 7): [0.55422, 0.17166, 0.02386, 1.88235, 1.18645, 0.19857],
    ("procedural_hard_v1", 30): [0.344, 0.12159, 0.0543, 3.0384, 6.48496, 1.54154],
    ("procedural_static_v1", 0): [0.41682, 0.2072, 0.0, 2.93567, 1.54175, 0.50064],
    ("procedural_static_v1", 7): [0.54362, 0.13455, 0.0, 1.68619, 1.07634, 0.23473],
}


@pytest.mark.parametrize(("name", "index"), list(FROZEN))
def test_benchmark_versions_are_frozen(name, index):
    """If this fails, published numbers no longer compare: make a new version instead of changing this one."""
    assert figures(preset(name, "eval")[index]) == pytest.approx(FROZEN[name, index], rel=2e-3, abs=2e-4)


def test_a_static_preset_has_nothing_that_moves():
    clip = preset("procedural_static_v1", "eval")[0]
    assert not clip.motion.any()
    assert clip.sources[0].sequence.endswith("static_scene")


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="num_frames=0"):
        ProceduralClips(1, 0)
    with pytest.raises(IndexError):
        ProceduralClips(2)[2]
    with pytest.raises(ValueError, match="object_area must be a pair"):
        Difficulty(object_area=(0.5, 0.1))
    no_world = Difficulty(world_room=0, world_ground=0, world_plane=0, world_far=0)
    with pytest.raises(ValueError, match="weights"):
        ProceduralClips(1, 2, 32, 48, difficulty=no_world)[0]
