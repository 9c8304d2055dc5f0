"""Exporter -> prepare -> loader gives back depth and cameras, for every data set of depth and pose; and bad input."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from motion4d.data.geometry_sequences import GeometrySequences
from motion4d.layouts.bonn import bonn
from motion4d.layouts.dycheck import dycheck
from motion4d.layouts.geometry import GeometryFiles
from motion4d.layouts.kitti_depth import kitti_depth
from motion4d.layouts.nyu_depth import nyu_depth
from motion4d.layouts.scannet import scannet
from motion4d.layouts.sintel import sintel
from motion4d.layouts.tum_dynamics import tum_dynamics
from prepare import bonn as prepare_bonn
from prepare import dycheck as prepare_dycheck
from prepare import kitti as prepare_kitti
from prepare import nyu as prepare_nyu
from prepare import procedural
from prepare import scannet as prepare_scannet
from prepare import sintel as prepare_sintel
from prepare import tum as prepare_tum
from prepare.command import run
from prepare.dataset import Dataset
from prepare.procedural import LAYOUTS
from tests.prepare.exported import prepare, truth, truth_of_layout
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check


@dataclass(frozen=True)
class Expected:
    """layout: reads a prepared root; victims: files of the second sequence, as globs below the sources, that must be
    there and whole; options: of the prepare command; frames: those of the seven that remain.

    image_error, depth_error, pose_error, intrinsics_error: what the format rounds away, None: it holds no such thing;
    deepest: what it can say; rows: every so-many-th row has depth. first: row and column of the clip with which its
    images begin.
    """

    dataset: Dataset
    layout: Callable[..., list[GeometryFiles]]
    victims: tuple[str, ...]
    options: tuple[str, ...] = ()
    frames: tuple[int, ...] = tuple(range(7))
    image_error: float = 0.003
    depth_error: float | None = 0
    rows: int = 1
    deepest: float = 1e9
    pose_error: float | None = 1e-6
    intrinsics_error: float | None = 1e-4
    first: tuple[int, int] = (0, 0)


SETS = {
    "bonn": Expected(
        prepare_bonn.DATASET,
        partial(bonn, corrected=True),
        ("**/*1/rgb/*470.01333.png", "**/*1/depth/*470.01333.png"),
        options=("--start", "2", "--count", "4"),
        frames=(2, 3, 4, 5),
        depth_error=1.01e-4,
        deepest=65535.5 / 5000,
        pose_error=1e-4,
        intrinsics_error=0.5,
        first=(4, 8),
    ),
    "dycheck": Expected(
        prepare_dycheck.DATASET, dycheck, ("*1/rgb/1x/0_00003.png", "*1/depth/1x/0_00003.npy", "*1/camera/0_00003.json")
    ),
    "kitti": Expected(
        prepare_kitti.DATASET,
        kitti_depth,
        ("*/*1/image_02/data/*3.png",),
        options=("--count", "5"),
        frames=(1, 2, 3, 4, 5),
        depth_error=2e-3,
        deepest=65535 / 256,
        rows=3,
        pose_error=None,
        intrinsics_error=None,
    ),
    "scannet": Expected(
        prepare_scannet.DATASET,
        scannet,
        ("*1/color/3.jpg", "*1/pose/3.txt"),
        options=("--stride", "3", "--count", "3"),
        frames=(0, 3, 6),
        image_error=0.05,
        depth_error=None,
    ),
    "sintel": Expected(
        prepare_sintel.DATASET, sintel, ("**/final/*1/*3.png", "**/depth/*1/*3.dpt", "**/camdata_left/*1/*3.cam")
    ),
    "tum": Expected(
        prepare_tum.DATASET,
        tum_dynamics,
        ("*1/rgb/*313.000000.png", "*1/depth/*313.012000.png"),
        options=("--stride", "2", "--count", "3"),
        frames=(0, 2, 4),
        depth_error=1.01e-4,
        deepest=65535.5 / 5000,
        pose_error=3e-4,
        intrinsics_error=1e-3,
    ),
}
NAMES = sorted(SETS)


@pytest.mark.parametrize("case", cases_of("page4d", kinds=["tum_association", "dataset_camera"]))
def test_reference(case: Case) -> None:
    check(case)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Name of a data set -> the sources that its command takes. Only read."""
    return {name: exported_to(name, tmp_path_factory.mktemp(name)) for name in SETS}


