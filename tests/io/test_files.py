"""Files appear whole or not at all."""

from __future__ import annotations

import pytest

from motion4d.io.files import atomic_path, check_writable, natural_key, read_json, write_json


def test_a_file_appears_when_it_is_complete_and_folders_are_made(tmp_path):
    target = tmp_path / "a" / "b" / "x.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == target.parent
        assert temporary.suffix == ".txt"
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "x.txt"
    target.write_text("old")

    def write_half():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_json_round_trip_and_refusals(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": [1, 2.5, None], "ü": "text"})
    assert read_json(path) == {"a": [1, 2.5, None], "ü": "text"}
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    assert read_json(path)["a"] == [1, 2.5, None]
    path.write_text("{")
    with pytest.raises(ValueError, match="x.json"):
        read_json(path)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="choose another output folder"):
        check_writable(tmp_path / "file" / "below")
    check_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_natural_order():
    names = ["10.png", "9.png", "frame2", "frame10", "frame1", "a", "001.png", "²"]
    assert sorted(names, key=natural_key) == ["001.png", "9.png", "10.png", "a", "frame1", "frame2", "frame10", "²"]
