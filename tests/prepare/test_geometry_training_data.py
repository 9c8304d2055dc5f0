"""Exporter -> prepare -> configured loader gives back depth and cameras, for every training set of geometry."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motion4d.cli import build, compose
from motion4d.clip import Clip
from motion4d.data.sampling import BatchShape
from motion4d.geometry.poses import relative_to_first
from prepare.command import run
from prepare.procedural import LAYOUTS
from tests.prepare.exported import prepare, truth, truth_of_layout

ROOT = Path(__file__).parents[2]
FRAMES, SIZE = 7, (32, 48)


@dataclass(frozen=True)
class Expected:
    """What a format changes. relative, absolute: error of depth; image_error: mean; unseen: share of the pixels that
    lose their depth, besides those deeper than `deepest` (None: many); own_world: poses are those of the clip in
    another world.
    """

    relative: float = 0.0
    absolute: float = 0.0
    image_error: float = 0.03  # JPEG
    unseen: float | None = 0.0
    deepest: float = 1e9
    own_world: bool = False


SETS = {
    "point_odyssey": Expected(absolute=0.5 / 65.535 + 1e-4, deepest=1000.0),
    "kubric": Expected(relative=1e-6, image_error=0.003),
    "spring": Expected(relative=1e-6, image_error=0.003),
    "dynamic_replica": Expected(relative=2**-11, image_error=0.003),
    "co3d": Expected(relative=2**-11, unseen=1 / 32 / 48),
    "rlbench": Expected(),
    "waymo": Expected(relative=1e-4, unseen=None, own_world=True),
}
NAMES = sorted(name for name in SETS if name != "spring" or find_spec("h5py"))
OPTIONS = {name: name for name in NAMES} | {"dynamic_replica": "dynamic_replica_geometry"}
PLAIN = [f"data.train.{word}" for word in ("views=null", "limits=null")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All data sets as their commands leave them, two sequences each."""
    root = tmp_path_factory.mktemp("data")
    for name in NAMES:
        if name == "spring":
            pytest.importorskip("h5py")
        dataset, official = importlib.import_module(f"prepare.{name}").DATASET, root / "official" / name
        LAYOUTS[name].write(truth_of_layout(name), official)
        assert prepare(dataset, [official / source for source in LAYOUTS[name].sources], root / name) == 0
        assert run(dataset, ["--check", "--partial", "--root", str(root / name)]) == 0
    return root


def configured(root: Path, name: str, *words: str) -> Any:
    """data.train of the set's option."""
    overrides = [f"data={OPTIONS[name]}", f"paths.data={root}", "output=out", *words]
    return build(compose(ROOT / "conf", overrides).data.train)


def whole(clips: Any, index: int) -> Clip:
    """All frames of a sequence at their own size."""
    return clips.shaped(index, BatchShape(FRAMES, SIZE))


@pytest.mark.parametrize("name", NAMES)
def test_what_was_exported_comes_back(prepared: Path, name: str) -> None:
    words = ["++data.train.windows.strides=[1]", "++data.train.windows.step=20"]
    if name == "co3d":
        one_clip = "data.train.windows._target_=motion4d.data.frame_windows.StridedWindows"
        words += [one_clip, "~data.train.windows.least"]
    clips, expected = configured(prepared, name, *PLAIN, *words), SETS[name]
    assert len(clips) == 2
    for index, original in enumerate(truth_of_layout(name)):
        clip = whole(clips, index)
        assert clip.sources[0].dataset == name
        assert f"procedural{index:04d}" in clip.sources[0].sequence
        assert float((clip.images - original.images).abs().mean()) < expected.image_error
        _check_depth(expected, clip, original)
        poses = original.camera_to_world
        assert poses is not None
        assert clip.camera_to_world is not None
        found = relative_to_first(clip.camera_to_world) if expected.own_world else clip.camera_to_world
        assert torch.allclose(found, poses, atol=1e-6)
        assert torch.allclose(clip.intrinsics, original.intrinsics, atol=1e-4)


