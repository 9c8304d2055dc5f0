"""task=reconstruct with a network that knows the truth: files and their values, resume, broken input, the command."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from motion4d.backbones.base import CapabilityError
from motion4d.cli import build, register_resolvers
from motion4d.clip import Clip, Geometry, Tracks
from motion4d.engine.errors import Incomplete
from motion4d.engine.reconstruct import Reconstruct, reconstruct_video
from motion4d.engine.reconstruction_results import SceneFiles
from motion4d.engine.runtime import Runtime
from motion4d.engine.scene_depth import DepthFiles
from motion4d.engine.windows import Window
from motion4d.framing import Framing, Letterbox, Native
from motion4d.io.depth_files import read_depth_png
from motion4d.io.images import read_image
from motion4d.io.masks import read_mask
from motion4d.io.ply import read_ply
from motion4d.io.tum_files import read_poses
from motion4d.io.video import probe_video
from motion4d.io.weights import WeightsError, write_safetensors
from motion4d.reconstruct.cloud import PointFilter
from motion4d.reconstruct.pair_scene import PairReconstruction
from motion4d.reconstruct.pairs import sliding
from motion4d.viz.viewer.points import Settings
from motion4d.viz.viewer.scene_files import read_run
from tests.engine.toy import Brightness
from tests.io.media import make_frames, make_video, truncate
from tests.reconstruct.pair_toys import KnowingPairs, Said, Watched, images_of
from tests.reconstruct.scenes import scene
from tests.reconstruct.worlds import SIZE, Truth, WindowedTruth

CPU = Runtime(device="cpu", precision="fp32")
COUNT = 9
ALWAYS = {
    *("points.ply", "scene.glb", "trajectory.txt", "intrinsics.txt", "depth.mp4", "contact_sheet.png"),
    *(
        "camera_path.png",
        "preview.mp4",
        "summary.json",
        "colmap/cameras.txt",
        "colmap/images.txt",
        "colmap/points3D.txt",
    ),
}


def frames_of(truth: Truth) -> list[np.ndarray]:
    return list(truth.images().permute(0, 2, 3, 1).numpy())


def reconstruct(path: Path | None, output: Path, truth: Truth | None = None, **settings) -> Reconstruct:
    settings = {"window": Window(4, 2), "runtime": CPU, **settings}
    model = settings.pop("model", None) or WindowedTruth(truth or Truth(COUNT))
    return Reconstruct(model, path, output=output, **settings)


def everything_in(folder: Path) -> set[str]:
    """All files but the viewer's, which a test of their own looks at."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".npz"} | {
        path.name for path in folder.glob("*.npz")
    }


def depth_pngs(count: int = COUNT) -> set[str]:
    return {f"depth/{k:05d}.png" for k in range(count)}


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    return make_frames(tmp_path / "walk", frames_of(Truth(COUNT)))


