"""Descending a global alignment's objective with Adam: to the last state, as published, or keeping the best one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from motion4d.reconstruct.objective import Objective
from motion4d.reconstruct.observations import Observations
from motion4d.reconstruct.state import AlignmentState

Schedule = Callable[[float], float]  # share of the iterations that are done -> share of the way from start to end


def linear(done: float) -> float:
    """A straight line."""
    return done


def cosine(done: float) -> float:
    """Half a period of the cosine."""
    return (1 - math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class Descent:
    """How to descend: Adam with betas (0.9, 0.9), learning rates from `rate` to `last_rate`; published by default.

    flow_start: share of the iterations before the flow term acts.
    pose_rate, focal_rate: factors on the rates of all poses (frames' and pairs') and of focal lengths. Adam moves every
    number by about its rate in every step, so a factor of 1 makes poses jitter by 0.01 at first, and lets focal lengths
    change by no more than 8.6 % in 300 iterations.
    keep_best: answer with the best state met (the start included), not with the last one.
    """

    iterations: int = 300
    rate: float = 0.01
    last_rate: float = 0.001
    schedule: Schedule = linear
    flow_start: float = 0.1
    pose_rate: float = 1.0
    focal_rate: float = 1.0
    keep_best: bool = False


@dataclass(frozen=True)
class Frozen:
    """What does not move: poses of `frames` [N] bool, with `depth` their depth (and focal length, if it is theirs
    alone) too, and with `focals` the focal lengths of all frames.
    """

    frames: Tensor
    focals: bool = False
    depth: bool = True


class Optimiser(Protocol):
    """Makes a state better; `held` stays as it is."""

    @property
    def needs_flow(self) -> bool:
        """Whether `seen.flow` is read."""
        ...

    def __call__(
        self, seen: Observations, start: AlignmentState, held: Frozen | None = None
    ) -> tuple[AlignmentState, dict[str, float]]:
        """The better state and final values by name."""
        ...


@dataclass
class History:
    """Total and flow term before every step."""

    losses: list[float] = field(default_factory=list)
    flow: list[float] = field(default_factory=list)


def descend(
    objective: Objective, start: AlignmentState, descent: Descent = Descent(), frozen: Frozen | None = None
) -> tuple[AlignmentState, History]:
    """The state after the last step, or the best one; `start` stays as it is.

    Raises FloatingPointError where the loss is not finite.
    """
    state = start.copy()
    factors = (1.0, descent.pose_rate, descent.focal_rate, descent.pose_rate)
    parameters = [parameter.requires_grad_() for parameter in state.parameters()]
    optimizer = torch.optim.Adam(
        [{"params": [parameter], "factor": factor} for parameter, factor in zip(parameters, factors, strict=True)],
        betas=(0.9, 0.9),
        fused=True,
    )
    best = _Best(objective, start) if descent.keep_best else None
    losses, flows = [], []
    for iteration in range(descent.iterations):
        way = descent.schedule(iteration / descent.iterations)
        for group in optimizer.param_groups:
            group["lr"] = group["factor"] * (descent.rate + (descent.last_rate - descent.rate) * way)
        with_flow = iteration >= descent.flow_start * descent.iterations
        terms = objective(state, with_flow=with_flow)
        if best is not None and with_flow:
            best.offer(state, terms.total.detach())
        optimizer.zero_grad()
        terms.total.backward()
        if frozen is not None:
            _hold(state, frozen)
        optimizer.step()
        losses.append(terms.total.detach())
        flows.append(terms.flow.detach())
    if best is not None:
        with torch.no_grad():
            best.offer(state, objective(state).total)
    return (state.copy() if best is None else best.state), _history(losses, flows)


class _Best:
    """The state with the lowest total so far."""

    def __init__(self, objective: Objective, start: AlignmentState) -> None:
        self.state = start.copy()
        with torch.no_grad():
            self.total = float(objective(start).total)

    def offer(self, state: AlignmentState, total: Tensor) -> None:
        """Keep `state` if its total is lower."""
        if float(total) < self.total:
            self.state, self.total = state.copy(), float(total)


def _hold(state: AlignmentState, frozen: Frozen) -> None:
    """Without a gradient ever, Adam never moves a number."""
    for parameter in (state.log_depth, state.poses) if frozen.depth else (state.poses,):
        assert parameter.grad is not None
        parameter.grad[frozen.frames] = 0
    assert state.focals.grad is not None
    if frozen.depth and len(state.focals) > 1:
        state.focals.grad[frozen.frames] = 0
    if frozen.focals:
        state.focals.grad = None


def _history(losses: list[Tensor], flows: list[Tensor]) -> History:
    if not losses:
        return History()
    history = History(torch.stack(losses).tolist(), torch.stack(flows).tolist())
    wrong = next((k for k, loss in enumerate(history.losses) if not math.isfinite(loss)), None)
    if wrong is not None:
        raise FloatingPointError(f"the alignment's loss became {history.losses[wrong]} in iteration {wrong}")
    return history
