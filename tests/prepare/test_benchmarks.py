"""Exporter -> prepare -> loader gives back the masks, for every data set; and what goes wrong is one sentence."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from motion4d.data.labelled import LabelledSequences
from motion4d.io.files import read_json
from motion4d.io.images import write_image
from motion4d.layouts.davis import davis2017
from motion4d.layouts.fbms import fbms59
from motion4d.layouts.segtrack import segtrack
from prepare import command
from prepare.command import run
from prepare.dataset import Download
from tests.prepare.exported import DATASETS, prepare, truth
from tests.prepare.loopback import serving
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check

LAYOUTS = {
    "davis": davis2017,
    "davis_moving": partial(davis2017, prepare="davis_moving"),
    "fbms": fbms59,
    "segtrack": segtrack,
}
NAMES = sorted(DATASETS)
IMAGE = dict.fromkeys(NAMES, "*.jpg") | {"segtrack": "*.png"}
MASK = {"davis": "*.png", "davis_moving": "*.png", "fbms": "*_gt.ppm", "segtrack": "*.png"}


def loaded(name: str, root: Path) -> LabelledSequences:
    """What the loader finds in a prepared root."""
    return LabelledSequences(name, partial(LAYOUTS[name], root, "all"))


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its size and time of change."""
    return {str(f): (f.stat().st_size, f.stat().st_mtime_ns) for f in folder.rglob("*") if f.is_file()}


def copied(sources: list[str], folder: Path) -> list[Path]:
    """The sources once more, to be broken."""
    return [Path(shutil.copytree(source, folder / Path(source).name)) for source in sources]


