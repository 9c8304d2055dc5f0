"""The reference runner: rules, slices, comparisons that can fail, verdicts, exit status."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from tests.reference.__main__ import main
from tests.reference.compare import Comparison, compare
from tests.reference.manifest import Case, NotCovered, load
from tests.reference.rules import resolve, walk
from tests.reference.seeded import seeded_normal, seeded_parameter, seeded_uniform
from tests.reference.slices import parse_index

MODES: list[tuple[dict[str, Any], Any, Any, Any]] = [  # how, expected, what passes, what fails
    ({"compare": "exact"}, [1, 2, 3], np.array([1, 2, 3]), [1, 2, 4]),
    ({"compare": "exact"}, [1.0, None], np.array([1.0, np.nan]), [1.0, 0.0]),
    ({"compare": "exact"}, ["a", "b"], ["a", "b"], ["a", "c"]),
    ({"compare": "exact"}, {"a": [1, None]}, {"a": np.array([1, np.nan])}, {"a": [1, 2]}),
    ({"compare": "exact"}, [[1], [1, 2]], [(1,), (1, 2)], [[1], [1, 3]]),
    ({"compare": "exact"}, True, np.True_, False),
    ({"compare": "exact"}, [], np.zeros((0, 5)), [1]),
    ({}, [1.0, 100.0], [1.0001, 100.009], [1.001, 100.0]),
    ({}, [1.0, None], [1.0, np.nan], [np.nan, np.nan]),
    ({}, [1.0, np.inf], [1.0, np.inf], [1.0, -np.inf]),
    ({"atol": 0.5, "rtol": 0.0}, 3.0, 3.4, 3.6),
    ({"compare": "rel_norm", "rtol": 0.1}, [3.0, 4.0], [3.0, 4.4], [3.0, 4.6]),
    ({"compare": "per_pixel", "atol": 0.0, "rtol": 0.1}, [[3.0, 4.0]], [[3.3, 4.3]], [[3.4, 4.4]]),
    ({"compare": "fraction", "fraction": 0.5, "atol": 0.1, "atol_max": 1.0}, [0.0, 0.0], [0.05, 0.9], [0.2, 0.9]),
    ({"compare": "fraction", "fraction": 0.5, "atol": 0.1, "atol_max": 1.0}, [0.0, 0.0], [0.0, 1.0], [0.0, 1.1]),
    ({"compare": "at_most", "atol": 0.0, "rtol": 0.1}, [1.0, 2.0], [0.0, 2.2], [0.0, 2.3]),
    ({"compare": "at_most", "atol": 0.1, "rtol": 0.0}, 1.0, 1.05, np.nan),
    ({"slice": "[:, ::2]", "compare": "exact"}, [[1, 3]], np.array([[1, 2, 3]]), np.array([[1, 2, 4]])),
    ({"slice": "[:1]", "compare": "exact"}, ["a"], ["a", "b"], ["b", "a"]),
]
TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.mark.parametrize(("how", "expected", "good", "bad"), MODES)
def test_every_comparison_can_pass_and_fail(how: dict[str, Any], expected: Any, good: Any, bad: Any) -> None:
    assert compare(good, expected, how, TOLERANCE).passed
    failed = compare(bad, expected, how, TOLERANCE)
    assert not failed.passed
    assert failed.severity > 1


@pytest.mark.parametrize("mode", ["exact", "allclose", "rel_norm", "per_pixel", "fraction", "at_most", "other"])
def test_nothing_is_broadcast_and_unknown_modes_fail(mode: str) -> None:
    how = {"compare": mode, "fraction": 1.0, "atol": 1.0, "atol_max": 1.0, "rtol": 1.0}
    assert "instead of" in compare(np.zeros(3), np.zeros((1, 3)), how, {}).reason or mode == "other"
    assert not compare(np.zeros(3), np.zeros((1, 3)), how, {}).passed


def test_the_worst_error_stands_beside_its_tolerance() -> None:
    result = compare([1.0, 100.5], [1.1, 100.0], {"atol": 0.2, "rtol": 0.01}, {})
    assert result.error == pytest.approx(0.1)
    assert result.limit == pytest.approx(0.211)


def test_slices_are_numpy_indices_and_nothing_else() -> None:
    array = np.arange(60).reshape(3, 4, 5)
    assert (array[parse_index("[:, ::2, -1]")] == array[:, ::2, -1]).all()
    assert (array[parse_index("[..., 1:3]")] == array[..., 1:3]).all()
    assert (array[parse_index("[[[0], [2]], [0, 3]]")] == array[[[0], [2]], [0, 3]]).all()
    assert (array[parse_index("[0]")] == array[0]).all()
    for text in ("[f()]", "[x]", "[:", "", "[0](1)", "['a']", "[True]", "[0].size", "[2**9]"):
        with pytest.raises(ValueError, match="slice"):
            parse_index(text)


def test_rules(tmp_path: Path) -> None:
    save_file({"a": np.arange(3, dtype=np.int16)}, tmp_path / "x.safetensors")
    for name, value in (("f2", 2), ("f10", 10)):
        Image.fromarray(np.full((2, 3), value, dtype=np.uint8)).save(tmp_path / f"{name}.png")

    def of(**rule: Any) -> Any:
        return resolve(rule, lambda name: tmp_path / name)

    uniform = of(uniform="n", shape=[4], seed=3, scale=2.0, shift=1.0)
    np.testing.assert_array_equal(uniform, seeded_uniform("n", [4], 3) * 2 + 1)
    assert uniform.dtype == np.float32
    np.testing.assert_array_equal(of(normal="n", shape=[2]), seeded_normal("n", [2]))
    mask = of(uniform="n", shape=[50], greater_than=0.5, dtype="bool")
    np.testing.assert_array_equal(mask, seeded_uniform("n", [50]) > 0.5)
    assert of(uniform="n", shape=[9], scale=255, dtype="uint8").dtype == np.uint8
    assert of(file="x.safetensors", entry="a").dtype == np.int16
    assert of(file="x.safetensors", entry="a", dtype="float32").dtype == np.float32
    np.testing.assert_array_equal(of(value=[1.0, None]), np.array([1, np.nan], dtype=np.float32))
    assert of(value=[1, 2], dtype="int64").dtype == np.int64
    assert of(value=["a"]) == ["a"]
    assert of(png="*.png")[:, 0, 0].tolist() == [2, 10]
    assert of(path="x.safetensors") == tmp_path / "x.safetensors"
    for rule in ({"file": "gone.safetensors", "entry": "a"}, {"png": "*.jpg"}):
        with pytest.raises(FileNotFoundError):
            of(**rule)
    with pytest.raises(ValueError, match="unknown rule"):
        of(other=1)


def test_json_paths_reach_keys_with_slashes() -> None:
    tree = {"a": [{"b": 1}], "c/d": {"e": 2}, "f": None}
    assert (walk(tree, "a/0/b"), walk(tree, "c/d/e"), walk(tree, "f")) == (1, 2, None)
    with pytest.raises(KeyError, match="no entry"):
        walk(tree, "a/1")


def test_weights_follow_the_manifest_and_its_exceptions(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({"a.weight": [2, 3], "a.bias": [2], "b.weight": [2], "n": []}))
    exceptions = {"a.*": {"scale": 0.5}, "a.bias": {"value": [1.0, 2.0]}, "n": {"normal": "other", "shape": []}}
    raw = {"weights": {"manifest": "m.json", "seed": 4, "exceptions": exceptions}}
    weights = Case("s", "c", "k", tmp_path, raw=raw).weights()
    np.testing.assert_array_equal(weights["a.weight"], seeded_parameter("a.weight", [2, 3], 4) * np.float32(0.5))
    np.testing.assert_array_equal(weights["a.bias"], [1, 2])
    np.testing.assert_array_equal(weights["b.weight"], seeded_parameter("b.weight", [2], 4))
    assert weights["n"].shape == ()
    raw["weights"]["exceptions"] = {"b.weight": {"value": [1.0]}}
    with pytest.raises(ValueError, match="b.weight has the shape"):
        Case("s", "c", "k", tmp_path, raw=raw).weights()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cases of a made-up system with one procedure of each temper."""

    def broken(case: Case) -> dict[str, Any]:
        raise RuntimeError("two\nlines")

    def lacking(case: Case) -> dict[str, Any]:
        raise NotCovered("not this one")

    procedures = {
        "double": lambda case: {"out": case.inputs["x"] * 2},
        "broken": broken,
        "leaving": lambda case: sys.exit(0),
        "lacking": lacking,
        "own_table": lambda case: {"first": Comparison(0.0, 1.0), "second": Comparison(2.0, 1.0, "too far")},
    }
    module = types.ModuleType("tests.reference.procedures.made_up")
    module.PROCEDURES = procedures  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    cases = [_case("good", "double", 2.0), _case("wrong", "double", 3.0), _case("large", "double", 2.0, slow=True)]
    cases += [_case(kind, kind, 2.0) for kind in ("broken", "leaving", "lacking", "unheard_of")]
    cases += [{"name": "table", "kind": "own_table", "inputs": {}}]
    cases += [_case("no_output", "double", 2.0) | {"expected": {"values": {"other": 1}, "entries": {"other": {}}}}]
    content = {"format": 2, "system": "made-up", "tolerance": TOLERANCE, "cases": cases}
    (tmp_path / "cases.json").write_text(json.dumps(content))
    return tmp_path


