"""conf/: every experiment and every option of every group composes and builds; the surface is frozen by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from motion4d.cli import build, check_targets, register_resolvers

CONF = Path(__file__).parents[1] / "conf"

# What users type. A new name here is a promise; removing one breaks somebody's command.
GROUPS = [
    "alignment",
    "backbone",
    "data",
    "dynamics",
    "evaluation",
    "experiment",
    "flow",
    "graph",
    "hydra",
    "loss",
    "model",
    "optimizer",
    "paths",
    "refine",
    "runtime",
    "scheduler",
    "task",
    "tracker",
]
KEYS = [
    *("alignment", "backbone", "baselines", "checkpoint", "data", "dynamics", "evaluation", "flow", "graph", "input"),
    *("loss", "model", "name", "optimizer", "output", "paths", "pretrained", "refine", "resume", "runtime"),
    *("scheduler", "seed", "task", "threshold", "tracker", "training", "window"),
]


def options(group: str) -> list[str]:
    """Names of the options of a group."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


ALL = [(group, option) for group in GROUPS if group not in ("experiment", "hydra") for option in options(group)]

# options that stand on one particular network
PARTNERS = {
    ("model", "geomotion"): ["backbone=pi3"],
    ("model", "monst3r"): ["backbone=monst3r"],
    ("model", "pairs_small"): ["backbone=monst3r_small"],
    ("model", "page4d"): ["backbone=page4d"],
    ("model", "page4d_small"): ["backbone=page4d_conv"],
    ("model", "pairs"): ["backbone=monst3r_small"],
}


@pytest.fixture(autouse=True, scope="module")
def _hydra() -> Iterator[None]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def composed(*overrides: str) -> Any:
    """The configuration of one command line."""
    return compose("config", overrides=[*overrides, "output=out", "input=clip.mp4"])


def built_without_memory(config: Any) -> Any:
    """Build on the meta device: names and shapes, but no numbers."""
    with torch.device("meta"):
        return build(config)


def test_the_option_surface_is_what_it_was() -> None:
    assert sorted(folder.name for folder in CONF.iterdir() if folder.is_dir()) == GROUPS
    assert sorted(composed()) == KEYS


@pytest.mark.parametrize("experiment", options("experiment"))
@pytest.mark.parametrize("task", options("task"))
def test_every_experiment_builds_every_task(experiment: str, task: str) -> None:
    overrides = [f"+experiment={experiment}", f"task={task}"]
    config = composed(*overrides)
    if "shipped" in config.baselines:  # it reads the weights of the package: built where they are tested
        config = composed(*overrides, "baselines.shipped=null")
    assert hasattr(built_without_memory(config.task), "run")


@pytest.mark.parametrize(("group", "option"), ALL)
def test_every_option_composes_and_builds(group: str, option: str) -> None:
    config = composed(f"{group}={option}", *PARTNERS.get((group, option), []))
    OmegaConf.to_container(config, resolve=True)
    if "_target_" in (config[group] or {}) or group == "data":
        built_without_memory(config[group])


@pytest.mark.filterwarnings(r"ignore:\s*.hydra.launcher")
@pytest.mark.parametrize("launcher", options("hydra/launcher"))
def test_every_launcher_preset_composes(launcher: str) -> None:
    config = compose("config", overrides=[f"hydra/launcher={launcher}", "output=out"], return_hydra_config=True)
    assert config.hydra.launcher.tasks_per_node == 1
    assert config.hydra.launcher.timeout_min > 60
    assert config.hydra.launcher.gpus_per_node is not None


def test_published_schedule_of_geomotion() -> None:
    config = composed("+experiment=geomotion_paper")
    assert (config.optimizer.lr, config.optimizer.weight_decay) == (5e-5, 0.05)
    assert config.training.epochs == 20
    assert config.training.clip_norm == 1.0
    assert config.optimizer.lr * config.scheduler.final == pytest.approx(5e-6)
    assert config.backbone.normalizations == 2


def test_published_data_of_geomotion() -> None:
    data = composed("+experiment=geomotion_paper").data
    assert list(data.train.shares.values()) == [0.15, 0.2, 0.2, 0.25, 0.2]
    parts = data.train.datasets
    assert list(parts) == list(data.train.shares)
    assert {name: part.frames.get("strides") for name, part in parts.items()} == {
        "got10k": [4],
        "hoi4d": [1],
        "dynamic_replica": None,
        "gotmoving": [1, 2, 4],
        "dynamicverse": [1],
    }
    assert {part.frames.num_frames for part in parts.values()} == {12}
    assert (data.eval.layout.root, data.eval.frames.strides, data.eval.frames.centred) == ("data/test", [2], True)


