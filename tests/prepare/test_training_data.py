"""What `prepare` makes of downloads of the training data sets that are not as the exporters write them."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from motion4d.io.images import write_image
from motion4d.io.labels import read_labels
from motion4d.layouts.dynamic_replica import dynamic_replica
from motion4d.layouts.dynamicverse import dynamicverse
from motion4d.layouts.gotmoving import gotmoving
from motion4d.layouts.hoi4d import hoi4d
from prepare import dynamic_replica as prepare_dynamic_replica
from prepare import dynamicverse as prepare_dynamicverse
from prepare import got10k as prepare_got10k
from prepare import gotmoving as prepare_gotmoving
from prepare import hoi4d as prepare_hoi4d
from prepare.export import dynamic_replica as export_dynamic_replica
from prepare.export import dynamicverse as export_dynamicverse
from prepare.export import got10k as export_got10k
from prepare.export import gotmoving as export_gotmoving
from prepare.export import hoi4d as export_hoi4d
from tests.data.moving_things import walking_thing


def masks(files, index: int = 0) -> np.ndarray:
    return np.stack([read_labels(path) > 0 for path in files[index].annotations.values()])


def truth() -> np.ndarray:
    motion = walking_thing().motion
    assert motion is not None
    return motion[0].numpy()


@pytest.fixture
def replica(tmp_path: Path) -> Path:
    """One left view as downloaded."""
    export_dynamic_replica.write([walking_thing("room")], tmp_path)
    return tmp_path / "dynamic_replica_data"


def prepare_replica(source: Path, root: Path) -> int:
    return prepare_dynamic_replica.main(["--source", str(source), "--root", str(root)])


def test_right_view_has_the_dynamic_instances_of_the_left(replica: Path, tmp_path: Path) -> None:
    left, right = replica / "train" / "room_left", replica / "train" / "room_right"
    shutil.copytree(left, right)
    shutil.rmtree(right / "trajectories")
    for file in [*(right / "images").iterdir(), *(right / "instance_id_maps").iterdir()]:
        file.rename(file.with_name(file.name.replace("left", "right")))
    assert prepare_replica(replica, tmp_path / "root") == 0
    files = dynamic_replica(tmp_path / "root")
    assert [one.name for one in files] == ["train/room_left", "train/room_right"]
    assert np.array_equal(masks(files, 1), truth())


def test_supplied_masks_are_taken_if_everything_is_dynamic(replica: Path, tmp_path: Path) -> None:
    scene = replica / "train" / "room_left"
    for file in (scene / "trajectories").iterdir():
        content = torch.load(file, weights_only=True)
        moving = content["instances"] == 2
        torch.save({name: value[moving] for name, value in content.items()}, file)
    for frame in range(6):
        write_image(scene / "masks" / f"room_left_{frame:04d}.png", np.full((32, 48), 9, np.uint8))
    assert prepare_replica(replica, tmp_path / "root") == 0
    assert masks(dynamic_replica(tmp_path / "root")).all()


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_a_trajectory_file_that_holds_code_is_not_run(
    replica: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (replica / "train/room_left/trajectories/000003.pth").write_bytes(pickle.dumps(Harmful()))
    assert prepare_replica(replica, tmp_path / "root") == 1
    assert "000003.pth" in capsys.readouterr().err
    assert not (tmp_path / "harm").exists()


def test_masks_of_the_pipeline_are_matched_in_order(tmp_path: Path) -> None:
    export_dynamicverse.write([walking_thing("scene")], tmp_path)
    scene = tmp_path / "DynamicVerse" / "scene"
    of_pipeline = scene / "segmentation" / "frames" / "masks"
    of_pipeline.mkdir(parents=True)
    for mask in (scene / "mask").iterdir():
        mask.rename(of_pipeline / f"frame_{mask.name}")
    (scene / "mask").rmdir()
    assert prepare_dynamicverse.main(["--source", str(scene.parent), "--root", str(tmp_path / "root")]) == 0
    assert np.array_equal(masks(dynamicverse(tmp_path / "root")), truth())


def test_another_number_of_masks_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_dynamicverse.write([walking_thing("scene")], tmp_path)
    scene = tmp_path / "DynamicVerse" / "scene"
    (scene / "qwen").mkdir()
    (scene / "mask").rename(scene / "qwen" / "Annotations")
    (scene / "qwen" / "Annotations" / "00003.png").unlink()
    assert prepare_dynamicverse.main(["--source", str(scene.parent), "--root", str(tmp_path / "root")]) == 1
    assert "holds 5 masks for 6 frames" in capsys.readouterr().err


def test_hoi4d_of_the_first_camera_has_another_folder(tmp_path: Path) -> None:
    export_hoi4d.write([walking_thing("T1")], tmp_path)
    (labels,) = (tmp_path / "HOI4D_annotations").glob("ZY*/**/2Dseg")
    (labels / "shift_mask").rename(labels / "mask")
    sources = [str(tmp_path / name) for name in ("HOI4D_release", "HOI4D_annotations")]
    assert prepare_hoi4d.main(["--source", *sources, "--root", str(tmp_path / "root")]) == 0
    files = hoi4d(tmp_path / "root")
    assert files[0].name == "ZY20210800001_H1_C1_N01_S01_s01_T1"
    assert files[0].stems == ("00000", "00004", "00008", "00012", "00016", "00020")
    assert np.array_equal(masks(files), truth())


def test_labels_beyond_the_end_of_a_video_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_hoi4d.write([walking_thing("T1")], tmp_path)
    (labels,) = (tmp_path / "HOI4D_annotations").glob("ZY*/**/2Dseg/shift_mask")
    shutil.copy(labels / "00000.png", labels / "00400.png")
    sources = [str(tmp_path / name) for name in ("HOI4D_release", "HOI4D_annotations")]
    assert prepare_hoi4d.main(["--source", *sources, "--root", str(tmp_path / "root")]) == 1
    assert "ends before frame 400" in capsys.readouterr().err


def test_masks_without_frames_do_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_got10k.write([walking_thing("one"), walking_thing("two")], tmp_path)
    shutil.rmtree(tmp_path / "GOT-10k" / "train" / "GOT-10k_Train_one")
    sources = [str(tmp_path / "GOT-10k" / "train"), str(tmp_path / "masks")]
    assert prepare_got10k.main(["--source", *sources, "--root", str(tmp_path / "root")]) == 1
    printed = capsys.readouterr()
    assert "GOT-10k_Train_one" in printed.err
    assert "GOT-10k_Train_two: 6 frames" in printed.out


def test_gotmoving_takes_a_list_of_sequences(tmp_path: Path) -> None:
    export_gotmoving.write([walking_thing("one"), walking_thing("two")], tmp_path)
    sources = [str(tmp_path / "GOT-10k" / "train"), str(tmp_path / "masks")]
    root = tmp_path / "root"
    assert prepare_gotmoving.main(["--source", *sources, "--root", str(root)]) == 0
    (tmp_path / "list.txt").write_text(f"{root.resolve() / 'GOT-10k_Train_two'}\n\nroot/GOT-10k_Train_one\n")
    assert [one.name for one in gotmoving(tmp_path / "list.txt")] == ["GOT-10k_Train_two", "root/GOT-10k_Train_one"]
    assert np.array_equal(masks(gotmoving(root)), truth())


def test_instances_that_come_later_lie_on_top(tmp_path: Path) -> None:
    one, two = np.zeros((1, 2, 3), bool), np.zeros((2, 3), bool)
    one[..., :2] = two[:, 1:] = True
    np.savez(tmp_path / "masks.npz", **{"1": two, "0": one})
    assert read_labels(tmp_path / "masks.npz").tolist() == [[1, 2, 2]] * 2


def test_an_npz_without_instances_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "masks.npz", mask=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="masks.npz holds no arrays named"):
        read_labels(tmp_path / "masks.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="cannot decode the masks .*broken.npz"):
        read_labels(tmp_path / "broken.npz")
