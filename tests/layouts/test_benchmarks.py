"""The published lists, and layouts that say what is missing and which command brings it."""

from __future__ import annotations

from pathlib import Path

import pytest

from motion4d.layouts import davis_lists, fbms, segtrack
from motion4d.layouts.davis import davis2016, davis2016_seganymo, davis2017, davis_all


def make(root: Path, files: list[str]) -> Path:
    """Empty files below a root."""
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def davis_tree(root: Path, sequences: list[str], frames: int = 3) -> Path:
    """The official layout with empty files."""
    parts = (("JPEGImages", "jpg"), ("Annotations", "png"))
    names = [f"480p/{name}/{k:05d}" for name in sequences for k in range(frames)]
    return make(root, [f"{kind}/{name}.{suffix}" for kind, suffix in parts for name in names])


def test_published_lists() -> None:
    assert (len(davis_lists.VAL_2016), len(davis_lists.TRAIN_2016)) == (20, 30)
    assert (len(davis_lists.VAL_2017), len(davis_lists.TRAIN_2017), len(davis_lists.ALL_2017)) == (30, 60, 90)
    assert (len(davis_lists.MOVING_2016), len(davis_lists.MOVING_2017)) == (16, 22)
    assert set(davis_lists.VAL_2016) < set(davis_lists.VAL_2017)
    counts = davis_lists.VAL_2017_FRAMES_AND_OBJECTS.values()
    assert (sum(frames for frames, _ in counts), sum(objects for _, objects in counts)) == (1999, 61)
    assert sum(davis_lists.VAL_2017_FRAMES_AND_OBJECTS[name][0] for name in davis_lists.VAL_2016) == 1376
    assert (len(fbms.TEST), len(fbms.TRAIN), len(fbms.BOTH)) == (30, 29, 59)
    assert (len(segtrack.OBJECTS), sum(segtrack.OBJECTS.values())) == (14, 24)


@pytest.mark.parametrize("nesting", ["", "DAVIS"])
def test_davis_reads_the_list_in_its_order(tmp_path: Path, nesting: str) -> None:
    davis_tree(tmp_path / nesting, [*davis_lists.ALL_2017, "extra"])
    assert [files.name for files in davis2016(tmp_path)] == list(davis_lists.VAL_2016)
    assert [files.name for files in davis2017(tmp_path)] == list(davis_lists.VAL_2017)
    assert len(davis_all(tmp_path)) == 90
    assert len(davis_all(tmp_path, "all")) == 91
    assert [files.name for files in davis2016_seganymo(tmp_path, ["extra", "dog"])] == ["extra", "dog"]
    files = davis2017(tmp_path, ["dog"])[0]
    assert files.stems == ("00000", "00001", "00002")
    assert list(files.annotations) == list(files.stems)


def test_what_is_missing_is_named_with_its_command(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"DAVIS2016 val is not there.*run: python -m prepare.davis --source"):
        davis2016(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"run: python -m prepare.davis_moving"):
        davis2017(tmp_path, prepare="davis_moving")
    with pytest.raises(FileNotFoundError, match=r"FBMS-59 test is not there.*prepare.fbms"):
        fbms.fbms59_test(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"SegTrack v2 is not there.*prepare.segtrack"):
        segtrack.segtrack(tmp_path)
    davis_tree(tmp_path, list(davis_lists.VAL_2016[1:]))
    with pytest.raises(FileNotFoundError, match=r"lacks 1 of 20 sequences: blackswan; run: python -m prepare.davis"):
        davis2016(tmp_path)
    with pytest.raises(ValueError, match="sequences=val is neither published, all nor a list"):
        davis2016(tmp_path, "val")


def test_frames_and_masks_must_fit(tmp_path: Path) -> None:
    davis_tree(tmp_path, ["dog"])
    masks = tmp_path / "Annotations" / "480p" / "dog"
    (masks / "00001.png").unlink()
    with pytest.raises(ValueError, match="dog lacks masks in .*: 00001; run"):
        davis2016(tmp_path, "all")
    (masks / "00001.png").touch()
    (masks / "00007.png").touch()
    with pytest.raises(ValueError, match="dog has masks without frames in .*: 00007; run"):
        davis2016(tmp_path, "all")
    (masks / "00007.png").unlink()
    (masks / "00001.bmp").touch()
    with pytest.raises(ValueError, match="are two files of one frame"):
        davis2016(tmp_path, "all")
    for mask in masks.iterdir():
        mask.unlink()
    with pytest.raises(FileNotFoundError, match="dog has no masks: .* holds no image files; run"):
        davis2016(tmp_path, "all")


def test_one_broken_sequence_leaves_the_others(tmp_path: Path) -> None:
    davis_tree(tmp_path, ["cat", "dog"])
    (tmp_path / "Annotations" / "480p" / "dog" / "00001.png").unlink()
    cat, dog = davis2016(tmp_path, "all")
    assert (cat.problem, len(cat.images), dog.images) == (None, 3, ())
    cat.check()
    with pytest.raises(ValueError, match="dog lacks masks in .*: 00001; run: python -m prepare.davis"):
        dog.check()


def test_fbms_labels_some_frames(tmp_path: Path) -> None:
    make(tmp_path, [f"JPEGImages/cars1/{k:05d}.jpg" for k in range(1, 20)])
    make(tmp_path, [f"Annotations/cars1/{k:05d}.png" for k in (1, 10, 19)])
    (files,) = fbms.fbms59(tmp_path, ["cars1"])
    assert len(files.images) == 19
    assert list(files.annotations) == ["00001", "00010", "00019"]


def test_segtrack_also_under_other_names(tmp_path: Path) -> None:
    make(tmp_path, ["JPEGImages/worm/00000.png", "Annotations/worm/00000.png"])
    (files,) = segtrack.segtrack(tmp_path, "all")
    assert files.annotations["00000"].parent.parent.name == "Annotations"
