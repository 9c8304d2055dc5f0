"""Training and evaluating pair networks end to end: the test loss, exact resumption, partial weights, one command."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from motion4d.backbones.constant import ConstantGeometry
from motion4d.backbones.pairs import PairPointmaps
from motion4d.cli import build, compose
from motion4d.clip import Clip, Source
from motion4d.engine.evaluate import Evaluate
from motion4d.engine.pair_evaluation import PairEvaluation, couples_of
from motion4d.engine.parameter_groups import DecayMatrices
from motion4d.engine.progress import Progress
from motion4d.engine.schedule import CosineInEpochs
from motion4d.engine.train import Train
from motion4d.engine.weights import load_task_weights, trainable_state
from motion4d.framing import Native
from motion4d.io.weights import write_safetensors
from motion4d.losses.pair_space import Space
from motion4d.losses.pair_truth import in_first_camera
from motion4d.models.pairs_training import TrainablePairs
from tests.engine.test_train import CONF, _losses, _weights
from tests.engine.toys import toy_task
from tests.models.test_pairs_training import ENCODER, LOSS, pair_clip, small_network
from tests.test_launch import launch

CRITERION = Space(shift_invariant=True, scale_invariant=True, true_scale=True)


class Reliefs:
    """`count` clips of `frames` frames with depth and cameras; `blind`: one of them has no depth anywhere."""

    def __init__(self, count: int = 8, frames: int = 2, blind: int | None = None) -> None:
        self.count, self.frames, self.blind = count, frames, blind

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Clip:
        clip = pair_clip(batch=1, frames=self.frames)
        clip.images = torch.rand_like(clip.images) * 0.1 + 0.1 * index
        if index == self.blind:
            clip.valid = torch.zeros_like(clip.depth, dtype=torch.bool)
        clip.sources = (Source("reliefs", f"{index:02d}", tuple("abcdef"[: self.frames])),)
        return clip


class Knowing:
    """Says what is true, plus `noise` on the points; remembers what it was shown."""

    framing = Native()

    def __init__(self, noise: float = 0.0) -> None:
        self.noise = noise
        self.seen: list[tuple[int, int]] = []

    def __call__(self, clip: Clip) -> PairPointmaps:
        self.seen.append((len(clip.images), clip.num_frames))
        points = 3 * in_first_camera(clip).points
        points = points + self.noise * torch.randn_like(points)
        sure = torch.ones_like(points[:, 0, ..., 0])
        return PairPointmaps(points[:, 0], sure, points[:, 1], sure)


def killed(most: int) -> Any:
    """LOSS that breaks when it was called `most` times."""
    calls: list[int] = []

    def losses(prediction: Any, clip: Clip) -> Any:
        if len(calls) == most:
            raise RuntimeError("killed")
        calls.append(1)
        return LOSS(prediction, clip)

    return losses


def pair_task(folder: Path, **changes: Any) -> Train:
    """A training of a small pair network with a frozen encoder, by the published optimizer and schedule."""
    settings: dict[str, Any] = {
        "model": TrainablePairs(small_network(), Native(multiple=16), frozen=ENCODER),
        "data": {"train": Reliefs(), "eval": Reliefs(2)},
        "optimizer": DecayMatrices(partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.05)),
        "scheduler": CosineInEpochs(warmup=0.5),
        "evaluation": PairEvaluation(CRITERION),
        "losses": LOSS,
        "log_every": 1,
        "steps": 6,
        "ema": None,
    }
    return toy_task(folder, **{**settings, **changes})


def test_a_killed_training_of_pairs_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    summary = pair_task(tmp_path / "whole").run()
    with pytest.raises(RuntimeError, match="killed"):
        pair_task(tmp_path / "cut", losses=killed(4)).run()
    pair_task(tmp_path / "cut").run()
    assert _losses(tmp_path / "cut") == _losses(tmp_path / "whole")
    for name, value in _weights(tmp_path / "whole").items():
        assert torch.equal(value, _weights(tmp_path / "cut")[name]), name
    assert summary["main"]["loss median"] > 0
    assert not any(".enc_blocks." in name for name in _weights(tmp_path / "whole"))


def test_the_test_loss_is_blind_to_scale_and_told_as_mean_and_median(tmp_path: Path) -> None:
    right = Knowing()
    models = {"noisy": Knowing(0.3), "wall": TrainablePairs(ConstantGeometry(), Native())}
    data = {"eval": {"near": Reliefs(3, frames=4), "far": Reliefs(2, frames=3)}}
    evaluation = PairEvaluation(CRITERION, steps=(1, 3))
    task = Evaluate(right, data, output=tmp_path, baselines=models, evaluation=evaluation, pictures=2)
    summary = task.run()
    assert right.seen[0] == (4, 2)  # three couples of neighbours, and the ends; each pair alone
    found = {name: model["overall"] for name, model in summary["models"].items()}
    assert found["ours"]["loss"] == pytest.approx(0, abs=1e-4)
    assert 0.1 < found["noisy"]["loss"] < found["wall"]["loss"] * 2
    groups = summary["models"]["noisy"]["groups"]
    assert set(groups) == {"near", "far"}
    for scores in groups.values():
        assert scores["loss"] == pytest.approx(scores["first"] + scores["second"])
        assert scores["loss median"] > 0
    assert set(summary["main"]) == {"loss", "loss median", "first", "second"}
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2


def test_what_cannot_be_scored_is_named(tmp_path: Path) -> None:
    evaluation = PairEvaluation(CRITERION)
    with pytest.raises(RuntimeError, match="the depth of its frames is known nowhere"):
        Evaluate(Knowing(), {"eval": Reliefs(2, blind=1)}, output=tmp_path, evaluation=evaluation).run()
    near = PairEvaluation(CRITERION, max_depth=0.5)
    with pytest.raises(RuntimeError, match="2 sequences failed"):
        Evaluate(Knowing(), {"eval": Reliefs(2)}, output=tmp_path, evaluation=near).run()
    with pytest.raises(ValueError, match="4 frames have no pairs 5 frames apart"):
        couples_of(4, [5])
    with pytest.raises(ValueError, match=r"evaluation\.steps"):
        PairEvaluation(CRITERION, steps=[0])


def test_a_checkpoint_of_a_partly_frozen_network_gets_the_rest_from_published_weights(tmp_path: Path) -> None:
    wanted = TrainablePairs(small_network(), Native(), frozen=ENCODER)
    published = small_network()
    with torch.no_grad():
        for parameter in (*wanted.parameters(), *published.parameters()):
            parameter.add_(torch.rand_like(parameter))
        wanted.backbone.patch_embed.load_state_dict(published.patch_embed.state_dict())
        wanted.backbone.enc_blocks.load_state_dict(published.enc_blocks.state_dict())
    write_safetensors(tmp_path / "run" / "weights.safetensors", trainable_state(wanted))
    write_safetensors(tmp_path / "dust3r" / "model.safetensors", published.state_dict())
    model = TrainablePairs(small_network(), Native(), frozen=ENCODER)
    load_task_weights(
        model,
        checkpoint=str(tmp_path / "run"),
        default="none",
        pretrained={"backbone": tmp_path / "dust3r" / "model.safetensors"},
    )
    unused = "refinenet4.resConfUnit1"
    for name, value in wanted.state_dict().items():
        assert unused in name or torch.equal(model.state_dict()[name], value), name


def test_biases_and_norms_have_no_weight_decay() -> None:
    model = TrainablePairs(small_network(), Native(), frozen=ENCODER)
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    optimizer = DecayMatrices(partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.05))(named)
    decayed, free = optimizer.param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.05, 0.0)
    assert len(decayed["params"]) + len(free["params"]) == len(named)
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim == 1 for p in free["params"])


def test_the_rate_follows_epochs_in_fractions() -> None:
    schedule = CosineInEpochs(warmup=2, final=0.1)

    def rate(step: int) -> float:
        return schedule(Progress(steps=50, num_clips=20, batch_size=2, accumulation=2, step=step))

    assert [rate(0), rate(1), rate(5), rate(10)] == pytest.approx([0, 0.1, 0.5, 1])
    assert rate(30) == pytest.approx(0.55)
    assert rate(50) == pytest.approx(0.1)


def test_two_steps_of_the_published_recipe_with_a_reduced_network(tmp_path: Path) -> None:
    start = small_network()
    write_safetensors(tmp_path / "dust3r" / "model.safetensors", start.state_dict())
    clips = [f"data.eval.{size}" for size in ("num_frames=2", "height=32", "width=48")]
    config = compose(
        CONF,
        [
            *("+experiment=monst3r_paper", "data=procedural_easy", *clips, "data.eval.num_clips=4"),
            *("~data.train", "+data.train._target_=motion4d.data.reshaped.Reshaped", "+data.train.clips=${data.eval}"),
            *("model.framing.side=48", "backbone.encoder_dim=32", "backbone.encoder_depth=1"),
            *("backbone.encoder_heads=2", "backbone.decoder_dim=32", "backbone.decoder_depth=2"),
            *("backbone.decoder_heads=2", "+backbone.dpt_features=8", "+backbone.dpt_last_dim=8"),
            *("+backbone.dpt_layer_dims=[8,8,8,8]", f"pretrained.backbone={tmp_path}/dust3r/model.safetensors"),
            *("training.epochs=null", "training.steps=2", "training.log_every=1", "training.pictures=0"),
            *("training.batches.sizes=[[32,48]]", "runtime.device=cpu", "runtime.workers=0", "runtime.threads=1"),
            f"output={tmp_path / 'run'}",
        ],
    )
    task = build(config.task)
    task.run()
    first, second = _losses(tmp_path / "run")
    assert float(first["lr"]) == 0  # as published
    assert float(second["lr"]) > 0
    for row in (first, second):
        assert float(row["total"]) == pytest.approx(float(row["conf_1"]) + float(row["conf_2"]), rel=1e-3)
    trained = _weights(tmp_path / "run")
    for name, value in start.state_dict().items():
        assert torch.equal(task.model.backbone.state_dict()[name], value) == (f"backbone.{name}" not in trained), name
    assert "backbone.enc_norm.weight" in trained
    assert not any("enc_blocks" in name or "patch_embed" in name for name in trained)


def test_the_experiment_trains_evaluates_and_draws(tmp_path: Path) -> None:
    sizes = ["num_frames=2", "height=32", "width=48"]
    done = launch(
        *("+experiment=monst3r", "training.steps=2", "training.batch_size=2", "training.log_every=1"),
        *(f"data.scenes.train.{size}" for size in (*sizes, "num_clips=4")),
        *(f"data.scenes.eval.{size}" for size in (*sizes, "num_clips=2")),
        *("evaluation.steps=[1]", "model.framing.pixel_limit=1536", "training.pictures=1"),
        *(f"paths.cache={tmp_path / 'cache'}", "runtime.device=cpu", "runtime.workers=0", "runtime.threads=1"),
        f"output={tmp_path / 'run'}",
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "step 2/2  loss" in done.stdout
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {"ours", "constant"} <= set(metrics["models"])
    assert metrics["main"]["loss median"] > 0
    assert len(list((tmp_path / "run" / "pictures").glob("*.png"))) == 1
