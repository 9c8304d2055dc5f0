"""How an output is compared with what a case expects; every mode can fail, and says by how much.

Modes (`compare`): exact; allclose (|ours - expected| <= atol + rtol |expected|, the default); rel_norm (norm of the
difference over norm of the expected <= rtol); per_pixel (norms over the last axis <= atol + rtol norm); fraction (a
share `fraction` within atol, all within atol_max); at_most (ours <= expected (1 + rtol) + atol). Expected NaN must be
NaN in ours, infinities must agree. Shapes must agree; nothing is broadcast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.reference.rules import numeric_array
from tests.reference.slices import parse_index


@dataclass(frozen=True)
class Comparison:
    """The worst `error` of an entry beside its `limit`; `reason` is empty when it passed."""

    error: float
    limit: float
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether the output is as expected."""
        return not self.reason

    @property
    def severity(self) -> float:
        """Error in units of the limit; failures are beyond every success."""
        if math.isnan(self.error) or self.limit <= 0:
            ratio = 0.0 if self.error == 0 else math.inf
        else:
            ratio = self.error / self.limit
        return (0.0 if self.passed else 1e300) + min(ratio, 1e299)


def compare(ours: Any, expected: Any, how: Mapping[str, Any], tolerance: Mapping[str, float]) -> Comparison:
    """Compare one output with one expected entry; `tolerance` is the folder's default atol and rtol."""
    mode = how.get("compare", "allclose")
    if mode not in _MODES:
        return _failed(f"unknown comparison {mode!r}")
    if "slice" in how:
        ours = _as_array(ours)[parse_index(how["slice"])]
    expected_array, ours_array = _numbers(expected), _numbers(ours)
    if expected_array is None or ours_array is None:
        return _compare_plain(_plain(ours), _plain(expected), mode)
    both_empty = expected_array.size == 0 and ours_array.size == 0
    if expected_array.shape != ours_array.shape and not both_empty:
        return _failed(f"shape {ours_array.shape} instead of {expected_array.shape}")
    if both_empty:
        return Comparison(0.0, 0.0)
    return _MODES[mode](ours_array, expected_array, {**tolerance, **how})


def _exact(ours: np.ndarray, expected: np.ndarray, how: Mapping[str, Any]) -> Comparison:
    same = (ours == expected) | (np.isnan(ours) & np.isnan(expected))
    if same.all():
        return Comparison(0.0, 0.0)
    wrong = int((~same).sum())
    worst = float(np.max(_difference(ours, expected)))
    return Comparison(worst, 0.0, f"{wrong} of {same.size} values differ")


def _allclose(ours: np.ndarray, expected: np.ndarray, how: Mapping[str, Any]) -> Comparison:
    magnitude = np.where(np.isfinite(expected), np.abs(expected.astype(np.float64)), 0.0)
    return _within(_difference(ours, expected), _limits(how, magnitude))


def _per_pixel(ours: np.ndarray, expected: np.ndarray, how: Mapping[str, Any]) -> Comparison:
    distance = np.linalg.norm(_difference(ours, expected), axis=-1)
    magnitude = np.linalg.norm(np.nan_to_num(expected.astype(np.float64), posinf=0, neginf=0), axis=-1)
    return _within(distance, _limits(how, magnitude))


def _rel_norm(ours: np.ndarray, expected: np.ndarray, how: Mapping[str, Any]) -> Comparison:
    distance = float(np.linalg.norm(_difference(ours, expected)))
    norm = float(np.linalg.norm(np.nan_to_num(expected.astype(np.float64), posinf=0, neginf=0)))
    error = distance / norm if norm > 0 else distance
    limit = float(how["rtol"])
    return Comparison(error, limit, "" if error <= limit else "relative norm too large")


def _fraction(ours: np.ndarray, expected: np.ndarray, how: Mapping[str, Any]) -> Comparison:
    difference = _difference(ours, expected)
    share, worst = float(np.mean(difference <= how["atol"])), float(difference.max())
    reason = ""
    if share < how["fraction"]:
        reason = f"{share:.4f} within {how['atol']:g}, {how['fraction']:g} wanted"
    elif worst > how["atol_max"]:
        reason = f"worst {worst:.3g}, at most {how['atol_max']:g} wanted"
    return Comparison(worst, float(how["atol_max"]), reason)


def _at_most(ours: np.ndarray, expected: np.ndarray, how: Mapping[str, Any]) -> Comparison:
    limits = np.atleast_1d(expected * (1 + how.get("rtol", 0.0)) + how.get("atol", 0.0)).astype(np.float64)
    values = np.atleast_1d(ours).astype(np.float64)
    good = values <= limits
    worst = int(np.argmax(np.where(np.isnan(values - limits), np.inf, values - limits)))
    reason = "" if good.all() else "larger than allowed"
    return Comparison(float(values.flat[worst]), float(limits.flat[worst]), reason)


_MODES = {
    "exact": _exact,
    "allclose": _allclose,
    "per_pixel": _per_pixel,
    "rel_norm": _rel_norm,
    "fraction": _fraction,
    "at_most": _at_most,
}


def _limits(how: Mapping[str, Any], magnitude: np.ndarray) -> np.ndarray:
    return np.asarray(how.get("atol", 0.0) + how.get("rtol", 0.0) * magnitude)


def _within(error: np.ndarray, limits: np.ndarray) -> Comparison:
    error, limits = np.atleast_1d(error), np.atleast_1d(limits)
    wrong = int((error > limits).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0, 0.0, error / limits)
    worst = int(np.argmax(ratio))
    reason = f"{wrong} of {error.size} values off" if wrong else ""
    return Comparison(float(error.flat[worst]), float(limits.flat[worst]), reason)


def _difference(ours: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """|ours - expected| in float64; 0 where both are NaN or the same infinity, inf where only one is."""
    a, b = ours.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.abs(a - b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(same, 0.0, np.where(np.isnan(difference), np.inf, difference))


def _numbers(value: Any) -> np.ndarray | None:
    """`value` as an array of numbers, or None if it is text, a dictionary, or ragged."""
    if isinstance(value, list | tuple):
        try:
            value = numeric_array(_lists(value))
        except ValueError:  # ragged
            return None
    elif value is None:
        return np.array(math.nan)
    if value is None or isinstance(value, (dict, str)):
        return None
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    return array if array.dtype.kind in "biuf" else None


def _as_array(value: Any) -> np.ndarray:
    array = _numbers(value)
    return np.array(value, dtype=object) if array is None else array


def _plain(value: Any) -> Any:
    """Arrays and tuples -> lists, numpy scalars -> Python numbers, NaN -> None, so that '==' compares content."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _lists(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _compare_plain(ours: Any, expected: Any, mode: str) -> Comparison:
    if mode != "exact":
        return _failed(f"text, dictionaries and ragged lists can only be compared exactly, not by {mode}")
    if ours == expected:
        return Comparison(0.0, 0.0)
    return _failed(f"{str(ours)[:60]} instead of {str(expected)[:60]}")


def _failed(reason: str) -> Comparison:
    return Comparison(math.nan, 0.0, reason)
