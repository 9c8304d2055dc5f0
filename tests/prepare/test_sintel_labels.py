"""Labels of Sintel's moving pixels from true flow, depth and cameras, on files in Sintel's layout."""

import numpy as np
import pytest

from motion4d.io.flow_files import write_flow
from motion4d.io.images import write_image
from motion4d.io.masks import read_mask
from motion4d.io.sintel_files import write_cam, write_dpt
from prepare import sintel_labels
from tests.reconstruct.scenes import scene


@pytest.fixture
def room(tmp_path):
    of = scene(3, 24, 32)
    training = tmp_path / "sintel" / "training"
    for k in range(3):
        stem = f"frame_{k + 1:04d}"
        for render in ("final", "clean"):
            write_image(training / render / "room" / f"{stem}.png", np.zeros((24, 32, 3), np.uint8))
        write_dpt(training / "depth" / "room" / f"{stem}.dpt", of.depth[k].astype(np.float32))
        write_cam(training / "camdata_left" / "room" / f"{stem}.cam", of.K, np.linalg.inv(of.poses[k]))
        if k < 2:
            flow = np.moveaxis(of.flow(k, k + 1), 0, -1).astype(np.float32)
            write_flow(tmp_path / "flow" / "room" / f"{stem}.flo", flow)
    return of


def test_the_ball_is_labelled_and_the_last_frame_has_no_label(room, tmp_path, capsys):
    options = ["--root", str(tmp_path / "sintel"), "--flow", str(tmp_path / "flow")]
    assert sintel_labels.main(options) == 0
    labels = sorted((tmp_path / "sintel" / "training" / "dynamic_label_perfect" / "room").iterdir())
    assert [file.name for file in labels] == ["frame_0001.png", "frame_0002.png"]
    for k, file in enumerate(labels):
        found, truth = read_mask(file), room.ball[k]
        assert (found & truth).sum() > 0.95 * (found | truth).sum()
    assert "room: 2 labels" in capsys.readouterr().out


def test_what_is_missing_is_named(room, tmp_path, capsys):
    (tmp_path / "flow" / "room" / "frame_0002.flo").unlink()
    assert sintel_labels.main(["--root", str(tmp_path / "sintel"), "--flow", str(tmp_path / "flow")]) == 1
    assert "frame_0002.flo" in capsys.readouterr().err
    assert sintel_labels.main(["--root", str(tmp_path / "nowhere"), "--flow", str(tmp_path)]) == 1
    assert "python -m prepare.sintel" in capsys.readouterr().err
