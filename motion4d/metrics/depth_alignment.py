"""Bringing predicted depth to the scale of the truth: what published protocols do, and what they mean to do.

Every function takes predicted and true depth of the pixels that count, p and g [P] float64, and returns the scale s and
shift t under which s p + t is compared with g. No torch.

`iterated_scale` and `adam_scale_shift` are published procedures that stop before they reach the least error;
`l1_scale` and `l1_scale_shift` reach it. docs/quirks.md has the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion4d.metrics.absolute_loss import AbsoluteLoss, least_scale, least_scale_shift

Values = NDArray[np.float64]

_LARGEST = 1e15  # depth whose square times a weight is a float32


@dataclass(frozen=True)
class Linear:
    """p -> scale * p + shift."""

    scale: float = 1.0
    shift: float = 0.0

    def __call__(self, depth: Values) -> Values:
        """Aligned depth, any shape."""
        return self.scale * depth + self.shift


def metric(prediction: Values, truth: Values) -> Linear:
    """Depth as it was predicted."""
    return Linear()


def median(prediction: Values, truth: Values) -> Linear:
    """s = median(g) / median(p), the lower of two middle values."""
    return Linear(_lower_median(truth) / _positive(_lower_median(prediction), "median"))


def iterated_scale(prediction: Values, truth: Values, iterations: int = 10) -> Linear:
    """Published "scale": from mean(g) / mean(p), ten steps of s = sum w p g / sum w p^2, w = 1 / (|s p - g| + 1e-8).

    A pixel whose residual comes near 0 has a weight of up to 1e8 and holds s where it is. Which one that is depends on
    rounding, so residuals and weights are in float32, as published (sums are not). s is at least 1e-3.
    """
    if not np.abs(prediction).max() < _LARGEST:
        raise ValueError(f"a predicted depth is {np.abs(prediction).max():g}, too large for float32: scale predictions")
    p, g = prediction.astype(np.float32), truth.astype(np.float32)
    square, weights, product = np.square(p), np.empty_like(p), np.empty_like(p)
    scale = np.float32(truth.mean() / _positive(float(prediction.mean()), "mean"))
    for _ in range(iterations):  # in place: new arrays would take twice the time of the arithmetic
        np.subtract(np.multiply(scale, p, out=weights), g, out=weights)
        np.abs(weights, out=weights)
        weights += np.float32(1e-8)
        np.divide(1, weights, out=weights)
        below = np.multiply(weights, square, out=product).sum(dtype=np.float64)
        weights *= p
        scale = np.float32(np.multiply(weights, g, out=product).sum(dtype=np.float64) / below)
    return Linear(max(float(scale), 1e-3))


def l1_scale(prediction: Values, truth: Values) -> Linear:
    """The s with the least sum |s p - g|: the median of g / p, weighted by p."""
    _positive(float(prediction.max()), "largest")
    return Linear(least_scale(prediction, truth))


def adam_scale_shift(
    prediction: Values, truth: Values, rate: float = 1e-4, steps: int = 1000, tolerance: float = 1e-6
) -> Linear:
    """Published "scale&shift", also called lad2: Adam on sum |s p + t - g| from the median's scale and no shift.

    It ends when the loss changes by less than `tolerance`, or after `steps`; with these settings s and t move by 0.1 at
    most. Adam: Kingma and Ba 2015, betas 0.9 and 0.999.
    """
    point = np.array([median(prediction, truth).scale, 0.0])
    first, second, before = np.zeros(2), np.zeros(2), np.inf
    losses = _Zoom(AbsoluteLoss(prediction, truth), rate * steps / 20)
    for step in range(1, steps + 1):
        loss, gradient = losses.around(point).at(*point)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * np.square(gradient)
        point = point - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        if abs(before - loss) < tolerance:
            break
        before = loss
    return Linear(*point.tolist())


def least_squares(prediction: Values, truth: Values) -> Linear:
    """The s and t with the least sum (s p + t - g)^2; a constant p is only shifted."""
    centred = prediction - prediction.mean()
    spread = float(centred @ centred)
    if spread <= len(prediction) * (np.finfo(np.float64).eps * np.abs(prediction).max()) ** 2:
        return Linear(1.0, float(truth.mean() - prediction.mean()))
    scale = float(centred @ truth) / spread
    return Linear(scale, float(truth.mean()) - scale * float(prediction.mean()))


def l1_scale_shift(prediction: Values, truth: Values) -> Linear:
    """The s and t with the least sum |s p + t - g| (least absolute deviations)."""
    return Linear(*least_scale_shift(prediction, truth, around=least_squares(prediction, truth).scale))


Alignment = Callable[[Values, Values], Linear]

ALIGNMENTS: Mapping[str, Alignment] = {
    "metric": metric,
    "median": median,
    "scale": iterated_scale,
    "scale_l1": l1_scale,
    "lad2": adam_scale_shift,
    "lstsq": least_squares,
    "lad": l1_scale_shift,
}


def _lower_median(values: Values) -> float:
    middle = (len(values) - 1) // 2
    return float(np.partition(values, middle)[middle])


def _positive(value: float, what: str) -> float:
    if not value > 0:
        raise ValueError(
            f"the {what} predicted depth is {value:g} where there is truth, so it cannot be scaled: "
            "predictions must be depths in front of the camera (for inverse depth there are protocols of its own)"
        )
    return value


class _Zoom:
    """The same loss for points (s, t) of a slow walk, with the few values that matter around each."""

    def __init__(self, loss: AbsoluteLoss, radius: float) -> None:
        self._levels = [(loss, np.zeros(2), np.inf)]
        self._radii = (10 * radius, radius, 0.2 * radius)

    def around(self, point: Values) -> AbsoluteLoss:
        """A loss that is exact at `point`."""
        reach = 0.0  # how far around the point the innermost kept level has to be exact
        while np.abs(point - self._levels[-1][1]).max() + reach > self._levels[-1][2]:
            self._levels.pop()
            reach = self._radii[len(self._levels) - 1]
        for radius in self._radii[len(self._levels) - 1 :]:
            self._levels.append((self._levels[-1][0].near(*point, radius=radius), point, radius))
        return self._levels[-1][0]
