"""Runtime: on what a task runs. The device, the precision, the ranks, threads and data workers, decided in one place.

`auto` picks a GPU if there is one, and bf16 where the hardware multiplies in bf16: on GPUs from Ampere on, and on CPUs
with AVX512-BF16 or AMX (linear layers several times faster than fp32); fp32 stays the reference. What was asked for by
name is never replaced by something else.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

_DEVICES = ("auto", "cpu", "cuda")
_PRECISIONS = ("auto", "fp32", "bf16")


@dataclass
class Runtime:
    """device: auto, cpu or cuda; precision: auto, fp32 or bf16; num_processes: ranks started from inside.

    threads: torch threads per rank (None: torch decides); workers: data worker processes per rank; retries: how often
    a job that broke for no known reason is started again (from its last checkpoint).
    """

    device: str = "auto"
    precision: str = "auto"
    num_processes: int = 1
    threads: int | None = None
    workers: int = 0
    retries: int = 0

    def __post_init__(self) -> None:
        _check_choice("device", self.device, _DEVICES)
        _check_choice("precision", self.precision, _PRECISIONS)
        for name, least in (("num_processes", 1), ("threads", 1), ("workers", 0), ("retries", 0)):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= least) and not (name == "threads" and value is None):
                raise ValueError(f"runtime.{name} must be a whole number of at least {least}, but it is {value!r}")

    @cached_property
    def torch_device(self) -> torch.device:
        """The device of this rank; a ValueError if cuda was asked for and none is visible."""
        available = torch.cuda.is_available()
        if self.device == "cuda" and not available:
            raise ValueError(
                "runtime.device=cuda, but no GPU is visible here (check nvidia-smi and CUDA_VISIBLE_DEVICES, and that "
                "torch is a CUDA build); runtime.device=auto or cpu runs without one"
            )
        return torch.device("cuda" if available and self.device != "cpu" else "cpu")

    @cached_property
    def is_bf16(self) -> bool:
        """Whether networks run in bf16 autocast."""
        if self.precision == "auto":
            return has_fast_bf16(self.torch_device)
        return self.precision == "bf16"

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which networks run."""
        return torch.autocast(self.torch_device.type, dtype=torch.bfloat16, enabled=self.is_bf16)

    def apply_threads(self) -> None:
        """Set torch's thread count for this process, if one was asked for."""
        if self.threads is not None:
            torch.set_num_threads(self.threads)

    def describe(self) -> str:
        """One line for the head of a log."""
        device = self.torch_device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
        return f"{device.type} ({name}), {'bf16' if self.is_bf16 else 'fp32'}, {self.workers} data workers"


def has_fast_bf16(device: torch.device) -> bool:
    """Whether this device multiplies matrices in bf16 by itself, rather than emulating it."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, bool)() for probe in probes)


def seed_everything(seed: int) -> None:
    """Seed torch's generators (the only ones this project draws from) and Python's."""
    import random

    random.seed(seed)
    torch.manual_seed(seed)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"runtime.{name} must be one of {', '.join(choices)}, but it is {value!r}")
