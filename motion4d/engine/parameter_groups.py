"""Parameters by name: groups with a learning rate, a weight decay and a schedule of their own, and groups that are
clipped by themselves.

Groups are chosen by patterns (fnmatch) of parameter names. Every trained parameter belongs to exactly one group;
anything else is an error before the training begins, never a parameter that silently stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from torch.optim import Optimizer

from motion4d.engine.schedule import Schedule

Named = list[tuple[str, nn.Parameter]]


@dataclass(frozen=True)
class Group:
    """names: patterns of parameter names; settings: of the optimizer, instead of its own (lr, weight_decay, ...);
    scheduler: progress -> factor of lr, None: the task's.
    """

    names: Sequence[str]
    settings: Mapping[str, Any]
    scheduler: Schedule | None = None


class ByName:
    """An optimizer over named groups, in place of a plain one.

    optimizer: parameter groups -> Optimizer, in config a `_partial_` with the settings that no group changes.
    """

    def __init__(self, optimizer: Callable[[list[dict[str, Any]]], Optimizer], groups: Mapping[str, Group]) -> None:
        self.optimizer = optimizer
        self.groups = dict(groups)

    def __call__(self, named: Named) -> Optimizer:
        """The optimizer of these parameters, its groups in the order of ours."""
        parts = partition(named, {label: group.names for label, group in self.groups.items()}, "optimizer.groups")
        idle = [label for label, part in parts.items() if not part]
        if idle:
            raise ValueError(f"optimizer.groups: no trained parameter belongs to {', '.join(idle)}")
        return self.optimizer([{"params": part, **self.groups[label].settings} for label, part in parts.items()])


class DecayMatrices:
    """An optimizer with weight decay for matrices only: biases and norms, parameters of one axis, have none.

    optimizer: parameter groups -> Optimizer, in config a `_partial_` with the settings of both groups.
    """

    def __init__(self, optimizer: Callable[[list[dict[str, Any]]], Optimizer]) -> None:
        self.optimizer = optimizer

    def __call__(self, named: Named) -> Optimizer:
        """The optimizer of these parameters: a group with weight decay and one without, where they are not empty."""
        matrices = [(name, parameter) for name, parameter in named if parameter.ndim > 1]
        vectors = [(name, parameter) for name, parameter in named if parameter.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        return self.optimizer([group for group in groups if group["params"]])


def schedules_of(optimizer: Any, scheduler: Schedule, groups: int) -> list[Schedule]:
    """One schedule for each of the parameter `groups` of what `optimizer` made; `scheduler`: of those without their
    own.
    """
    if not isinstance(optimizer, ByName):
        return [scheduler] * groups
    return [group.scheduler or scheduler for group in optimizer.groups.values()]


def partition(named: Named, patterns: Mapping[str, Sequence[str]], key: str) -> dict[str, Named]:
    """Label -> the parameters that its patterns match; `key` of the configuration is named in a ValueError.

    A parameter of two groups, or of none, is an error.
    """
    parts: dict[str, Named] = {label: [] for label in patterns}
    for name, parameter in named:
        owners = [label for label, group in patterns.items() if any(fnmatchcase(name, one) for one in group)]
        if len(owners) != 1:
            held = f"belongs to {' and '.join(owners)}" if owners else "belongs to no group"
            raise ValueError(f"{key}: {name} {held}; every trained parameter needs exactly one")
        parts[owners[0]].append((name, parameter))
    return parts
