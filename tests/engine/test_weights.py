"""Which weights a task starts from, and that nothing stays at random values by accident."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from motion4d.engine.weights import load_task_weights, needs_weights, resolve_checkpoint, trainable_state
from motion4d.io.weights import write_safetensors
from tests.engine.toys import ToyModel


def _files(folder: Path) -> tuple[ToyModel, Path, Path]:
    """A trained model, its trainable-only checkpoint, and the file of its frozen part."""
    torch.manual_seed(1)
    model = ToyModel()
    write_safetensors(folder / "run" / "weights.safetensors", trainable_state(model))
    write_safetensors(folder / "published" / "frozen.safetensors", model.frozen.state_dict())
    return model, folder / "run", folder / "published" / "frozen.safetensors"


def test_a_checkpoint_of_what_was_trained_needs_the_frozen_part_too(tmp_path: Path) -> None:
    wanted, run, frozen = _files(tmp_path)
    model = ToyModel()
    load_task_weights(model, checkpoint=str(run), default="none", pretrained={"frozen": frozen})
    for name, value in wanted.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    with pytest.raises(FileNotFoundError, match=r"python -m prepare\.weights missing"):
        load_task_weights(ToyModel(), checkpoint=str(run), default="none", pretrained={"frozen": "missing/file.pt"})


def test_a_checkpoint_that_has_everything_needs_no_other_file(tmp_path: Path) -> None:
    wanted, _, _ = _files(tmp_path)
    write_safetensors(tmp_path / "all.safetensors", wanted.state_dict())
    model = ToyModel()
    load_task_weights(
        model, checkpoint=str(tmp_path / "all.safetensors"), default="none", pretrained={"frozen": "missing/file.pt"}
    )
    assert torch.equal(model.frozen.weight, wanted.frozen.weight)


def test_a_checkpoint_of_another_model_is_one_sentence(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "other.safetensors", {"a.weight": torch.zeros(2)})
    with pytest.raises(ValueError, match="not a checkpoint of this ToyModel: it lacks net.0.bias"):
        load_task_weights(ToyModel(), checkpoint=str(tmp_path / "other.safetensors"), default="none")


def test_a_file_of_one_part_as_checkpoint_is_told_where_it_belongs(tmp_path: Path) -> None:
    _, _, frozen = _files(tmp_path)
    with pytest.raises(ValueError, match=r"weights of one part are loaded by \+pretrained\.frozen=FILE"):
        load_task_weights(ToyModel(), checkpoint=str(frozen), default="none")


def test_what_the_checkpoint_key_means(tmp_path: Path) -> None:
    _, run, frozen = _files(tmp_path)
    assert resolve_checkpoint("none") is None
    assert resolve_checkpoint(str(run)) == run / "weights.safetensors"
    assert resolve_checkpoint(str(frozen)) == frozen
    with pytest.raises(FileNotFoundError, match="no weights ship for nothing"):
        resolve_checkpoint("shipped", shipped="nothing.safetensors")
    with pytest.raises(FileNotFoundError, match="there is no"):
        resolve_checkpoint(str(tmp_path))


def test_a_flow_network_alone_needs_no_checkpoint() -> None:
    class OnlyFlow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flow = nn.Linear(1, 1)

    assert not needs_weights(OnlyFlow())
    assert not needs_weights(object())
    assert needs_weights(ToyModel())
