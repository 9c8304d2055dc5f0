"""MonST3R's global alignment as an optimiser of config group `alignment`: its objective, descended with Adam."""

from __future__ import annotations

from dataclasses import dataclass, replace

from motion4d.reconstruct.objective import Objective, TermWeights
from motion4d.reconstruct.observations import Observations
from motion4d.reconstruct.optimise import Descent, Frozen, descend
from motion4d.reconstruct.state import AlignmentState


@dataclass(frozen=True)
class PublishedDescent:
    """MonST3R's objective and Adam, exactly; the defaults are those of its demo."""

    weights: TermWeights = TermWeights()
    descent: Descent = Descent()

    @property
    def needs_flow(self) -> bool:
        """Whether `seen.flow` is read."""
        return self.weights.flow > 0

    def __call__(
        self, seen: Observations, start: AlignmentState, held: Frozen | None = None
    ) -> tuple[AlignmentState, dict[str, float]]:
        """The state after the last step; `loss` and `flow` before it."""
        maps = replace(
            seen.maps,
            confidence_first=seen.maps.confidence_first.clamp_min(1),
            confidence_second=seen.maps.confidence_second.clamp_min(1),
        )
        objective = Objective(
            maps,
            seen.pairs,
            principal_point=seen.principal_point,
            weights=self.weights,
            flow=seen.flow if seen.flow_pairs else None,
            flow_pairs=seen.flow_pairs,
            moving=seen.moving,
            start_depth=start.depth if self.weights.depth_change else None,
        )
        state, history = descend(objective, start, self.descent, held)
        return state, {"loss": history.losses[-1], "flow": history.flow[-1]} if history.losses else {}