def exported_to(name: str, folder: Path) -> list[str]:
    """Write what one downloads; returns the sources."""
    LAYOUTS[name].write(truth_of_layout(name), folder)
    return [str(folder / source) for source in LAYOUTS[name].sources]


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
    for clip, original in zip((data[0], data[1]), truth_of_layout(name), strict=True):
        (top, left), (height, width) = expected.first, clip.size
        rows, columns = slice(top, top + height), slice(left, left + width)
        assert (clip.images - original.images[:, expected.frames, :, rows, columns]).abs().mean() < expected.image_error
        assert original.depth is not None
        _check_depth(expected, clip.depth, clip.valid, original.depth[:, expected.frames, rows, columns])
        _check_pose(expected, clip.camera_to_world, original.camera_to_world)
        if expected.intrinsics_error is None:
            assert clip.intrinsics is None
            continue
        moved = original.intrinsics[:, expected.frames] - torch.tensor([[0, 0, left], [0, 0, top], [0, 0, 0]])
        assert (clip.intrinsics - moved).abs().max() <= expected.intrinsics_error


def _check_depth(
    expected: Expected, depth: torch.Tensor | None, valid: torch.Tensor | None, original: torch.Tensor
) -> None:
    if expected.depth_error is None:
        assert depth is None
        return
    known = original <= expected.deepest
    known &= (torch.arange(original.shape[-2]) % expected.rows == 0)[:, None]
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
    for pattern in expected.victims:
        victim = next(file for source in sources for file in sorted(source.glob(pattern)))
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


def test_images_of_nyu_come_back_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("h5py")
    sources = exported_to("nyu", tmp_path)
    broken = tmp_path / "nyudepthv2/val/official/00003.h5"
    content = broken.read_bytes()
    broken.write_bytes(content[:500])
    assert prepare(prepare_nyu.DATASET, sources, tmp_path / "root") == 1
    assert "00003: cannot read" in capsys.readouterr().err
    broken.write_bytes(content)
    assert prepare(prepare_nyu.DATASET, sources, tmp_path / "root") == 0
    data = GeometrySequences("nyu", partial(nyu_depth, tmp_path / "root"), depth_protocol="nyu", pose_protocol=None)
    assert len(data) == 14
    original = truth()[1]
    assert original.depth is not None
    assert torch.equal(data[7 + 2].depth[0, 0], original.depth[0, 2])
    assert torch.allclose(data[7 + 2].images[0, 0], original.images[0, 2], atol=0.003)
    assert data[0].camera_to_world is None


def test_nyu_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "val/official").mkdir(parents=True)
    (tmp_path / "val/official/00001.h5").touch()
    assert prepare(prepare_nyu.DATASET, [tmp_path], tmp_path.with_name("root")) == 1
    assert '00001: reading NYU Depth v2 needs h5py: pip install -e ".[hdf5]"' in capsys.readouterr().err


def test_a_frame_without_depth_in_tum_has_none(exported: dict[str, list[str]], tmp_path: Path) -> None:
    source = Path(shutil.copytree(exported["tum"][0], tmp_path / "source"))
    listing = source / "procedural0000" / "depth.txt"
    lines = listing.read_text().splitlines()
    listing.write_text("\n".join(lines[:2] + lines[4:]))  # the next ones are over 0.04 s away from frame 2
    assert prepare(prepare_tum.DATASET, [source], tmp_path / "root", "--stride", "1", "--count", "7") == 0
    data = loaded("tum", tmp_path / "root")
    assert data[0].valid is not None
    assert data[0].valid[0].flatten(1).any(1).tolist() == [True, True, False, True, True, True, True]
    rows = (tmp_path / "root/procedural0000/associations_7.txt").read_text().splitlines()[1:]
    assert rows[2].split()[2] == "-"
    assert rows[0].split()[2] == rows[1].split()[2]  # one file serves two frames
    assert len(list((tmp_path / "root/procedural0000/depth_7").iterdir())) == 6


