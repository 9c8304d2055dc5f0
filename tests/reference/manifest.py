"""Cases: what `cases.json` of a folder says, with inputs and weights made on demand.

A folder holds `cases.json` {"format": 2, "system", "tolerance": {"atol", "rtol"}, "cases": [...]}, data files and
manifests (checkpoint key -> shape). A case holds name, kind (names a procedure), slow, params (free JSON), inputs
(name -> RULE, see rules.py), weights {manifest, seed, exceptions: key or fnmatch pattern -> RULE or {"scale": x}} and
expected {"file" or "values", "entries": key -> how it is compared, see compare.py}.
Files are looked up beside the case, else in the project's `tests/reference/<system>/`.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tests.reference import rules
from tests.reference.seeded import seeded_parameter

HOME = Path(__file__).parent
FORMAT = 2


class NotCovered(Exception):
    """Raised by a procedure for a variant that the project does not have: the case is skipped with this reason."""


@dataclass(frozen=True)
class Case:
    """One case. `params`: free JSON; `folder`: where it stands; `tolerance`: the folder's default atol and rtol."""

    system: str
    name: str
    kind: str
    folder: Path
    slow: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    tolerance: dict[str, float] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict, repr=False)  # the case as written

    def find(self, name: str) -> Path:
        """A file or folder that the case names."""
        for folder in (self.folder, HOME / self.system):
            if (folder / name).exists():
                return folder / name
        raise FileNotFoundError(f"{name} is neither in {self.folder} nor in tests/reference/{self.system}")

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """Input name -> np.ndarray, Path, or plain value (text)."""
        return {name: rules.resolve(rule, self.find) for name, rule in self.raw.get("inputs", {}).items()}

    @cached_property
    def manifest(self) -> dict[str, list[int]]:
        """Checkpoint key -> shape."""
        return dict(rules.read_json(self.find(self.raw["weights"]["manifest"])))

    def weights(self) -> dict[str, np.ndarray]:
        """Checkpoint key -> seeded value, all at once."""
        return dict(self.weight_items())

    def weight_items(self) -> Iterator[tuple[str, np.ndarray]]:
        """(checkpoint key, seeded value) one after the other, for networks too large to hold twice."""
        exceptions = self.raw["weights"].get("exceptions", {})
        for key, shape in self.manifest.items():
            rule = _exception(exceptions, key)
            yield key, self._weight(key, shape, rule)

    def _weight(self, key: str, shape: list[int], rule: Mapping[str, Any] | None) -> np.ndarray:
        if rule is not None and set(rule) != {"scale"}:
            value = np.asarray(rules.resolve(rule, self.find))
        else:
            value = np.asarray(seeded_parameter(key, shape, self.raw["weights"].get("seed", 0)))
            if rule is not None:
                value = (value * rule["scale"]).astype(value.dtype)
        if list(value.shape) != list(shape):
            raise ValueError(f"weight {key} has the shape {list(value.shape)}, the manifest says {list(shape)}")
        return value

    def expected(self) -> Iterator[tuple[str, dict[str, Any], Any]]:
        """(entry key, how to compare, expected value)."""
        expected = self.raw.get("expected", {})
        values = expected.get("values", {})
        for key, how in expected.get("entries", dict.fromkeys(values, {})).items():
            if "file" in expected and key.split("/")[0] not in values:
                yield key, how, rules.read_entry(self.find(expected["file"]), key)
            else:
                yield key, how, rules.walk(values, key)


def load(folder: Path) -> list[Case]:
    """All cases of one folder with a `cases.json`."""
    content = rules.read_json(folder.resolve() / "cases.json")
    if content.get("format") != FORMAT:
        raise ValueError(f"{folder}/cases.json has format {content.get('format')}; this runner reads format {FORMAT}")
    return [
        Case(
            system=content["system"],
            name=raw["name"],
            kind=raw["kind"],
            folder=folder.resolve(),
            slow=raw.get("slow", False),
            params=raw.get("params", {}),
            tolerance=content.get("tolerance", {}),
            raw=raw,
        )
        for raw in content["cases"]
    ]


def folders_below(path: Path) -> list[Path]:
    """`path` itself if it holds a `cases.json`, else those of its folders that do."""
    if (path / "cases.json").is_file():
        return [path]
    found = sorted(child.parent for child in path.glob("*/cases.json"))
    if not found:
        raise FileNotFoundError(f"{path} holds no cases.json, and none of its folders does")
    return found


def _exception(exceptions: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    if key in exceptions:
        return exceptions[key]
    return next((rule for pattern, rule in exceptions.items() if fnmatch.fnmatchcase(key, pattern)), None)
