"""TartanAir: an export comes back through `prepare.tartanair` and `data=tartanair`, and bad files are told plainly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motion4d.cli import build, compose
from motion4d.data.sampling import BatchShape
from motion4d.layouts.tartanair import OPENCV, SIZE, read_cameras, tartanair
from prepare.command import run
from prepare.procedural import LAYOUTS
from prepare.tartanair import DATASET
from tests.prepare.exported import prepare, truth_of_layout

CONF = Path(__file__).parents[2] / "conf"
FRAMES = 7


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences, as the command leaves them."""
    folder = tmp_path_factory.mktemp("data")
    LAYOUTS["tartanair"].write(truth_of_layout("tartanair"), folder / "official")
    assert prepare(DATASET, [folder / "official"], folder / "tartanair") == 0
    assert run(DATASET, ["--check", "--partial", "--root", str(folder / "tartanair")]) == 0
    return folder


def clips_of(root: Path, *words: str) -> Any:
    """data.train of the option."""
    overrides = ["data=tartanair", f"paths.data={root}", "output=out", *words]
    return build(compose(CONF, overrides).data.train)


def test_what_was_exported_comes_back(root: Path) -> None:
    clips = clips_of(root, "data.train.views=null", "data.train.windows.strides=[1]", "data.train.windows.step=20")
    assert len(clips) == 2
    for index, original in enumerate(truth_of_layout("tartanair")):
        clip = clips.shaped(index, BatchShape(FRAMES, SIZE))
        assert clip.sources[0].sequence == f"procedural/Hard/procedural{index:04d}"
        assert torch.allclose(clip.camera_to_world, original.camera_to_world, atol=1e-6)
        near = original.depth <= 80
        assert torch.equal(clip.valid, near)
        assert torch.equal(clip.depth[near], original.depth[near])
        assert float((clip.images - original.images).abs().max()) < 0.01


def test_a_drone_that_flies_forward_goes_along_z(tmp_path: Path) -> None:
    """Axes of the files are forward, right, down; a yaw to the right turns about the axis that points down."""
    half = np.sqrt(0.5)
    (tmp_path / "pose_left.txt").write_text(f"1 2 3 0 0 0 1\n0 0 0 0 0 {half} {half}\n")
    straight, turned = read_cameras(tmp_path / "pose_left.txt", 2).camera_to_world
    assert np.allclose(straight[:3, 3], (2, 3, 1))
    assert OPENCV == (1, 2, 0)
    assert np.allclose(turned[:3, :3] @ (0, 0, 1), (1, 0, 0))  # what was ahead is now seen where the right was


def test_bad_files_are_told_in_one_sentence(root: Path, tmp_path: Path) -> None:
    poses = tmp_path / "pose_left.txt"
    poses.write_text("1 2 3 0 0 0 1\n")
    with pytest.raises(ValueError, match="1 poses, but there are 2 frames"):
        read_cameras(poses, 2)
    poses.write_text("1 2 3 0 0 zero 1\n")
    with pytest.raises(ValueError, match="does not hold lines of tx ty tz qx qy qz qw"):
        read_cameras(poses, 1)
    poses.write_text("1 2 3\n")
    with pytest.raises(ValueError, match="does not hold lines"):
        read_cameras(poses, 1)
    with pytest.raises(ValueError, match="levels Easy and Hard, not 'hard'"):
        tartanair(root / "tartanair", "hard")
    with pytest.raises(FileNotFoundError, match=r"run: python -m prepare\.tartanair .*--level Easy"):
        tartanair(root / "tartanair", "Easy")


def test_parts_may_lie_apart_and_a_missing_one_is_named(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Archives of images and of depth are unpacked side by side; without depth a sequence is not prepared."""
    official = root / "official" / "procedural" / "Hard" / "procedural0000"
    for place, parts in (("one", ["image_left"]), ("other", ["depth_left", "pose_left.txt"])):
        folder = tmp_path / place / "procedural" / "Hard" / "P000"
        folder.mkdir(parents=True)
        for part in parts:
            (folder / part).symlink_to(official / part)
    assert prepare(DATASET, [tmp_path / "one", tmp_path / "other"], tmp_path / "whole") == 0
    assert len(tartanair(tmp_path / "whole")[0].images) == FRAMES
    assert prepare(DATASET, [tmp_path / "one"], tmp_path / "part") != 0
    assert "P000 has no depth_left and no pose_left.txt" in "".join(capsys.readouterr())
