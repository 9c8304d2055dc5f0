"""task=inspect: what it leaves of samples, what it says of those that lack something, and how it ends."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motion4d.cli import build, compose
from motion4d.clip import Clip
from motion4d.data.labelled import LabelledSequences
from motion4d.data.mixture import Mixture
from motion4d.data.procedural.dataset import ProceduralClips
from motion4d.engine.errors import Incomplete
from motion4d.engine.inspect import Inspect, named_sets
from motion4d.engine.runtime import Runtime
from motion4d.flow.dis import DenseInverseSearch
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import project, transform_points
from motion4d.io.ply import read_ply
from motion4d.io.video import read_video
from motion4d.layouts.davis import davis_all
from prepare import sintel as prepare_sintel
from prepare.procedural import LAYOUTS
from tests.engine.davis_like import write_davis_like
from tests.prepare.exported import prepare, truth

CONF = Path(__file__).parents[2] / "conf"
SCENES = ProceduralClips(4, num_frames=4, height=48, width=64, seed=1)


class Changed:
    """The scenes with a slip, or with a sample that cannot be read."""

    def __init__(self, change: Any) -> None:
        self.change = change

    def __len__(self) -> int:
        return len(SCENES)

    def __getitem__(self, index: int) -> Clip:
        return self.change(SCENES[index], index)


def task(data: Any, output: Path, **changes: Any) -> Inspect:
    return Inspect(data, output=output, runtime=Runtime(device="cpu"), **changes)


def test_a_sample_leaves_pictures_points_and_tracks(tmp_path: Path) -> None:
    metrics = task({"train": SCENES}, tmp_path, samples=1, max_frames=3).run()
    assert metrics["main"] == {"verdict": "PASS", "samples": 1, "PASS": 1, "WARN": 0, "FAIL": 0}
    (folder,) = (tmp_path / "train").iterdir()
    assert len(list(read_video(folder / "tracks.mp4"))) == 3
    assert (folder / "sheet.png").is_file()
    clip = SCENES[0]
    assert clip.camera_to_world is not None
    assert clip.intrinsics is not None
    cloud = read_ply(folder / "points_last.ply")
    points = transform_points(se3_inverse(clip.camera_to_world[0, 2]), torch.from_numpy(cloud.points))
    pixels = project(points, clip.intrinsics[0, 2])
    expected = torch.stack(torch.meshgrid(torch.arange(64.0), torch.arange(48.0), indexing="xy"), -1).flatten(0, 1)
    torch.testing.assert_close(pixels, expected, atol=1e-2, rtol=0)
    image = (clip.images[0, 2] * 255).round().byte().permute(1, 2, 0).reshape(-1, 3)
    np.testing.assert_array_equal(cloud.colours, image.numpy())
    with open(tmp_path / "findings.csv", encoding="utf-8") as file:
        assert {row["check"] for row in csv.DictReader(file)} >= {"images", "depth", "cameras", "depth seen again"}


def test_every_cloud_has_its_own_valid_pixels(tmp_path: Path) -> None:
    def holes(clip: Clip, _: int) -> Clip:
        valid = torch.ones_like(clip.depth, dtype=torch.bool)
        for frame in range(4):
            valid[0, frame, : 4 * frame] = False
        return replace(clip, valid=valid)

    task({"eval": Changed(holes)}, tmp_path, samples=1).run()
    (folder,) = (tmp_path / "eval").iterdir()
    names = ("points_first.ply", "points_second.ply", "points_last.ply")
    assert [len(read_ply(folder / name).points) for name in names] == [48 * 64, 44 * 64, 36 * 64]


def test_a_slip_ends_the_run_as_incomplete_and_is_named(tmp_path: Path) -> None:
    def inverted(clip: Clip, index: int) -> Clip:
        return replace(clip, camera_to_world=torch.linalg.inv(clip.camera_to_world)) if index == 3 else clip

    with pytest.raises(Incomplete, match=r"1 of 4 samples FAIL; first: train/0003_.*cameras: the poses are inverted"):
        task({"train": Changed(inverted), "eval": None}, tmp_path).run()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["main"] == {"verdict": "FAIL", "samples": 4, "PASS": 3, "WARN": 0, "FAIL": 1}


def test_a_sample_and_a_data_set_that_cannot_be_read(tmp_path: Path) -> None:
    def broken(clip: Clip, index: int) -> Clip:
        if index == 1:
            raise OSError("cannot decode the image b.png")
        return clip

    write_davis_like(tmp_path / "data", {"dog": 3}, images="JPEGImages/480p", annotations="Annotations/480p")
    next((tmp_path / "data").glob("Annotations/480p/dog/*")).unlink()
    spoilt = LabelledSequences("davis", partial(davis_all, tmp_path / "data", "all"))
    with pytest.raises(Incomplete, match=r"2 of 5 samples FAIL"):
        task({"train": Changed(broken), "eval": spoilt}, tmp_path / "out").run()
    samples = json.loads((tmp_path / "out" / "metrics.json").read_text())["samples"]
    assert samples["train/1"]["checks"]["reading"]["sentence"] == "cannot decode the image b.png"
    assert "dog lacks masks" in samples["eval"]["checks"]["reading"]["sentence"]


def test_what_is_not_prepared_is_skipped_and_without_it_the_rest_is_judged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = LabelledSequences("davis", partial(davis_all, tmp_path / "nowhere"))
    with caplog.at_level("INFO"):
        metrics = task({"train": SCENES, "eval": {"davis": missing}}, tmp_path / "out", samples=1).run()
    assert metrics["main"] == {"verdict": "PASS", "samples": 1, "PASS": 1, "WARN": 0, "FAIL": 0}
    assert "python -m prepare.davis" in metrics["skipped"]["eval/davis"]
    assert "eval/davis: skipped, because it is not prepared: DAVIS2017 train and val is not there" in caplog.text
    with pytest.raises(FileNotFoundError, match=r"nothing to inspect: DAVIS2017 .*run: python -m prepare\.davis"):
        task({"eval": missing}, tmp_path / "none").run()


def test_masks_on_disk_lack_the_rest_and_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folders = {"images": "JPEGImages/480p", "annotations": "Annotations/480p"}
    write_davis_like(tmp_path / "data", {"dog": 5, "goat": 5}, **folders)
    data = {"eval": LabelledSequences("davis", partial(davis_all, tmp_path / "data", "all"))}
    with caplog.at_level("INFO"):
        metrics = task(data, tmp_path / "out", flow=DenseInverseSearch(), samples=9, max_frames=3).run()
    assert list(metrics["samples"]) == ["eval/0000_dog", "eval/0001_goat"]
    assert metrics["samples"]["eval/0000_dog"]["missing"] == ["depth", "poses", "intrinsics", "flow"]
    assert "not there, so not checked, in eval: depth, poses, intrinsics, flow" in caplog.text
    assert len(list(read_video(tmp_path / "out" / "eval" / "0000_dog" / "tracks.mp4"))) == 3


def test_mixtures_and_groups_are_looked_at_part_by_part() -> None:
    data = {"train": Mixture({"a": SCENES, "b": SCENES}, {"a": 0.5, "b": 0.5}), "eval": {"easy": SCENES}}
    assert [name for name, _ in named_sets(data)] == ["train/a", "train/b", "eval/easy"]


def test_the_command_line(tmp_path: Path) -> None:
    words = ["task=inspect", "data=procedural_easy", "samples=1", "max_frames=2", f"output={tmp_path}"]
    metrics = build(compose(CONF, [*words, "runtime.device=cpu"]).task).run()
    assert metrics["main"]["verdict"] == "PASS"


def test_nonsense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="samples=0 and max_frames=8 must both be at least 1"):
        task({"train": SCENES}, tmp_path, samples=0)
    with pytest.raises(ValueError, match="this data option has no part train or eval to look at"):
        task({"root": "x"}, tmp_path)
    assert list(task({"train": SCENES, "eval": SCENES}, tmp_path, parts=["eval"]).sets) == ["eval"]


def test_a_benchmark_on_disk_with_one_broken_sequence(tmp_path: Path) -> None:
    layout = LAYOUTS["sintel"]
    layout.write(truth(), tmp_path / "source")
    sources = [tmp_path / "source" / name for name in layout.sources]
    assert prepare(prepare_sintel.DATASET, sources, tmp_path / "sintel") == 0
    words = ["task=inspect", "data=sintel", "data.sequences=all", f"data.root={tmp_path / 'sintel'}"]
    words += ["flow=dis_fine", "runtime.device=cpu", f"output={tmp_path / 'out'}"]
    next(tmp_path.glob("sintel/training/depth/procedural0001/*3.dpt")).unlink()
    with pytest.raises(Incomplete, match=r"1 of 2 samples FAIL; first: eval/1 reading: frames lack their depth in"):
        build(compose(CONF, words).task).run()