def test_a_folder_of_frames_gives_cameras_depth_and_points(tmp_path: Path, walk: Path) -> None:
    truth, out = Truth(COUNT), tmp_path / "out"
    files = SceneFiles(PointFilter(drop=0, edge=None))
    (summary,) = reconstruct(walk, out, truth, files=files).run().values()
    assert everything_in(out) == ALWAYS | depth_pngs()
    stamps, poses = read_poses(out / "trajectory.txt")
    assert stamps.tolist() == list(range(COUNT))
    per_unit = summary["depth_per_unit"]
    depth = np.stack([read_depth_png(out / name, per_unit=per_unit) for name in sorted(depth_pngs())])
    unit = float(np.median(truth.depth.numpy() / depth))
    np.testing.assert_allclose(depth * unit, truth.depth, atol=2e-4)
    poses[:, :3, 3] *= unit
    np.testing.assert_allclose(poses, truth.camera_to_world, atol=2e-5)
    intrinsics = np.loadtxt(out / "intrinsics.txt")
    np.testing.assert_allclose(intrinsics, [[30, 31, 15.5, 11.5]] * COUNT, rtol=1e-6)
    cloud = read_ply(out / "points.ply")
    assert len(cloud.points) == summary["points"] == COUNT * SIZE[0] * SIZE[1]
    assert {tuple(colour) for colour in cloud.colours} == {(0, k, 128) for k in range(COUNT)}
    nearest = cloud.points[: SIZE[0] * SIZE[1]] * unit
    np.testing.assert_allclose(nearest[:, 2].reshape(SIZE), truth.depth[0], rtol=1e-4)
    assert probe_video(out / "depth.mp4").frames == COUNT
    assert min(read_image(out / "contact_sheet.png").shape[:2]) > 80
    assert (summary["frames"], summary["height"], summary["width"]) == (COUNT, *SIZE)
    assert (summary["unit"], summary["warnings"]) == ("arbitrary", [])
    views = np.degrees(2 * np.arctan([16 / 30, 12 / 31]))
    np.testing.assert_allclose(summary["field_of_view_degrees"], views, atol=0.01)
    steps = np.linalg.norm(np.diff(truth.camera_to_world[:, :3, 3], axis=0), axis=1)
    assert summary["path_length"] * unit == pytest.approx(steps.sum(), rel=1e-3)
    assert {"reading", "model", "writing", "total"} <= summary["seconds"].keys()
    assert summary == json.loads((out / "summary.json").read_text())


def test_depth_as_it_is_asked_for(tmp_path: Path, walk: Path) -> None:
    truth = Truth(COUNT)
    files = SceneFiles(depth=DepthFiles(format="both", per_unit=1000), frames=True, colmap_points=50)
    reconstruct(walk, tmp_path / "both", truth, files=files).run()
    frames = {f"frames/{k:05d}.png" for k in range(COUNT)}
    assert everything_in(tmp_path / "both") == ALWAYS | depth_pngs() | frames | {"depth.npz"}
    assert (read_image(tmp_path / "both" / "frames" / "00003.png") == frames_of(truth)[3]).all()
    assert len((tmp_path / "both" / "colmap" / "points3D.txt").read_text().splitlines()) == 51
    arrays = np.load(tmp_path / "both" / "depth.npz")
    for k in range(COUNT):
        exact = arrays[f"{k:05d}"]
        assert exact.dtype == np.float32
        stored = read_depth_png(tmp_path / "both" / "depth" / f"{k:05d}.png", per_unit=1000)
        np.testing.assert_allclose(stored, exact, atol=0.5001e-3)
    reconstruct(walk, tmp_path / "none", truth, files=SceneFiles(depth=DepthFiles("none"))).run()
    assert everything_in(tmp_path / "none") == ALWAYS


def test_depth_at_the_networks_size_brings_its_intrinsics(tmp_path: Path, walk: Path) -> None:
    rule = Letterbox(32, 8)

    def squared(call: int, answer: Geometry) -> None:
        assert answer.points_camera is not None
        framing = rule(*SIZE)
        answer.points_camera = framing.values(answer.points_camera.movedim(-1, 2)).movedim(2, -1)
        answer.confidence = torch.ones(answer.points_camera.shape[:-1])
        answer.intrinsics = framing.intrinsics(answer.intrinsics)

    def model() -> WindowedTruth:
        return WindowedTruth(Truth(COUNT), framing=rule, spoil=squared)

    files = SceneFiles(depth=DepthFiles("npz", native=False))
    (summary,) = reconstruct(walk, tmp_path / "small", model=model(), files=files).run().values()
    small = np.load(tmp_path / "small" / "depth.npz")["00002"]
    assert list(small.shape) == summary["network_size"] == [32, 32]
    assert not small[:4].any()
    assert not small[-4:].any()  # padding
    assert small[4:-4].all()
    of_depth, of_video = (
        np.loadtxt(tmp_path / "small" / f"{name}.txt")[2] for name in ("depth_intrinsics", "intrinsics")
    )
    np.testing.assert_allclose(of_video, [30, 31, 15.5, 11.5], rtol=1e-6)
    np.testing.assert_allclose(of_depth, [30, 31, 15.5, 15.5], rtol=1e-6)
    reconstruct(walk, tmp_path / "native", model=model(), files=SceneFiles(depth=DepthFiles("npz"))).run()
    native = np.load(tmp_path / "native" / "depth.npz")["00002"]
    np.testing.assert_allclose(native, small[4:-4], rtol=1e-5)


