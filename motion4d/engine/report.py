"""What an evaluation found: rows per sequence, means per data set, what failed; and how that becomes metrics.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from motion4d.engine.errors import Incomplete
from motion4d.engine.inference import OURS
from motion4d.engine.scoring import MASK_FIGURES, Figures, Scores, grouped
from motion4d.engine.tables import aligned


@dataclass
class Report:
    """rows: one per model and sequence; figures: what they hold; failed: data set/sequence -> error.

    means: model -> data set -> scores, where a protocol has a rule of its own; otherwise they are means of the rows.
    """

    figures: Figures = MASK_FIGURES
    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    means: dict[str, dict[str, Scores]] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Sequence[Report]) -> Report:
        """The reports of several ranks as one, in an order that does not depend on them."""
        joined = cls(parts[0].figures)
        for part in parts:
            joined.rows += part.rows
            joined.failed |= part.failed
        joined.rows.sort(key=lambda row: (row["model"] != OURS, row["model"], row["group"], row["sequence"]))
        return joined

    def summary(self, weights: Mapping[str, str] | None = None) -> dict[str, Any]:
        """metrics.json: main (of our model), weights per model, per model: overall and per group; failed sequences."""
        models: dict[str, Any] = {}
        for name in dict.fromkeys(row["model"] for row in self.rows):
            rows = [row for row in self.rows if row["model"] == name]
            groups = {group: self._means(name, group, members) for group, members in grouped(rows).items()}
            overall = next(iter(groups.values())) if len(groups) == 1 else self.figures.means(rows)
            models[name] = {"overall": overall, "groups": groups}
        overall = models.get(OURS, {}).get("overall", {})
        main = {name: overall[name] for name in self.figures.main if name in overall}
        return {"main": main, "weights": dict(weights or {}), "models": models, "failed": self.failed}

    def table(self) -> str:
        """One line per model and group, and one per model over all of them; below them what the figures mean."""
        lines = []
        for name, scores in self.summary()["models"].items():
            parts = {**scores["groups"], "all": scores["overall"]} if len(scores["groups"]) > 1 else scores["groups"]
            for group, means in parts.items():
                shown = {metric: means.get(metric) for metric in self.figures.main}
                about = {"model": name, "sequences of": group, "protocol": means.get("protocol")}
                lines.append({**about, "count": means["sequences"], **shown})
        return f"{aligned(lines)}\n\n{self.figures.note}"

    def check_complete(self) -> None:
        """Raise Incomplete if sequences failed."""
        if self.failed:
            shown = "; ".join(f"{name}: {error}" for name, error in list(self.failed.items())[:3])
            raise Incomplete(f"{len(self.failed)} sequences failed ({shown}); all of them are named in metrics.json")

    def _means(self, model: str, group: str, rows: list[Mapping[str, Any]]) -> Scores:
        return self.means.get(model, {}).get(group) or self.figures.means(rows)
