"""Determinism, frozen versions, sizes, batches, bad input."""

import pickle
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from motion4d.data.articulated.dataset import ProceduralParts
from motion4d.data.articulated.variety import Variety
from motion4d.part import PartQuery

CONFIGS = Path(__file__).parents[3] / "conf" / "data"


def figures(query: PartQuery) -> list[float]:
    """A few numbers that hardly any change of a sample leaves alone."""
    return [
        query.images.mean().item(),
        query.images.std().item(),
        query.truth.mask.float().mean().item(),
        query.depth.log().mean().item(),
        query.truth.trajectory[0, -1].norm().item(),
        query.truth.axis[0, 2].item(),
    ]


def test_a_sample_depends_on_seed_and_index_only():
    first, second = ProceduralParts(4, 48, 64, seed=9), ProceduralParts(400, 48, 64, seed=9)
    second[1], first[3]
    a, b = first[2], second[2]
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.truth.trajectory, b.truth.trajectory)
    assert a.texts == b.texts
    assert a.sources == b.sources
    assert not torch.equal(a.images, first[1].images)
    assert not torch.equal(a.images, ProceduralParts(4, 48, 64, seed=10)[2].images)
    assert first.identity == second.identity != ProceduralParts(4, 48, 64, seed=10).identity


def test_samples_have_the_shapes_of_a_query_and_collate():
    dataset = ProceduralParts(3, 48, 64)
    query = PartQuery.collate([dataset[index] for index in range(3)])
    assert query.images.shape == (3, 3, 48, 64)
    assert query.images.min() >= 0
    assert query.images.max() <= 1
    assert query.depth.shape == (3, 48, 64)
    assert query.intrinsics.shape == (3, 3, 3)
    assert query.truth.mask.shape == (3, 48, 64)
    assert query.truth.mask.dtype == torch.bool
    assert query.truth.kind.shape == (3,)
    assert query.truth.trajectory.shape == (3, 20, 3)
    assert query.truth.track.shape == (3, 20, 2)
    assert query.sources[1].native == (48, 64)
    assert query.sources[1].diagonal > 0


@pytest.mark.parametrize("size", [(96, 64), (51, 77), (33, 120)])
def test_any_size_of_frame(size):
    dataset = ProceduralParts(4, *size)
    for index in range(4):
        query = dataset[index]
        assert query.size == size
        assert query.truth.mask.float().mean() >= dataset.variety.least_mask_share


def test_a_dataset_travels_to_a_worker():
    dataset = ProceduralParts(2, 48, 64, seed=3)
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[1].images, dataset[1].images)  # noqa: S301


def test_names_without_a_version_point_at_the_newest():
    assert OmegaConf.load(CONFIGS / "procedural_parts.yaml").defaults == ["procedural_parts_v1"]


def test_training_and_held_out_samples_differ():
    config = OmegaConf.load(CONFIGS / "procedural_parts_v1.yaml")
    train, held_out = instantiate(config.train), instantiate(config.eval)
    assert train.name == held_out.name == "procedural_parts_v1"
    assert train.seed != held_out.seed
    assert train.variety == held_out.variety
    assert len(held_out) >= 96


FROZEN: dict[int, list[float]] = {
    0: [0.4015, 0.11702, 0.20254, 0.56354, 1.26353, -0.39047],
    7: [0.3808, 0.09662, 0.03892, 0.99098, 2.07134, 0.42683],
    30: [0.38634, 0.11081, 0.12339, 0.01827, 1.56576, -0.2805],
    100: [0.43531, 0.19419, 0.08022, 0.16985, 1.05566, -0.44642],
}


@pytest.mark.parametrize("index", list(FROZEN))
def test_benchmark_versions_are_frozen(index):
    """If this fails, published numbers no longer compare: make a new version instead of changing this one."""
    dataset = instantiate(OmegaConf.load(CONFIGS / "procedural_parts_v1.yaml").eval)
    assert figures(dataset[index]) == pytest.approx(FROZEN[index], rel=2e-3, abs=2e-4)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="num_samples=0"):
        ProceduralParts(0)
    with pytest.raises(IndexError, match="sample 2 of 2"):
        ProceduralParts(2)[2]
    with pytest.raises(ValueError, match=r"Variety.fill must be a pair"):
        Variety(fill=(0.9, 0.5))
    with pytest.raises(ValueError, match=r"Variety.columns must lie between 1 and 3"):
        Variety(columns=(1, 4))
    with pytest.raises(ValueError, match="no wall behind"):
        Variety(yaw=(-70, 10))
    with pytest.raises(ValueError, match="lower Variety.least_mask_share"):
        ProceduralParts(1, 24, 32, variety=Variety(least_mask_share=0.99))[0]