def test_unknown_depth_stays_unknown(tmp_path: Path, walk: Path) -> None:
    def hole(call: int, answer: Geometry) -> None:
        assert answer.points_camera is not None
        answer.points_camera[:, :, 3:9, 5:9] = torch.inf
        answer.points_camera[:, :, 20, 20] *= 1e4  # would leave the others few of the 16 bits

    (summary,) = reconstruct(walk, tmp_path / "out", model=WindowedTruth(Truth(COUNT), spoil=hole)).run().values()
    depth = read_depth_png(tmp_path / "out" / "depth" / "00004.png", per_unit=summary["depth_per_unit"])
    known = np.ones(SIZE, bool)
    known[3:9, 5:9] = known[20, 20] = False
    assert ((depth > 0) == known).all()
    assert np.isfinite(read_ply(tmp_path / "out" / "points.ply").points).all()


def test_a_video_keeps_its_time(tmp_path: Path) -> None:
    truth = Truth(6)
    big = [np.kron(frame, np.ones((4, 4, 1), np.uint8)) for frame in frames_of(truth)]
    path = make_video(tmp_path / "walk.mp4", big, rate=10)

    class Counted(WindowedTruth):
        """Knows the frames by their order, because a video changes colours."""

        def geometry(self, clip, *, heads):
            numbers = torch.arange(clip.num_frames)
            clip.images = truth.images()[numbers][None].float() / 255
            return super().geometry(clip, heads=heads)

    model = Counted(truth, framing=lambda height, width: Framing((height, width), SIZE, SIZE))
    (summary,) = reconstruct(path, tmp_path / "out", model=model, window=Window(8, 2), fps=5).run().values()
    stamps, _ = read_poses(tmp_path / "out" / "trajectory.txt")
    np.testing.assert_allclose(stamps, [0, 0.2, 0.4])
    assert (summary["frames"], summary["frame_rate"]) == (3, 5)
    assert " 00002.png" in (tmp_path / "out" / "colmap" / "images.txt").read_text()


def test_a_single_frame_has_no_path_and_the_summary_says_so(tmp_path: Path) -> None:
    folder = make_frames(tmp_path / "one", frames_of(Truth(1)))
    (summary,) = reconstruct(folder, tmp_path / "out").run().values()
    assert "single frame" in summary["warnings"][0]
    assert everything_in(tmp_path / "out") == ALWAYS | depth_pngs(1)
    assert summary["path_length"] == 0


def make_collection(root: Path) -> Path:
    for name in ("a", "b", "c"):
        make_frames(root / name, frames_of(Truth(COUNT)))
    return root


def test_a_broken_sequence_does_not_stop_the_others(tmp_path: Path) -> None:
    root = make_collection(tmp_path / "in")
    truncate(root / "b" / "00003.png")
    with pytest.raises(Incomplete, match=r"1 of 3 sequences failed .*00003\.png"):
        reconstruct(root, tmp_path / "out").run()
    assert everything_in(tmp_path / "out" / "a") == ALWAYS | depth_pngs()
    assert everything_in(tmp_path / "out" / "c") == ALWAYS | depth_pngs()
    assert not (tmp_path / "out" / "b").exists()
    overview = json.loads((tmp_path / "out" / "sequences.json").read_text())
    assert sorted(overview["failed"]) == ["b"]
    assert sorted(overview["path_length"]) == ["a", "c"]


