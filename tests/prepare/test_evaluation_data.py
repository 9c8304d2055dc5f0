"""Exporter -> prepare -> loader gives back depth and cameras, for every data set of depth and pose; and bad input."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from motion4d.data.geometry_sequences import GeometrySequences
from motion4d.layouts.geometry import GeometryFiles
from motion4d.layouts.sintel import sintel
from motion4d.layouts.tum_dynamics import tum_dynamics
from prepare import sintel as prepare_sintel
from prepare import tum as prepare_tum
from prepare.command import run
from prepare.dataset import Dataset
from tests.prepare.exported import export, prepare, truth


@dataclass(frozen=True)
class Expected:
    """layout: reads a prepared root; options: of the prepare command; frames: of the seven that remain.

    depth_error, pose_error: what the format rounds away; deepest: what it can say; None: it holds no such thing.
    own_intrinsics: the format keeps them (others are constants of the camera).
    """

    dataset: Dataset
    layout: Callable[..., list[GeometryFiles]]
    options: tuple[str, ...] = ()
    frames: tuple[int, ...] = tuple(range(7))
    depth_error: float | None = 0
    deepest: float = 1e9
    pose_error: float | None = 1e-6
    own_intrinsics: bool = True


SETS = {
    "sintel": Expected(prepare_sintel.DATASET, sintel),
    "tum": Expected(
        prepare_tum.DATASET,
        tum_dynamics,
        options=("--stride", "2", "--count", "3"),
        frames=(0, 2, 4),
        depth_error=1.01e-4,
        deepest=65535 / 5000,
        pose_error=3e-4,
        own_intrinsics=False,
    ),
}
NAMES = sorted(SETS)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Name of a data set -> the sources that its command takes. Only read."""
    return {name: export(name, tmp_path_factory.mktemp(name)) for name in SETS}


def loaded(name: str, root: Path, **more: object) -> GeometrySequences:
    """What the loader finds in a prepared root."""
    layout = SETS[name].layout
    return GeometrySequences(name, lambda: layout(root, "all", **more), depth_protocol=None, pose_protocol=None)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_exported_comes_back(name: str, exported: dict[str, list[str]], tmp_path: Path) -> None:
    expected = SETS[name]
    assert prepare(expected.dataset, exported[name], tmp_path, *expected.options) == 0
    assert run(expected.dataset, ["--check", "--partial", "--root", str(tmp_path), *expected.options]) == 0
    data = loaded(name, tmp_path)
    for clip, original in zip((data[0], data[1]), truth(), strict=True):
        assert torch.allclose(clip.images, original.images[:, expected.frames], atol=0.003)
        assert original.depth is not None
        _check_depth(expected, clip.depth, clip.valid, original.depth[:, expected.frames])
        _check_pose(expected, clip.camera_to_world, original.camera_to_world)
        if expected.own_intrinsics:
            assert clip.intrinsics is not None
            assert torch.allclose(clip.intrinsics, original.intrinsics[:, expected.frames], atol=1e-4)


def _check_depth(
    expected: Expected, depth: torch.Tensor | None, valid: torch.Tensor | None, original: torch.Tensor
) -> None:
    if expected.depth_error is None:
        assert depth is None
        return
    known = original <= expected.deepest
    assert depth is not None
    assert torch.equal(valid, known)
    assert (depth - original)[known].abs().max() <= expected.depth_error
    assert (depth[~known] == 0).all()


def _check_pose(expected: Expected, poses: torch.Tensor | None, original: torch.Tensor | None) -> None:
    if expected.pose_error is None:
        assert poses is None
        return
    assert poses is not None
    assert original is not None
    assert (poses - original[:, expected.frames]).abs().max() <= expected.pose_error


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_root_names_the_command(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"run: python -m prepare\.{SETS[name].dataset.name}"):
        len(loaded(name, tmp_path / "nowhere"))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_and_a_broken_file(
    name: str, exported: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The broken sequence is named, the other one is prepared; mended, the same command completes."""
    expected = SETS[name]
    sources = [Path(shutil.copytree(source, tmp_path / str(k))) for k, source in enumerate(exported[name])]
    for victim in _victims(name, sources):
        content = victim.read_bytes()
        for spoil in (victim.unlink, lambda victim=victim: victim.write_bytes(b"broken")):
            spoil()
            root = tmp_path / f"root of {victim.name}"
            assert prepare(expected.dataset, sources, root, *expected.options) == 1, victim
            printed = capsys.readouterr()
            assert "procedural0001: " in printed.err, victim
            assert "procedural0000: " in printed.out
            shutil.rmtree(root)
        victim.write_bytes(content)
    assert prepare(expected.dataset, sources, tmp_path / "root", *expected.options) == 0


VICTIMS = {
    "sintel": ("**/final/*1/*3.png", "**/depth/*1/*3.dpt", "**/camdata_left/*1/*3.cam"),
    "tum": ("*1/rgb/*313.000000.png", "*1/depth/*313.012000.png"),
}


def _victims(name: str, sources: list[Path]) -> list[Path]:
    found = [sorted(file for source in sources for file in source.glob(pattern)) for pattern in VICTIMS[name]]
    return [files[0] for files in found]


@pytest.mark.parametrize("name", NAMES)
def test_published_sequences_that_are_missing_are_named(
    name: str, exported: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = SETS[name]
    command = ["--source", *exported[name], "--root", str(tmp_path), *expected.options]
    assert run(expected.dataset, command) == 1
    assert "published sequences are missing" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match=r"lacks \d+ of \d+ sequences"):
        expected.layout(tmp_path)


def test_it_works_without_torch() -> None:
    names = ", ".join(f"prepare.{name}" for name in NAMES)
    code = f"import sys, {names}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
