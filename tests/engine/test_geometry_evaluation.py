"""task=eval of cameras and depth: exact answers score perfectly; files give the numbers of eval.depth and eval.pose."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eval import depth as eval_depth
from eval import pose as eval_pose
from motion4d.backbones.constant import ConstantGeometry
from motion4d.clip import Clip, Geometry
from motion4d.data.geometry_sequences import GeometrySequences
from motion4d.engine.errors import Incomplete
from motion4d.engine.evaluate import Evaluate
from motion4d.engine.geometry_evaluation import GeometryEvaluation
from motion4d.engine.runtime import Runtime
from motion4d.engine.windows import Window
from motion4d.framing import FitWidthThenSquare, Native, Square
from motion4d.geometry.projection import unproject
from motion4d.io.tum_files import read_poses
from motion4d.models.geometry import GeometryModel
from tests.engine.toy import Brightness
from tests.prepare.exported import prepare, truth
from tests.prepare.test_evaluation_data import SETS, exported_to

CONSTANT = GeometryModel(ConstantGeometry(), Native())


class Knowing(GeometryModel):
    """Says the truth of the clips that it was shown, in a world and a unit of its own."""

    def __init__(self, clips: Collection[Clip], unit: float = 0.4) -> None:
        super().__init__(ConstantGeometry(), Native())
        self.clips = list(clips)
        self.unit = unit

    def geometry(self, clip: Clip, *, heads: Collection[str]) -> Geometry:
        """Of the known clip that begins with this image."""
        known = next(one for one in self.clips if torch.equal(one.images[0, 0], clip.images[0, 0]))
        turn = torch.tensor([[0.0, 0, 1, 2], [1, 0, 0, 0], [0, 1, 0, -1], [0, 0, 0, 1]])
        poses = turn @ known.camera_to_world
        poses[..., :3, 3] *= self.unit
        depth = known.depth * self.unit
        return Geometry(poses, known.intrinsics, unproject(depth, known.intrinsics), depth=depth)


def task(model: Any, data: Any, output: Path, **changes: Any) -> Evaluate:
    settings: dict[str, Any] = {"checkpoint": "none", "evaluation": GeometryEvaluation(), "window": Window(8, 2)}
    runtime = Runtime(device="cpu", precision="fp32")
    return Evaluate(model, {"eval": data}, output=output, runtime=runtime, **{**settings, **changes})


def changed(clip: Clip, **fields: Any) -> Clip:
    return Clip(**{**vars(clip), **fields})


def test_exact_answers_score_perfectly_beside_the_constant_baseline(tmp_path: Path) -> None:
    clips = truth()
    metrics = task(Knowing(clips), clips, tmp_path, baselines={"constant": CONSTANT}, pictures=1).run()
    ours, constant = (metrics["models"][name]["overall"] for name in ("ours", "constant"))
    assert max(ours[name] for name in ("AbsRel", "ATE", "RPE trans")) < 1e-5
    assert ours["RPE rot"] < 0.1
    assert constant["AbsRel"] > 0.05
    assert constant["ATE"] > 0.001
    assert metrics["main"]["delta1"] == 1.0
    assert ours["protocol"] == "near"
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 1


def test_a_camera_that_stands_still_is_scored_by_its_drift(tmp_path: Path) -> None:
    still = changed(truth()[0], camera_to_world=torch.eye(4).expand(1, 7, 4, 4).clone())
    moving = still.camera_to_world.clone()
    moving[0, 1::2, 0, 3] = 0.2
    metrics = task(Knowing([still]), [still], tmp_path / "still").run()
    assert metrics["main"]["drift"] < 1e-6
    assert "ATE" not in metrics["main"]
    stray = task(Knowing([changed(still, camera_to_world=moving)]), [still], tmp_path / "stray").run()
    assert stray["main"]["drift"] == pytest.approx(np.std([0, 0.2, 0, 0.2, 0, 0.2, 0]), rel=1e-3)


def test_depth_without_truth_is_not_scored(tmp_path: Path) -> None:
    clip = truth()[0]
    no_depth = changed(clip, valid=torch.zeros_like(clip.depth, dtype=torch.bool))
    metrics = task(Knowing([clip]), [no_depth, clip], tmp_path / "one").run()
    assert metrics["models"]["ours"]["overall"]["AbsRel"] < 1e-5
    nothing = changed(clip, depth=None, camera_to_world=None)
    with pytest.raises(Incomplete, match="neither depth nor cameras"):
        task(CONSTANT, [nothing], tmp_path / "two").run()


def test_a_model_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ours says nothing of cameras and depth: choose evaluation=motion"):
        task(Brightness(), truth(), tmp_path)
    with pytest.raises(ValueError, match="not motion: choose evaluation=geometry"):
        task(CONSTANT, truth(), tmp_path, evaluation=None)
    with pytest.raises(ValueError, match="no depth protocol sintle; there are .*sintel"):
        GeometryEvaluation(depth_protocol="sintle")


def test_predictions_of_clips_in_memory_are_files_on_request(tmp_path: Path) -> None:
    clips = truth()
    task(Knowing(clips), clips, tmp_path, save_predictions=True).run()
    source = clips[0].sources[0]
    folder = tmp_path / "predictions" / "ours" / source.dataset / source.sequence
    with np.load(folder / "depth.npz") as arrays:
        assert len(arrays.files) == 7
        np.testing.assert_allclose(next(iter(arrays.values())), 0.4 * clips[0].depth[0, 0], rtol=1e-6)
    assert read_poses(folder / "trajectory.txt")[1].shape == (7, 4, 4)


# name of an export -> data set of the command lines, protocols
BENCHMARKS = {
    "bonn": ("bonn_corrected", "bonn", "bonn"),
    "dycheck": ("dycheck_depth", "dycheck", None),
    "kitti": ("kitti_depth", "kitti", None),
    "scannet": ("scannet", None, "scannet"),
    "sintel": ("sintel", "sintel", "sintel"),
    "tum": ("tum_dynamics", "video", "tum"),
}


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_every_layout_is_scored_as_the_commands_score_the_files(name: str, tmp_path: Path) -> None:
    dataset, depth, pose = BENCHMARKS[name]
    expected, root = SETS[name], tmp_path / "root"
    assert prepare(expected.dataset, exported_to(name, tmp_path / "download"), root, *expected.options) == 0
    data = GeometrySequences(name, lambda: expected.layout(root, "all"), depth_protocol=depth, pose_protocol=pose)
    model = GeometryModel(Wandering(), Square(28))
    baselines = {"constant": CONSTANT}  # its camera stands still, which has no alignment
    metrics = task(model, data, tmp_path / "run", window=Window(4, 2), pictures=1, baselines=baselines).run()
    assert "ATE" not in metrics["models"].get("constant", {"overall": {}})["overall"]
    ours = metrics["models"]["ours"]["groups"][name]
    predictions = tmp_path / "run" / "predictions" / "ours" / name
    for command, protocol, columns in (
        (eval_depth, depth, ("AbsRel", "delta1", "RMSE")),
        (eval_pose, pose, ("ATE", "RPE trans", "RPE rot")),
    ):
        if protocol is None:
            assert columns[0] not in ours
            continue
        words = ["--protocol", protocol, "--dataset", dataset, "--root", str(root), "--predictions", str(predictions)]
        assert command.main([*words, "--sequences", "all", "--output", str(tmp_path / "scores")]) == 0
        scores = json.loads((tmp_path / "scores" / "metrics.json").read_text())
        assert {column: ours[column] for column in columns} == pytest.approx(
            {column: scores["overall"][column] for column in columns}
        )
        assert scores["overall"][columns[0]] > 0
    assert len(list((tmp_path / "run" / "pictures").glob("*.png"))) == 1
    before = {file: file.stat().st_mtime_ns for file in predictions.rglob("*") if file.is_file()}
    assert task(model, data, tmp_path / "run", window=Window(4, 2), baselines=baselines).run() == metrics
    assert before == {file: file.stat().st_mtime_ns for file in predictions.rglob("*") if file.is_file()}


class Wandering(ConstantGeometry):
    """Depth from brightness, and a camera on a helix."""

    def forward(self, images: torch.Tensor, *, heads: Collection[str] = (), taps: Collection[str] = ()) -> Geometry:
        said = super().forward(images, heads=heads, taps=taps)
        depth = 1 + images.mean(2)
        angle = torch.arange(images.shape[1]) * 0.7
        poses = said.camera_to_world.clone()
        poses[0, :, :3, 3] = torch.stack((angle.cos(), angle.sin(), 0.1 * angle), -1)
        return Geometry(poses, said.intrinsics, unproject(depth, said.intrinsics), depth=depth)


def test_single_frames_are_seen_alone_and_have_no_poses(tmp_path: Path) -> None:
    expected, root = SETS["sintel"], tmp_path / "root"
    assert prepare(expected.dataset, exported_to("sintel", tmp_path / "download"), root) == 0
    data = GeometrySequences(
        "sintel", lambda: expected.layout(root, "all"), depth_protocol="sintel", pose_protocol="sintel"
    )
    model = GeometryModel(Counting(), Native())
    metrics = task(model, data, tmp_path / "run", evaluation=GeometryEvaluation("sintel_mono")).run()
    assert set(model.backbone.seen) == {1}
    group = metrics["models"]["ours"]["groups"]["sintel"]
    assert group["protocol"] == "depth sintel_mono"
    assert "ATE" not in group


def test_our_model_can_see_frames_as_published_while_baselines_keep_their_own_framing(tmp_path: Path) -> None:
    clips = truth()[:1]
    ours, other = (GeometryModel(Counting(), Native()) for _ in range(2))
    evaluation = GeometryEvaluation(framing=FitWidthThenSquare(28))
    settings: dict[str, Any] = {"evaluation": evaluation, "baselines": {"other": other}, "save_predictions": True}
    metrics = task(ours, clips, tmp_path, **settings).run()
    assert ours.backbone.sizes == {(28, 28)}
    assert other.backbone.sizes == {clips[0].size}
    depth, plain = (np.load(next((tmp_path / "predictions" / name).rglob("depth.npz"))) for name in ("ours", "other"))
    assert depth[depth.files[0]].shape == (28, 28)
    assert plain[plain.files[0]].shape == clips[0].size
    scores = [metrics["models"][name]["overall"]["AbsRel"] for name in ("ours", "other")]
    assert scores[0] == pytest.approx(scores[1])  # a plane is a plane at any size


class Counting(ConstantGeometry):
    """Remembers how many frames it saw at once, and their size."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []
        self.sizes: set[tuple[int, int]] = set()

    def forward(self, images: torch.Tensor, *, heads: Collection[str] = (), taps: Collection[str] = ()) -> Geometry:
        self.seen.append(images.shape[1])
        self.sizes.add((images.shape[-2], images.shape[-1]))
        return super().forward(images, heads=heads, taps=taps)


