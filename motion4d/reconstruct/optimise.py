"""Descending a global alignment's objective with Adam, as published, or keeping the best state met on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from motion4d.reconstruct.objective import Objective
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
    """How to descend: Adam with betas (0.9, 0.9), one learning rate for all parameters, from `rate` to `last_rate`.

    flow_start: share of the iterations before the flow term acts. focal_rate_factor: at the published rate (1) the
    focal length cannot change by more than 8.6 % in 300 iterations.
    """

    iterations: int = 300
    rate: float = 0.01
    last_rate: float = 0.001
    schedule: Schedule = linear
    flow_start: float = 0.1
    focal_rate_factor: float = 1.0


@dataclass
class History:
    """Total and flow term before every step."""

    losses: list[float] = field(default_factory=list)
    flow: list[float] = field(default_factory=list)


def descend(
    objective: Objective, start: AlignmentState, descent: Descent = Descent()
) -> tuple[AlignmentState, History]:
    """The state after the last step, as published; `start` stays as it is.

    Raises FloatingPointError where the loss is not finite.
    """
    state = start.copy()
    parameters = [parameter.requires_grad_() for parameter in state.parameters()]
    factors = (1.0, 1.0, descent.focal_rate_factor, 1.0)
    optimizer = torch.optim.Adam(
        [{"params": [parameter], "factor": factor} for parameter, factor in zip(parameters, factors, strict=True)],
        betas=(0.9, 0.9),
        fused=True,
    )
    losses: list[Tensor] = []
    flows: list[Tensor] = []
    for iteration in range(descent.iterations):
        way = descent.schedule(iteration / descent.iterations)
        for group in optimizer.param_groups:
            group["lr"] = group["factor"] * (descent.rate + (descent.last_rate - descent.rate) * way)
        terms = objective(state, with_flow=iteration >= descent.flow_start * descent.iterations)
        optimizer.zero_grad()
        terms.total.backward()
        optimizer.step()
        losses.append(terms.total.detach())
        flows.append(terms.flow.detach())
    history = History(torch.stack(losses).tolist(), torch.stack(flows).tolist()) if losses else History()
    if not all(map(math.isfinite, history.losses)):
        first = next(k for k, loss in enumerate(history.losses) if not math.isfinite(loss))
        raise FloatingPointError(f"the alignment's loss became {history.losses[first]} in iteration {first}")
    return state.copy(), history