def test_finished_sequences_are_not_computed_again(tmp_path: Path) -> None:
    root = make_collection(tmp_path / "in")
    first, second, third = (WindowedTruth(Truth(COUNT)) for _ in range(3))
    reconstruct(root, tmp_path / "out", model=first).run()
    (tmp_path / "out" / "b" / "summary.json").unlink()
    for path in (tmp_path / "out" / "b").iterdir():
        path.rename(tmp_path / path.name)
    assert sorted(reconstruct(root, tmp_path / "out", model=second).run()) == ["a", "b", "c"]
    assert len(second.seen) == len(first.seen) / 3
    few = SceneFiles(PointFilter(most=100), DepthFiles("npz"))
    summaries = reconstruct(root, tmp_path / "out", model=third, files=few).run()
    assert len(third.seen) == len(first.seen)
    assert {summary["points"] for summary in summaries.values()} == {100}
    assert everything_in(tmp_path / "out" / "a") == ALWAYS | {"depth.npz"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("broken")])
def test_nothing_half_written_is_left(tmp_path: Path, walk: Path, error: BaseException) -> None:
    def broken(call: int, answer: Geometry) -> None:
        if call:
            raise error

    with pytest.raises(type(error)):
        reconstruct(walk, tmp_path / "out", model=WindowedTruth(Truth(COUNT), spoil=broken)).run()
    assert everything_in(tmp_path / "out") == set()


def test_too_little_memory_says_what_to_try(tmp_path: Path, walk: Path) -> None:
    def full(call: int, answer: Geometry) -> None:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes.")

    model = WindowedTruth(Truth(COUNT), spoil=full)
    with pytest.raises(MemoryError, match=r"24x32.*window\.length=2 window\.overlap=1"):
        reconstruct(walk, tmp_path / "out", model=model).run()


def test_bad_settings_and_places(tmp_path: Path, walk: Path) -> None:
    with pytest.raises(ValueError, match="input= is missing"):
        reconstruct(None, tmp_path / "out").run()
    with pytest.raises(ValueError, match="choose model=geometry"):
        reconstruct(walk, tmp_path / "out", model=Brightness()).run()
    with pytest.raises(CapabilityError, match="no pose; choose .* or build it with"):
        reconstruct(walk, tmp_path / "out", model=WindowedTruth(Truth(2), heads=("depth",))).run()
    with pytest.raises(ValueError, match="overlap must be at least 1"):
        reconstruct(walk, tmp_path / "out", window=Window(4, 0)).run()
    with pytest.raises(ValueError, match="window.interleave is for motion masks"):
        reconstruct(walk, tmp_path / "out", window=Window(4, 2, 2)).run()
    for wrong in ({"format": "jpg"}, {"per_unit": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DepthFiles(**wrong)
    with pytest.raises(ValueError, match="colmap_points"):
        SceneFiles(colmap_points=-1)
    with pytest.raises(ValueError, match="resume"):
        reconstruct(walk, tmp_path / "out", resume="yes")
    assert everything_in(tmp_path / "out") == set()
    make_frames(tmp_path / "out" / "depth", frames_of(Truth(1)))
    with pytest.raises(FileExistsError, match="no reconstruction of ours wrote"):
        reconstruct(walk, tmp_path / "out").run()


def test_three_lines_of_python(tmp_path: Path, walk: Path) -> None:
    truth = Truth(COUNT)
    result = reconstruct_video(walk, model=WindowedTruth(truth), window=Window(4, 2), runtime=CPU)
    assert result.camera_to_world.shape == (COUNT, 4, 4)
    assert result.intrinsics.shape == (COUNT, 3, 3)
    assert result.depth.shape == result.confidence.shape == (COUNT, *SIZE)
    assert len(result.points) == len(result.colours) > 100
    assert everything_in(tmp_path) == {f"walk/{k:05d}.png" for k in range(COUNT)}
    again = reconstruct_video(
        walk, model=WindowedTruth(truth), window=Window(4, 2), runtime=CPU, output=tmp_path / "out"
    )
    assert torch.equal(again.camera_to_world, result.camera_to_world)
    assert everything_in(tmp_path / "out") == ALWAYS | depth_pngs()
    make_collection(tmp_path / "in")
    with pytest.raises(ValueError, match="3 sequences"):
        reconstruct_video(tmp_path / "in", model=WindowedTruth(truth))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["backbone=pi3_small"], "no points and no pose"),
        (["backbone=vggt_small", "backbone.heads=[pose,depth]"], "python -m prepare.weights|no weights ship"),
        (["backbone=vggt", "backbone.track_head=null", "pretrained.backbone=nowhere.pt"], "are not at nowhere.pt"),
        (["+experiment=geomotion"], "choose model=geometry"),
    ],
)
def test_a_network_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, walk: Path, words: list[str], sentence: str
) -> None:
    config = composed("task=reconstruct", f"input={walk}", f"output={tmp_path / 'out'}", "runtime.device=cpu", *words)
    with torch.device("meta"):
        task = build(config.task)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        task.run()
    assert everything_in(tmp_path / "out") == set()