def test_published_data_of_page4d() -> None:
    """Composed and built without any data."""
    data = composed("data=page4d_mixture", "data.views.margin=3").data
    parts = data.train.datasets
    assert dict(data.train.lengths) == {
        **{"point_odyssey": 5000, "point_odyssey_val": 1000, "point_odyssey_test": 1000, "dynamic_replica": 10000},
        **{"dynamic_replica_valid": 1000, "kubric": 5000, "spring_left": 2500, "spring_right": 2500},
        **{"co3d": 10000, "waymo": 10000},
    }
    assert {name: part.windows.get("strides") for name, part in parts.items()} == {
        **dict.fromkeys(["point_odyssey", "point_odyssey_val", "point_odyssey_test"], list(range(1, 9))),
        **dict.fromkeys(["dynamic_replica", "dynamic_replica_valid"], [1, 2, 3, 4]),
        **dict.fromkeys(["kubric", "waymo"], [1]),
        **dict.fromkeys(["spring_left", "spring_right"], [1, 2, 3]),
        "co3d": None,
    }
    assert [parts[name].layout.split for name in ("point_odyssey_val", "dynamic_replica_valid")] == ["val", "valid"]
    assert {part.views.margin for part in parts.values()} == {3}
    with pytest.raises(FileNotFoundError, match=r"run: python -m prepare\.point_odyssey"):
        len(built_without_memory(data.train))


def test_training_batches_is_built_from_its_keys() -> None:
    keys = "{_target_:motion4d.data.dynamic_batches.DynamicBatches,frames:[2,4],aspect:[0.5,1.0],width:84}"
    training = build(composed(f"training.batches={keys}").training)
    assert (training.batches.frames, training.batches.width, training.batches.max_images) == ([2, 4], 84, 32)
    with pytest.raises(Exception, match="frames="):
        build(composed(f"training.batches={keys}", "training.batches.frames=[4,2]").training)
    with pytest.raises(Exception, match="imges"):
        build(composed(f"training.batches={keys}", "+training.batches.max_imges=3").training)


def test_the_published_recipe_also_builds_on_procedural_scenes() -> None:
    config = composed("+experiment=geomotion_paper", "data=procedural", "data.train.num_frames=12")
    assert len(built_without_memory(config.data)["train"]) == 20000
    assert "datasets" not in config.data.train


def test_published_recipe_of_page4d() -> None:
    config = composed("+experiment=page4d_paper")
    groups = config.optimizer.groups
    assert {name: (group.settings.lr, group.settings.weight_decay) for name, group in groups.items()} == {
        "mask_head": (2e-5, 0.02),
        "blocks": (1e-5, 0.01),
    }
    assert [group.scheduler.warm_up for group in groups.values()] == [0.15, 0.05]
    for group in groups.values():
        assert group.settings.lr * group.scheduler.start == pytest.approx(1e-8)
        assert group.settings.lr * group.scheduler.final == pytest.approx(1e-8)
    assert (config.model.mask.hold, config.model.mask.end) == (6000, 10000)
    training = config.training
    steps = training.epochs * training.batches_per_epoch / training.accumulation
    assert (steps, training.batches.max_images * training.accumulation) == (1600 * 20, 32)
    assert sum(config.data.train.lengths.values()) == 48000
    task = built_without_memory(composed("+experiment=page4d_paper").task)
    trained = [(name, p) for name, p in task.model.named_parameters() if p.requires_grad]
    assert {name.split(".")[2] for name, _ in trained} == {"frame_blocks", "global_blocks", "spatial_mask_head"}
    assert {name.split(".")[3] for name, _ in trained if "_blocks" in name} == {str(layer) for layer in range(10, 20)}
    sizes = [len(group["params"]) for group in built_without_memory(config.optimizer)(trained).param_groups]
    assert sum(sizes) == len(trained)


def test_published_recipe_of_monst3r() -> None:
    config = composed("+experiment=monst3r_paper")
    optimizer, training = config.optimizer.optimizer, config.training
    assert (optimizer.lr, list(optimizer.betas), optimizer.weight_decay) == (5e-5, [0.9, 0.95], 0.05)
    assert (config.scheduler.warmup, optimizer.lr * config.scheduler.final) == (3, pytest.approx(1e-6))
    assert (training.epochs, training.batches.clips * training.accumulation * 2, training.clip_norm) == (50, 32, None)
    terms = config.loss.terms
    assert [terms[name].alpha for name, weight in config.loss.weights.items() if weight] == [0.2, 0.2]
    task = built_without_memory(config.task)
    trained = [(name, p) for name, p in task.model.named_parameters() if p.requires_grad]
    idle = 2 * 2 * (256 * 256 * 9 + 256)  # of the fusions that never run, counted as trained in the published code
    assert sum(p.numel() for _, p in trained) == 268_073_608 - idle
    criterion = task.evaluation.evaluation.space
    assert criterion.shift_invariant
    assert criterion.scale_invariant
    assert criterion.true_scale


@pytest.mark.parametrize("target", ["os.system", "torch.load", "torch.hub.load", "subprocess.run"])
def test_only_our_own_names_are_built(target: str) -> None:
    with pytest.raises(ValueError, match="is not allowed"):
        check_targets({"a": [{"b": {"_target_": target}}]})


def test_an_unknown_argument_of_a_class_is_named() -> None:
    with pytest.raises(Exception, match="devise"):
        build({"_target_": "motion4d.engine.runtime.Runtime", "devise": "cpu"})
