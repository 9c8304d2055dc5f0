"""Runtime: what was asked for by name is never replaced, and what cannot be is one sentence."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from motion4d.engine.runtime import Runtime, has_fast_bf16


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "gpu"}, r"runtime\.device must be one of auto, cpu, cuda, but it is 'gpu'"),
        ({"precision": "fp16"}, r"runtime\.precision"),
        ({"workers": "abc"}, r"runtime\.workers must be a whole number of at least 0, but it is 'abc'"),
        ({"num_processes": 0}, r"runtime\.num_processes"),
        ({"threads": 0}, r"runtime\.threads"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Runtime(**settings)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_a_gpu_is_an_error() -> None:
    with pytest.raises(ValueError, match="no GPU is visible"):
        _ = Runtime(device="cuda").torch_device


def test_auto_follows_the_hardware() -> None:
    runtime = Runtime()
    assert runtime.is_bf16 == has_fast_bf16(runtime.torch_device)
    assert runtime.torch_device.type in runtime.describe()


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_autocast_sets_the_precision_of_networks(precision: str, dtype: torch.dtype) -> None:
    layer = torch.nn.Linear(4, 4)
    with Runtime(device="cpu", precision=precision).autocast():
        assert layer(torch.zeros(2, 4)).dtype == dtype