def composed(*words: str):
    register_resolvers()
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        return compose("config", overrides=list(words))


SMALL = {
    "vggt_small": "[pose,depth]",
    "page4d_small": "[pose,points]",
    "pi3_small": "[points,pose,confidence]",
    "pi3x_small": "[points,pose,confidence]",
}


@pytest.mark.parametrize("backbone", SMALL)
def test_the_command_takes_every_backbone_and_its_weights(tmp_path: Path, walk: Path, backbone: str) -> None:
    words = ["task=reconstruct", f"input={walk}", f"output={tmp_path / 'out'}", f"backbone={backbone}"]
    words += [f"backbone.heads={SMALL[backbone]}", "model.framing.pixel_limit=4096", "runtime.device=cpu"]
    words += [
        "window.length=4",
        "window.overlap=2",
        "scene.points.most=50",
        f"pretrained.backbone={tmp_path / 'w.safetensors'}",
    ]
    if backbone.startswith("pi3"):  # its heads at a small size
        words += ["++backbone.head_dim=32", "++backbone.head_depth=1", "++backbone.head_heads=2"]
        words += ["++backbone.pixel_dim=32", "++backbone.camera_dim=16"]
    config = composed(*words, "runtime.precision=bf16")
    write_safetensors(tmp_path / "w.safetensors", build(config.backbone).state_dict())
    (summary,) = build(config.task).run().values()
    assert everything_in(tmp_path / "out") == ALWAYS | depth_pngs()
    assert summary["points"] == 50
    assert summary["unit"] == ("metre" if backbone == "pi3x_small" else "arbitrary")
    _, poses = read_poses(tmp_path / "out" / "trajectory.txt")
    np.testing.assert_allclose(poses[0], np.eye(4), atol=1e-6)


def test_weights_of_page4d_are_not_vggts(tmp_path: Path, walk: Path) -> None:
    words = ["task=reconstruct", f"input={walk}", f"output={tmp_path / 'out'}", "backbone.heads=[pose,depth]"]
    words += [f"pretrained.backbone={tmp_path / 'w.safetensors'}", "model.framing.pixel_limit=1024"]
    page4d, vggt = (composed(*words, f"backbone={name}") for name in ("page4d_small", "vggt_small"))
    write_safetensors(tmp_path / "w.safetensors", build(page4d.backbone).state_dict())
    with pytest.raises(WeightsError, match="it looks like Page4D; you chose VGGT"):
        build(vggt.task).run()
    write_safetensors(tmp_path / "w.safetensors", build(vggt.backbone).state_dict())
    assert list(build(page4d.task).run()) == ["walk"]  # its mask head starts untrained, and the log says so


class Still:
    """Points stay where they are; those in the upper half hide from the third frame of a window on."""

    def __call__(self, clip: Clip, queries: torch.Tensor) -> Tracks:
        positions = queries[:, None, :, 1:].repeat(1, clip.num_frames, 1, 1)
        visible = (positions[..., 1] > SIZE[0] / 2) | (torch.arange(clip.num_frames)[:, None] < 2)
        return Tracks(positions, visible)