def test_tum_prepared_twice_is_refused(exported: dict[str, list[str]], tmp_path: Path) -> None:
    for count in ("3", "4"):
        status = prepare(prepare_tum.DATASET, exported["tum"], tmp_path / "a", "--stride", "1", "--count", count)
    assert status == 1
    with pytest.raises(ValueError, match=r"prepared more than once \(associations_3.txt, associations_4.txt\)"):
        len(loaded("tum", tmp_path / "a"))
    for stride in ("1", "2"):
        status = prepare(prepare_tum.DATASET, exported["tum"], tmp_path / "b", "--stride", stride, "--count", "3")
    assert status == 1
    with pytest.raises(ValueError, match=r"associations_3.txt and the images do not agree; remove "):
        len(loaded("tum", tmp_path / "b"))


def test_bonn_is_cut_by_place_and_says_if_it_is_too_short(
    exported: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(prepare_bonn.DATASET, exported["bonn"], tmp_path) == 1
    assert "ends after 7 frames, but 30 to 139 are wanted" in capsys.readouterr().err


def test_clips_of_another_camera_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"it has 32x48 pixels .* the data set's camera needs 480x640 .* and 525"):
        LAYOUTS["tum"].write(truth(), tmp_path)


def test_poses_of_bonn_are_those_of_the_markers_unless_corrected(
    exported: dict[str, list[str]], tmp_path: Path
) -> None:
    assert prepare(prepare_bonn.DATASET, exported["bonn"], tmp_path, "--start", "0", "--count", "7") == 0
    markers = loaded("bonn", tmp_path, corrected=False).cameras(0).camera_to_world
    rows = (Path(exported["bonn"][0]) / "procedural0000" / "groundtruth.txt").read_text().splitlines()[1:]
    assert markers is not None
    np.testing.assert_allclose(markers[:, :3, 3], [[float(word) for word in row.split()[1:4]] for row in rows])


def test_dycheck_takes_every_so_many_th_frame(exported: dict[str, list[str]], tmp_path: Path) -> None:
    assert prepare(prepare_dycheck.DATASET, exported["dycheck"], tmp_path) == 0
    data = loaded("dycheck", tmp_path, every=3, limit=2)
    assert data.sequences[0].stems == ("0_00000", "0_00003")
    poses = data.cameras(1).camera_to_world
    assert poses is not None
    np.testing.assert_allclose(
        poses, truth_of_layout("dycheck")[1].camera_to_world[0, [0, 3]].double().numpy(), atol=1e-6
    )
    with pytest.raises(ValueError, match="every=0 limit=None: both must be at least 1"):
        len(loaded("dycheck", tmp_path, every=0))


def test_an_archive_per_sequence_and_one_that_is_cut_short(
    exported: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("procedural0000", "procedural0001")
    archives = [
        Path(shutil.make_archive(str(tmp_path / name), "gztar", exported["tum"][0], base_dir=name)) for name in names
    ]
    options = SETS["tum"].options
    assert prepare(prepare_tum.DATASET, archives, tmp_path / "root", *options) == 0
    assert [files.name for files in loaded("tum", tmp_path / "root").sequences] == list(names)
    archives[1].write_bytes(archives[1].read_bytes()[:5000])
    assert prepare(prepare_tum.DATASET, archives, tmp_path / "other", *options) == 1
    assert "is damaged or only half downloaded" in capsys.readouterr().err


def test_the_command_that_an_export_prints_prepares_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--sequences", "1", "--frames", "5", "--data", "procedural_easy"]
    assert procedural.main(["--layout", "bonn", "--root", str(tmp_path / "downloaded"), *size]) == 0
    printed = capsys.readouterr().out.splitlines()[-1].removeprefix("python -m prepare.bonn ")
    assert run(prepare_bonn.DATASET, printed.replace("PREPARED", str(tmp_path / "root")).split()) == 0
    assert loaded("bonn", tmp_path / "root")[0].num_frames == 5