def _check_depth(expected: Expected, clip: Clip, original: Clip) -> None:
    assert clip.depth is not None
    assert clip.valid is not None
    assert original.depth is not None
    near = original.depth <= expected.deepest
    assert torch.all(near | ~clip.valid)
    unseen = float((near & ~clip.valid).float().mean())
    assert 0.3 < unseen < 0.98 if expected.unseen is None else unseen == pytest.approx(expected.unseen, abs=1e-6)
    error = (clip.depth - original.depth).abs()
    allowed = expected.relative * original.depth + expected.absolute
    assert (error <= allowed)[clip.valid].all()
    assert (clip.depth[~clip.valid] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_option_as_it_stands_gives_batches_in_any_shape(prepared: Path, name: str) -> None:
    words = ["data.train.windows.least=3"] if name == "co3d" else []
    clips = configured(prepared, name, *words)
    shapes = [BatchShape(2, (14, 42)), BatchShape(5, (28, 28))]
    for shape in shapes:
        batch = Clip.collate([clips.shaped(index, shape) for index in (0, len(clips) - 1)])
        assert batch.images.shape == (2, shape.frames, 3, *shape.size)
        assert batch.valid is not None
        assert batch.valid.float().mean() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_root_names_the_command(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf"run: python -m prepare\.{name} "):
        len(configured(tmp_path, name))


VICTIMS = {
    "point_odyssey": ("*/*1/rgbs/*3.jpg", "*/*1/depths/*3.png", "*/*1/anno.npz"),
    "kubric": ("*1/depth_*3.tiff", "*1/metadata.json"),
    "spring": ("**/*1/disp1_left/*3.dsp5", "**/*1/cam_data/extrinsics.txt"),
    "dynamic_replica": ("train/*1_left/depths/*3.geometric.png",),
    "co3d": ("apple/*1/images/*3.jpg", "apple/*1/depths/*3.jpg.geometric.png", "apple/*1/depth_masks/*3.png"),
    "rlbench": ("*1/*/front_depth_npy/3.npz",),
    "waymo": ("*/*1_with_camera_labels.tfrecord",),
}
BREAKABLE_ONLY = ("metadata.json", "3.jpg", ".tfrecord")  # without it, it is no scene; without an image, a frame less


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_and_a_broken_file(
    prepared: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The broken sequence is named, the other one is prepared."""
    dataset = importlib.import_module(f"prepare.{name}").DATASET
    official = Path(shutil.copytree(prepared / "official" / name, tmp_path / "official"))
    sources = sorted(path for path in official.iterdir())
    for pattern in VICTIMS[name]:
        (victim,) = [file for source in sources for file in source.glob(pattern)]
        content = victim.read_bytes()
        spoils = [lambda victim=victim: victim.write_bytes(b"broken")]
        if not victim.name.endswith(BREAKABLE_ONLY) or name == "co3d":
            spoils.append(victim.unlink)
        for spoil in spoils:
            spoil()
            root = tmp_path / "root"
            assert prepare(dataset, sources, root) == 1, victim
            printed = capsys.readouterr()
            assert "procedural0001" in printed.err, victim
            assert "procedural0000" in printed.out
            shutil.rmtree(root)
        victim.write_bytes(content)


def test_a_camera_that_moves_is_no_camera_of_rlbench(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its camera moves, but those of RLBench stand still"):
        LAYOUTS["rlbench"].write(truth(), tmp_path)


@pytest.mark.skipif(find_spec("h5py") is None, reason="needs h5py")
def test_the_right_eye_stands_to_the_right_of_the_left_one(prepared: Path, tmp_path: Path) -> None:
    """A picture of the right eye, with the left one's list of cameras."""
    spring = importlib.import_module("motion4d.layouts.spring")
    sequence = Path(shutil.copytree(prepared / "spring", tmp_path / "spring")) / "train" / "procedural0000"
    for part in ("frame", "disp1"):
        folder = sequence / f"{part}_left"
        folder.rename(sequence / f"{part}_right")
    right = spring.spring(tmp_path / "spring", ["right"])[0]
    (left,) = [files for files in spring.spring(prepared / "spring", ["left"]) if "0000" in files.name]
    poses = [files.cameras().camera_to_world for files in (left, right)]
    offset = np.linalg.inv(poses[0]) @ poses[1]
    assert np.allclose(offset[:, :3, :3], np.eye(3), atol=1e-6)
    assert np.allclose(offset[:, :3, 3], [0.065, 0, 0], atol=1e-6)


def test_a_scene_that_is_wider_than_high_has_square_pixels() -> None:
    kubric = importlib.import_module("motion4d.layouts.kubric")
    matrix = kubric.intrinsics(0.9, (128, 256))
    assert matrix[0, 0] == matrix[1, 1] == pytest.approx(128 / np.tan(0.45))


def test_sequences_without_instance_ids_have_depth_only(prepared: Path, tmp_path: Path) -> None:
    """The published validation split has no masks of its own; its cameras are those of its own annotations."""
    dataset = importlib.import_module("prepare.dynamic_replica").DATASET
    official = Path(shutil.copytree(prepared / "official" / "dynamic_replica", tmp_path / "official"))
    split = (official / "dynamic_replica_data" / "train").rename(official / "dynamic_replica_data" / "valid")
    (split / "frame_annotations_train.jgz").rename(split / "frame_annotations_valid.jgz")
    for folder in split.glob("*/instance_id_maps"):
        shutil.rmtree(folder)
    root = tmp_path / "root"
    assert prepare(dataset, [official], root) == 0
    layout = importlib.import_module("motion4d.layouts.dynamic_replica_geometry")
    assert [files.name for files in layout.dynamic_replica_geometry(root, "valid")] == [
        "valid/procedural0000_left",
        "valid/procedural0001_left",
    ]
    with pytest.raises(FileNotFoundError, match=r"run: python -m prepare\.dynamic_replica"):
        layout.dynamic_replica_geometry(root)