def test_tracks_lie_on_the_scene(tmp_path: Path, walk: Path) -> None:
    truth = Truth(COUNT)
    task = reconstruct(walk, tmp_path / "out", truth, files=SceneFiles(track_grid=4), tracker=Still())
    (summary,) = task.run().values()
    assert everything_in(tmp_path / "out") == ALWAYS | depth_pngs() | {"tracks.npz", "tracks.mp4"}
    assert probe_video(tmp_path / "out" / "tracks.mp4").frames == COUNT
    table = np.load(tmp_path / "out" / "tracks.npz")
    track, frame, pixel, visible, world = (table[name] for name in ("track", "frame", "pixel", "visible", "world"))
    assert summary["tracks"] == len(np.unique(track)) > 16
    assert len({*zip(track.tolist(), frame.tolist(), strict=True)}) == len(track)  # one row per point and frame
    long = [name for name in np.unique(track) if (track == name).sum() == COUNT]
    assert len(long) == 8  # the lower half, from the first frame to the last
    assert np.isnan(world[~visible]).all()
    _, poses = read_poses(tmp_path / "out" / "trajectory.txt")
    columns, rows = pixel[visible].round().astype(int).T
    depth = truth.depth[frame[visible], rows, columns].numpy()
    unit = float((truth.depth[0] / read_depth_png(_first_depth(tmp_path), per_unit=summary["depth_per_unit"])).median())
    rays = (pixel[visible] - [15.5, 11.5]) / [30, 31]
    local = np.concatenate((rays, np.ones((len(rays), 1))), 1) * depth[:, None] / unit
    expected = np.einsum("pij,pj->pi", poses[frame[visible], :3, :3], local) + poses[frame[visible], :3, 3]
    np.testing.assert_allclose(world[visible], expected, atol=2e-3)


def _first_depth(folder: Path) -> Path:
    return folder / "out" / "depth" / "00000.png"


def test_trackers_by_name(tmp_path: Path, walk: Path) -> None:
    words = ["task=reconstruct", "backbone=vggt_small", "backbone.heads=[pose,depth]", "checkpoint=none"]
    words += ["model.framing.pixel_limit=1024", "window.length=4", "window.overlap=2", "scene.track_grid=3"]
    words += [f"input={walk}", "runtime.device=cpu"]
    build(composed(*words, "tracker=chained_flow", f"output={tmp_path / 'flow'}").task).run()
    assert "tracks.npz" in everything_in(tmp_path / "flow")
    with torch.device("meta"):
        task = build(composed(*words, "tracker=vggt", f"output={tmp_path / 'learned'}").task)
    with pytest.raises(FileNotFoundError, match="prepare.weights vggt` brings them, or choose tracker=chained_flow"):
        task.run()
    assert everything_in(tmp_path / "learned") == set()


