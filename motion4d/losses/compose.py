"""Losses as sums of named terms: the mean of each term, times its weight.

A term is a function (prediction, clip) -> Tensor of unreduced values, or a scalar; config binds its settings with
`_partial_`. Where terms share work on the truth, `truth` does it once, and they get its result instead of the clip.
The names are the user's: they appear in logs and in overrides (loss.weights.dice=2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self, runtime_checkable

from torch import Tensor

from motion4d.clip import Clip

Term = Callable[[Any, Any], Tensor]


@runtime_checkable
class Staged(Protocol):
    """A loss, or a term, that changes during a training; as it is built it is what it is at the end, and outside."""

    def at(self, share: float) -> Self:
        """The same when this share of a training, in [0, 1], is done."""
        ...


class WeightedSum:
    """total = sum over the terms of weight * mean(term); a term without a weight counts once.

    truth: what the terms compare a prediction with, of a clip; None: the clip itself.
    """

    def __init__(
        self,
        terms: Mapping[str, Term],
        weights: Mapping[str, float] | None = None,
        *,
        truth: Callable[[Clip], Any] | None = None,
    ) -> None:
        self.truth = truth
        self.terms = dict(terms)
        self.weights = dict.fromkeys(self.terms, 1.0) | dict(weights or {})
        unknown = sorted(set(self.weights) - set(self.terms))
        if unknown or not self.terms or "total" in self.terms:
            raise ValueError(
                f"a loss needs named terms, none of them 'total', and weights for these only; terms: "
                f"{', '.join(self.terms) or 'none'}; weights of no term: {', '.join(unknown) or 'none'}"
            )

    def at(self, share: float) -> WeightedSum:
        """The same loss when this share of a training, in [0, 1], is done."""
        terms = {name: term.at(share) if isinstance(term, Staged) else term for name, term in self.terms.items()}
        return WeightedSum(terms, self.weights, truth=self.truth)

    def __call__(self, prediction: Any, clip: Clip) -> dict[str, Tensor]:
        """Scalars: "total", then the mean of each term before its weight."""
        truth = clip if self.truth is None else self.truth(clip)
        means = {name: term(prediction, truth).mean() for name, term in self.terms.items()}
        weighted = [self.weights[name] * mean for name, mean in means.items()]
        total = weighted[0]
        for value in weighted[1:]:
            total = total + value
        return {"total": total, **means}