@pytest.mark.parametrize("case", cases_of("moseg-eval", kinds=["prepare_fbms", "prepare_segtrack"]))
def test_published_conversions(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("mode", ["symlink", "copy", "hardlink"])
@pytest.mark.parametrize("name", NAMES)
def test_what_was_exported_comes_back(name: str, mode: str, downloads: dict[str, list[str]], tmp_path: Path) -> None:
    before = [listing(Path(source)) for source in downloads[name]]
    assert prepare(DATASETS[name], downloads[name], tmp_path, "--mode", mode) == 0
    assert [listing(Path(source)) for source in downloads[name]] == before  # the source is only read
    assert run(DATASETS[name], ["--check", "--partial", "--root", str(tmp_path)]) == 0
    data = loaded(name, tmp_path)
    assert len(data) == 2
    for clip, original in zip((data[0], data[1]), truth(), strict=True):
        assert original.motion is not None
        assert clip.motion is not None
        assert clip.valid is not None
        labelled = clip.valid.flatten(2).all(-1)[0]
        assert labelled.tolist() == [name != "fbms" or frame in (0, 5, 6) for frame in range(7)]
        assert torch.equal(clip.motion[:, labelled], original.motion[:, labelled])
        assert not clip.motion[:, ~labelled].any()
        assert (clip.images - original.images).abs().mean() < 0.05  # JPEG
        assert clip.sources[0].sequence == original.sources[0].sequence


def test_manifest(downloads: dict[str, list[str]], tmp_path: Path) -> None:
    assert prepare(DATASETS["fbms"], downloads["fbms"], tmp_path) == 0
    manifest = read_json(tmp_path / "manifest.json")
    assert (manifest["dataset"], manifest["version"], manifest["complete"]) == ("fbms", 1, True)
    assert manifest["options"] == {"mode": "symlink", "policy": "gray"}
    expected = {"frames": 7, "labelled": 3, "size": [32, 48], "ids": [0, 255]}
    assert manifest["sequences"]["procedural0001"] == expected


def test_curated_annotations_are_those_of_the_first_source(downloads: dict[str, list[str]], tmp_path: Path) -> None:
    """DAVIS itself labels whole objects; an object that pauses is only there."""
    curated, official = (Path(source) for source in downloads["davis_moving"])
    assert prepare(DATASETS["davis_moving"], [curated, official], tmp_path / "moving") == 0
    mask = tmp_path / "moving" / "Annotations" / "480p" / "procedural0000" / "00003.png"
    assert mask.resolve() == (curated / "procedural0000" / "00003.png").resolve()


@pytest.mark.parametrize("suffix", ["zip", "gztar"])
def test_archives_any_nesting_and_again(
    suffix: str, downloads: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nested").mkdir()
    copied(downloads["davis"], tmp_path / "nested" / "some" / "folders")
    archive = shutil.make_archive(str(tmp_path / "download"), suffix, tmp_path / "nested")
    root = tmp_path / "root"
    assert prepare(DATASETS["davis"], [archive], root) == 0
    assert len(loaded("davis", root)) == 2
    assert sorted(file.name for file in root.iterdir()) == ["Annotations", "JPEGImages", "manifest.json"]
    before = listing(root)
    capsys.readouterr()
    assert prepare(DATASETS["davis"], [archive], root) == 0
    assert "unpacking" not in capsys.readouterr().out
    assert listing(root) == before


def test_an_interrupted_run_goes_on(
    downloads: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = command.write_files

    def interrupted(job: command.Job, *more: object) -> None:
        if job.name.endswith("1"):
            raise KeyboardInterrupt
        work(job, *more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(command, "write_files", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(DATASETS["segtrack"], downloads["segtrack"], tmp_path)
    assert list(read_json(tmp_path / "manifest.json")["sequences"]) == ["procedural0000"]
    capsys.readouterr()
    assert prepare(DATASETS["segtrack"], downloads["segtrack"], tmp_path) == 0
    assert "procedural0000: 7" not in capsys.readouterr().out  # it was there already
    assert len(loaded("segtrack", tmp_path)) == 2


def test_splits_one_by_one(downloads: dict[str, list[str]], tmp_path: Path) -> None:
    """A second source adds its sequences; those of the first stay, whatever interrupts the second run."""
    for number in (0, 1):
        name = f"procedural000{number}"
        source = shutil.copytree(Path(downloads["fbms"][0]) / name, tmp_path / str(number) / "Set" / name)
        assert prepare(DATASETS["fbms"], [source.parent], tmp_path / "root") == 0
    assert list(read_json(tmp_path / "root" / "manifest.json")["sequences"]) == ["procedural0000", "procedural0001"]
    assert len(loaded("fbms", tmp_path / "root")) == 2


def test_another_policy_is_another_conversion(
    downloads: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dark object is foreground for Def.dat only."""
    source = copied(downloads["fbms"], tmp_path)
    label = source[0] / "procedural0000" / "GroundTruth" / "procedural0000_0001_gt.ppm"
    definition = label.with_name("procedural0000Def.dat")
    definition.write_text(definition.read_text().replace("\n16711680\n", "\n5\n"))  # red becomes nearly black
    pixels = np.full((32, 48, 3), 255, np.uint8)
    pixels[:10] = (0, 0, 5)
    pixels[20:] = (1, 2, 3)  # not in Def.dat
    write_image(label, pixels)
    for policy, rows in (("gray", 0), ("def", 10)):
        assert prepare(DATASETS["fbms"], source, tmp_path / "root", "--policy", policy) == 0
        assert "the policies gray and def differ in 00001" in capsys.readouterr().err
        motion = loaded("fbms", tmp_path / "root")[0].motion
        assert motion is not None
        assert motion[0, 0].sum() == rows * 48


@pytest.mark.parametrize("name", NAMES)
def test_missing_sequences_are_named(
    name: str, downloads: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(DATASETS[name], ["--source", *downloads[name], "--root", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    last = sorted(DATASETS[name].published(_defaults(name)))[-1]
    assert "published sequences are missing" in error
    assert last in error
    assert run(DATASETS[name], ["--check", "--root", str(tmp_path)]) == 1
    assert last in capsys.readouterr().err


def _defaults(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    DATASETS[name].arguments(parser)
    return parser.parse_args([])


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_image_a_missing_mask_another_size(
    name: str, downloads: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The broken sequence is named, the other one is prepared; mended, the same command completes."""
    sources = copied(downloads[name], tmp_path / "source")
    files = [file for file in sorted(sources[-1].rglob(IMAGE[name])) if "procedural0001" in file.parts]
    image = next(file for file in files if "GroundTruth" not in file.parts)
    files = [file for file in sorted(sources[0].rglob(MASK[name])) if "procedural0001" in file.parts]
    mask = next(file for file in files if "JPEGImages" not in file.parts)
    for victim in (image, mask):
        content = victim.read_bytes()
        victim.unlink()
        _expect_failure(name, sources, tmp_path / f"without {victim.suffix}", capsys)
        victim.write_bytes(content)
    write_image(mask, np.zeros((8, 8, 3) if name in ("fbms", "segtrack") else (8, 8), np.uint8))
    error = _expect_failure(name, sources, tmp_path / "root", capsys)
    assert "8x8" in error or "differ in size" in error
    mask.write_bytes(content)
    assert prepare(DATASETS[name], sources, tmp_path / "root") == 0


def _expect_failure(name: str, sources: list[Path], root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert prepare(DATASETS[name], sources, root) == 1
    error = capsys.readouterr().err
    assert "procedural0001: " in error
    assert "Traceback" not in error
    assert list(read_json(root / "manifest.json")["sequences"]) == ["procedural0000"]
    return error


def test_check_finds_what_changed(
    downloads: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(DATASETS["davis"], downloads["davis"], tmp_path, "--mode", "copy") == 0
    sequence = tmp_path / "Annotations" / "480p" / "procedural0000"
    write_image(sequence / "00002.png", np.full((32, 48), 9, np.uint8))
    (tmp_path / "Annotations" / "480p" / "procedural0001" / "00004.png").write_bytes(b"no image")
    capsys.readouterr()
    assert run(DATASETS["davis"], ["--check", "--partial", "--root", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "procedural0000: it has 7 frames of 48x32, 7 of them labelled, ids 0, 1, 2, 9, but" in error
    assert "cannot decode the mask" in error


def test_labels_beyond_the_published_objects(
    downloads: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sequence of DAVIS's list must have its frames, its objects, and all of them in the first frame."""
    source = copied(downloads["davis"], tmp_path)[0]
    for kind in ("JPEGImages", "Annotations"):
        (source / kind / "480p" / "procedural0000").rename(source / kind / "480p" / "dog")
    write_image(source / "Annotations" / "480p" / "dog" / "00003.png", np.full((32, 48), 9, np.uint8))
    write_image(source / "Annotations" / "480p" / "dog" / "00000.png", np.zeros((32, 48), np.uint8))
    assert prepare(DATASETS["davis"], [source], tmp_path / "root") == 1
    error = capsys.readouterr().err
    assert "dog: its masks hold the label 9, but it has 1 objects" in error
    assert "dog: objects [1] are not in its first mask" in error
    assert "dog: it has 7 frames, but 60 were published" in error


def test_unusable_sources(downloads: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "half.zip").write_bytes(b"PK\x03\x04 and so on")
    sources = [tmp_path / name for name in ("nothing", "empty", "half.zip")]
    sentences = ["is not there; name what was downloaded", "there is no", "it is damaged or only half downloaded"]
    for name in NAMES:
        for source, sentence in zip(sources, sentences, strict=True):
            assert prepare(DATASETS[name], [source], tmp_path / "root") == 1
            assert sentence in capsys.readouterr().err
    source = Path(downloads["davis"][0])
    assert prepare(DATASETS["davis"], [source], source) == 1
    assert "lie inside each other" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(DATASETS["davis"], ["--root", str(tmp_path)])
    assert "davischallenge.org" in capsys.readouterr().err
    assert run(DATASETS["davis"], ["--check", "--root", str(tmp_path / "nowhere")]) == 1
    assert "run: python -m prepare.davis --source DOWNLOADED" in capsys.readouterr().err
    assert run(DATASETS["davis"], ["--check", "--partial", "--root", str(tmp_path / "empty")]) == 1
    assert "it holds no sequences" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
def test_writing_never_goes_through_a_link(downloads: dict[str, list[str]], tmp_path: Path) -> None:
    """Preparing again with copies replaces the links; the files that they pointed to stay."""
    source = Path(downloads["davis"][0])
    before = listing(source)
    assert prepare(DATASETS["davis"], [source], tmp_path) == 0
    assert prepare(DATASETS["davis"], [source], tmp_path, "--mode", "copy") == 0
    assert not any(file.is_symlink() for file in tmp_path.rglob("*"))
    assert listing(source) == before


def test_download(downloads: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Resumed, checked, prepared; a wrong checksum or a silent server is one sentence."""
    archive = Path(shutil.make_archive(str(tmp_path / "SegTrackv2"), "zip", Path(downloads["segtrack"][0]).parent))
    content = archive.read_bytes()
    with serving({"/SegTrackv2.zip": content}) as server:
        url, md5 = f"{server.url}/SegTrackv2.zip", hashlib.md5(content).hexdigest()
        good = dataclasses.replace(DATASETS["segtrack"], downloads=(Download(url, "1 MB", md5),))
        bad = dataclasses.replace(good, downloads=(Download(url, "1 MB", "0" * 32),))
        gone = dataclasses.replace(good, downloads=(Download(f"{server.url}/gone.zip", "1 MB"),))
        server.break_at = [len(content) // 3]
        arguments = ["--download", "--partial", "--root", str(tmp_path / "root")]
        assert run(good, arguments) == 0
        assert server.ranges == [None, f"bytes={len(content) // 3}-"]
        assert run(good, arguments) == 0
        assert len(server.ranges) == 2  # nothing was fetched again
        assert run(bad, [*arguments[:-1], str(tmp_path / "bad")]) == 1
        assert "is not the published archive" in capsys.readouterr().err
        assert run(gone, [*arguments[:-1], str(tmp_path / "gone")]) == 1
        assert "answers 404" in capsys.readouterr().err
    assert len(loaded("segtrack", tmp_path / "root")) == 2


@pytest.mark.parametrize("name", NAMES)
def test_help_names_licence_and_source(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run(DATASETS[name], ["--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Licence:" in text
    assert "Source: " in text
    assert ("--download" in text) == (name != "davis_moving")