def test_a_broken_sequence_is_named_and_the_others_are_scored(tmp_path: Path) -> None:
    expected, root = SETS["sintel"], tmp_path / "root"
    assert prepare(expected.dataset, exported_to("sintel", tmp_path / "download"), root) == 0
    broken, whole = sorted((root / "training" / "depth").iterdir())
    next(iter(broken.glob("*3.dpt"))).write_bytes(b"no depth")
    data = GeometrySequences(
        "sintel", lambda: expected.layout(root, "all"), depth_protocol="sintel", pose_protocol=None
    )
    with pytest.raises(Incomplete, match="1 sequences failed"):
        task(CONSTANT, data, tmp_path / "run").run()
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(metrics["failed"]) == [f"sintel/{broken.name}"]
    assert metrics["models"]["ours"]["groups"]["sintel"]["sequences"] == 1


def test_depth_can_be_that_of_the_first_camera_as_published(tmp_path: Path) -> None:
    clips = truth()
    scores = {}
    for world_z in (False, True):
        evaluation = GeometryEvaluation(world_z=world_z)
        run = task(Knowing(clips), clips, tmp_path / str(world_z), evaluation=evaluation, save_predictions=True).run()
        scores[world_z] = run["main"]["AbsRel"]
    assert scores[False] < 1e-5 < scores[True]
    folders = [next((tmp_path / name / "predictions/ours").glob("*/*0000*")) for name in ("False", "True")]
    own, world = (np.load(folder / "depth.npz") for folder in folders)
    first, *_, last = own.files
    np.testing.assert_allclose(own[first], world[first], rtol=1e-5)  # the first camera is the world
    assert np.abs(own[last] - world[last]).max() > 1e-3


def test_frames_are_seen_in_windows_that_share_a_scale(tmp_path: Path) -> None:
    clips = truth()[:1]

    class Rescaled(Knowing):
        """Every window in a unit of its own."""

        def geometry(self, clip: Clip, *, heads: Collection[str]) -> Geometry:
            begin = next(k for k in range(7) if torch.equal(self.clips[0].images[0, k], clip.images[0, 0]))
            part = self.clips[0].frames(begin, begin + clip.num_frames)
            return Knowing([part], unit=0.3 + begin).geometry(clip, heads=heads)

    metrics = task(Rescaled(clips), clips, tmp_path, window=Window(4, 2)).run()
    assert metrics["main"]["AbsRel"] < 1e-4
    assert metrics["main"]["ATE"] < 1e-4