def test_what_moves_and_what_it_cost_are_written(tmp_path: Path) -> None:
    of = scene(6, 24, 32)
    folder = make_frames(tmp_path / "ball", list((images_of(of) * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()))
    parts = {"graph": sliding, "aligner": Watched(), "dynamics": Said(torch.from_numpy(of.ball))}
    model = PairReconstruction(KnowingPairs(of), Native(), published_centre=True, **parts)
    files = SceneFiles(depth=DepthFiles("none"), monst3r=True)
    task = reconstruct(folder, tmp_path / "out", model=model, files=files, window=Window(8, 2))
    (summary,) = task.run().values()
    assert summary["optimised"] == [{"free": ["depth", "poses"], "losses": {"total": 0.25}}]
    assert summary["moving_share"] == pytest.approx(of.ball.mean(), abs=1e-6)
    out = tmp_path / "out"
    for k in range(6):
        assert (read_mask(out / "motion_masks" / f"{k:05d}.png") == of.ball[k]).all()
    assert probe_video(out / "preview.mp4").frames == 6
    published = {f"{stem}_{k}.{end}" for k in range(6) for stem, end in (
        ("conf", "npy"), ("init_conf", "npy"), ("dynamic_mask", "png"), ("enlarged_dynamic_mask", "png")
    )}  # fmt: skip
    published |= {f"frame_{k:04d}.{end}" for k in range(6) for end in ("npy", "png")}
    published |= {"pred_traj.txt", "pred_intrinsics.txt", "pred_focal.txt", "_depth_maps.gif", "scene.glb"}
    assert everything_in(out / "monst3r") == published
    stamps, poses = read_poses(out / "monst3r" / "pred_traj.txt", scalar_first=True)
    assert stamps.tolist() == list(range(6))
    np.testing.assert_allclose(poses, read_poses(out / "trajectory.txt")[1], atol=1e-5)
    matrices = np.loadtxt(out / "monst3r" / "pred_intrinsics.txt").reshape(6, 3, 3)
    np.testing.assert_allclose(matrices, np.tile(of.K, (6, 1, 1)), rtol=1e-4, atol=1e-6)
    depth = np.load(out / "monst3r" / "frame_0002.npy")
    np.testing.assert_allclose(depth / depth.mean(), of.depth[2] / of.depth[2].mean(), rtol=1e-3)
    for k in range(6):
        before, after = (np.load(out / "monst3r" / f"{name}_{k}.npy") for name in ("init_conf", "conf"))
        assert np.isfinite(after).all()
        assert ((after == before) | (after == np.log(np.float32(1e-6)))).all()
    # a changed graph is another reconstruction
    again = Watched()
    model.aligner, model.graph = again, partial(sliding, window=2)
    task.run()
    assert len(again.seen) == 1


def test_the_viewer_shows_the_scene_that_was_reconstructed(tmp_path: Path) -> None:
    of = scene(4, 24, 32)
    folder = make_frames(tmp_path / "ball", list((images_of(of) * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()))
    parts = {"graph": sliding, "aligner": Watched(), "dynamics": Said(torch.from_numpy(of.ball))}
    model = PairReconstruction(KnowingPairs(of), Native(), published_centre=True, **parts)
    reconstruct(folder, tmp_path / "out", model=model, window=Window(8, 2)).run()
    assert sorted(file.name for file in (tmp_path / "out" / "viewer").iterdir()) == [f"{k:05d}.npz" for k in range(4)]
    shown = read_run(tmp_path / "out")
    poses = shown.camera_to_world.copy()
    poses[:, :3, 3] /= shown.per_unit
    np.testing.assert_allclose(poses, read_poses(tmp_path / "out" / "trajectory.txt")[1], atol=1e-5)
    everything = Settings(least_still=0, least_moving=0)
    assert [len(shown.points.moving_at(k, everything)) for k in range(4)] == of.ball.sum(axis=(1, 2)).tolist()
    moving = shown.points.moving_at(2, everything).points / shown.per_unit
    local = (moving - poses[2, :3, 3]) @ poses[2, :3, :3]
    pixels = local @ of.K.T
    assert np.allclose(pixels[:, :2] / pixels[:, 2:], np.round(pixels[:, :2] / pixels[:, 2:]), atol=0.05)


def test_the_viewers_files_can_be_refused(tmp_path: Path, walk: Path) -> None:
    reconstruct(walk, tmp_path / "out", Truth(COUNT), files=SceneFiles(viewer=False)).run()
    assert not (tmp_path / "out" / "viewer").exists()
    with pytest.raises(FileNotFoundError, match="scene.viewer=true"):
        read_run(tmp_path / "out")


@pytest.mark.parametrize("words", [["alignment=tree"], ["graph=star", "alignment=reference", "dynamics=none"]])
def test_the_promised_command_of_monst3r(tmp_path: Path, words: list[str]) -> None:
    truth = Truth(5)
    big = [np.kron(frame, np.ones((4, 4, 1), np.uint8)) for frame in frames_of(truth)]
    folder = make_frames(tmp_path / "walk", big)
    words = ["+experiment=monst3r", "task=reconstruct", f"input={folder}", "runtime.device=cpu", *words]
    (summary,) = build(composed(*words, f"output={tmp_path / 'out'}").task).run().values()
    assert summary["frames"] == 5
    assert {*ALWAYS, *depth_pngs(5)} <= everything_in(tmp_path / "out")
    for path in (tmp_path / "out" / "trajectory.txt", tmp_path / "out" / "intrinsics.txt"):
        assert np.isfinite(np.loadtxt(path)).all()