def _case(name: str, kind: str, expected: float, *, slow: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "slow": slow,
        "inputs": {"x": {"value": [1.0]}},
        "expected": {"values": {"out": [expected]}, "entries": {"out": {"compare": "exact"}}},
    }


def _verdicts(output: str) -> dict[str, str]:
    rows = [line.split() for line in output.splitlines()[:-1]]
    return {row[1]: row[5] for row in rows}


def test_verdicts_lines_and_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder)]) == 1
    output = capsys.readouterr().out
    verdicts = _verdicts(output)
    assert [name for name, verdict in verdicts.items() if verdict == "pass"] == ["good"]
    assert [name for name, verdict in verdicts.items() if verdict == "SKIP"] == ["large", "lacking", "unheard_of"]
    assert output.splitlines()[-1] == "9 cases: 1 passed, 5 failed, 3 skipped"
    for reason in ("RuntimeError: two lines", "SystemExit", "not this one", "no procedure for the kind unheard_of"):
        assert reason in output
    assert "slow: add --slow" in output
    assert "out: 1 of 1 values differ (1 of 1 entries failed)" in output
    assert "second: too far (1 of 2 entries failed)" in output
    assert "the procedure gave no output other; it gave out" in output
    assert len({line.index("made-up") for line in output.splitlines()[:-1]}) == 1


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--name", "good"], 0),
        (["--name", "go*", "--name", "lack*"], 0),
        (["--name", "large"], 1),  # nothing ran
        (["--name", "large", "--slow"], 0),
        (["--kind", "unheard_of"], 1),
        (["--kind", "double"], 1),
        (["--name", "nothing"], 1),
    ],
)
def test_exit_status(folder: Path, arguments: list[str], status: int) -> None:
    assert main([str(folder), *arguments]) == status
    assert main([*arguments, str(folder.parent)]) == status  # a folder above


def test_unreadable_folders(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing")]) == 2
    (folder / "cases.json").write_text('{"format": 3, "cases": []}')
    assert main([str(folder)]) == 2
    assert "this runner reads format 2" in capsys.readouterr().err


def test_a_system_without_procedures_is_skipped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((folder / "cases.json").read_text()) | {"system": "unknown-system"}
    (folder / "other").mkdir()
    (folder / "other" / "cases.json").write_text(json.dumps(content))
    assert main([str(folder / "other"), "--slow"]) == 1
    assert "0 passed, 0 failed, 9 skipped" in capsys.readouterr().out


def test_every_case_in_the_repository_can_be_read() -> None:
    """Names are unique within a system, inputs of covered kinds resolve, entries exist: checked by running them."""
    for path in sorted(Path(__file__).parent.glob("*/cases.json")):
        names = [case.name for case in load(path.parent)]
        assert len(names) == len(set(names)), path
