"""task=flow on tiny clips: the files and their values, streaming, resume, broken input, the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from motion4d.cli import build, register_resolvers
from motion4d.clip import Clip, Flow, Source
from motion4d.engine.errors import Incomplete
from motion4d.engine.estimate_flow import EstimateFlow
from motion4d.engine.flow_stream import flow_stream
from motion4d.engine.runtime import Runtime
from motion4d.flow.dis import DenseInverseSearch
from motion4d.flow.precomputed import Precomputed
from motion4d.io.flow_files import read_flow
from motion4d.io.frames import open_input
from motion4d.io.images import read_image
from motion4d.io.video import probe_video, read_video
from tests.flow.texture import moving_texture
from tests.io.media import make_frames, make_video, moving_square, truncate

CPU = Runtime(device="cpu", precision="fp32")
SIZE = (50, 68)


def texture_frames(count: int, u: int = 3, v: int = -2) -> list[np.ndarray]:
    images = moving_texture(*SIZE, u=u, v=v, frames=count).images[0]
    return list((images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy())


class Counting(DenseInverseSearch):
    """Remembers how many frames it was given at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def __call__(self, clip: Clip) -> Flow:
        if clip.num_frames > 1:
            self.seen.append(clip.num_frames)
        return super().__call__(clip)


def estimate(path: Path | None, output: Path, **settings) -> EstimateFlow:
    return EstimateFlow(settings.pop("estimator", DenseInverseSearch()), path, output=output, runtime=CPU, **settings)


def everything_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def expected_files(count: int, suffix: str = ".flo") -> set[str]:
    forward = {f"forward/{k:05d}{suffix}" for k in range(count - 1)}
    backward = {f"backward/{k:05d}{suffix}" for k in range(1, count)}
    return {"flow.mp4", "summary.json", *forward, *backward}


@pytest.mark.parametrize(("format", "atol"), [("flo", 0), ("png", 1 / 128), ("npz", 0)])
def test_files_in_every_format(tmp_path: Path, format: str, atol: float) -> None:
    folder = make_frames(tmp_path / "walk", texture_frames(4))
    (summary,) = estimate(folder, tmp_path / "out", format=format).run().values()
    assert everything_in(tmp_path / "out") == expected_files(4, f".{format}")
    images = torch.stack([torch.from_numpy(read_image(path)) for path in sorted(folder.iterdir())])
    flow = DenseInverseSearch()(Clip(images.permute(0, 3, 1, 2)[None].float() / 255))
    assert flow.backward is not None
    for direction, fields, first in (("forward", flow.forward, 0), ("backward", flow.backward, 1)):
        for k, field in enumerate(fields[0]):
            stored = read_flow(tmp_path / "out" / direction / f"{k + first:05d}.{format}")
            np.testing.assert_allclose(stored, field.permute(1, 2, 0), atol=atol, rtol=0)
            sign = 1 if direction == "forward" else -1
            assert np.abs(np.median(stored, (0, 1)) - [3 * sign, -2 * sign]).max() < 0.2
    assert (summary["pairs"], summary["height"], summary["width"]) == (3, *SIZE)
    assert summary["magnitude_mean_px"] == pytest.approx(13**0.5, abs=0.5)
    assert summary["consistent_share_mean"] > 0.7
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())


def test_a_video_and_its_colours(tmp_path: Path) -> None:
    path = make_video(tmp_path / "walk.mp4", texture_frames(6, u=3, v=0), options={"crf": "10"})
    (summary,) = estimate(path, tmp_path / "out").run().values()
    assert everything_in(tmp_path / "out") == expected_files(6)
    assert probe_video(tmp_path / "out" / "flow.mp4").frames == 5
    assert probe_video(tmp_path / "out" / "flow.mp4").frame_rate == 10
    colours = np.stack([frame[5:-5, 5:-9] for frame in read_video(tmp_path / "out" / "flow.mp4")])
    red, green, blue = np.median(colours, (0, 1, 2))
    assert red > 180 > 100 > max(green, blue)
    assert summary["full_colour_px"] == pytest.approx(3, abs=1)
    (pale,) = estimate(path, tmp_path / "out", max_radius=30).run().values()
    assert pale["full_colour_px"] == 30
    assert next(read_video(tmp_path / "out" / "flow.mp4")).mean() > 220


def test_few_frames_at_a_time_give_the_same_flow(tmp_path: Path) -> None:
    (source,) = open_input(make_frames(tmp_path / "walk", texture_frames(8)))
    small, whole = Counting(), Counting()
    pieces = list(flow_stream(small, source, runtime=CPU, pixels_at_once=3 * SIZE[0] * SIZE[1]))
    at_once = list(flow_stream(whole, source, runtime=CPU))
    assert (small.seen, whole.seen) == ([3, 3, 3, 2], [8])
    assert [(pair.first, pair.second) for pair in pieces] == [(f"{k:05d}", f"{k + 1:05d}") for k in range(7)]
    for one, other in zip(pieces, at_once, strict=True):
        np.testing.assert_array_equal(one.forward, other.forward)
        np.testing.assert_array_equal(one.backward, other.backward)
    assert len(list(flow_stream(small, source, runtime=CPU, pixels_at_once=1))) == 7


def test_what_it_writes_is_what_precomputed_reads(tmp_path: Path) -> None:
    names = ("walk_1", "walk_9", "walk_10")
    folder = make_frames(tmp_path / "walk", texture_frames(3), names=[f"{name}.png" for name in names])
    estimate(folder, tmp_path / "out").run()
    patterns = {"forward": "{sequence}/forward/{frame}.flo", "backward": "{sequence}/backward/{frame}.flo"}
    read = Precomputed(tmp_path, **patterns)
    clip = Clip(torch.zeros(1, 3, 3, *SIZE), sources=(Source(sequence="out", frames=names),))
    assert read(clip).forward[0, :, 0].mean() > 2
    again = Precomputed(tmp_path, forward="{dataset}/forward/{frame}.flo", backward="{dataset}/backward/{frame}.flo")
    (tmp_path / "out").rename(tmp_path / "unknown")  # what a clip of the user's own says of its data set
    estimate(folder, tmp_path / "again", estimator=again, format="npz").run()
    for name in names[:-1]:
        stored = read_flow(tmp_path / "again" / "forward" / f"{name}.npz")
        np.testing.assert_array_equal(stored, read_flow(tmp_path / "unknown" / "forward" / f"{name}.flo"))


def test_forward_alone(tmp_path: Path) -> None:
    folder = make_frames(tmp_path / "walk", texture_frames(3))
    estimate(folder, tmp_path / "out", backward=False).run()
    assert everything_in(tmp_path / "out") == {"flow.mp4", "summary.json", "forward/00000.flo", "forward/00001.flo"}


def test_finished_sequences_are_not_computed_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_frames(tmp_path / "in" / name, texture_frames(3))
    first, second, third = Counting(), Counting(), Counting()
    estimate(tmp_path / "in", tmp_path / "out", estimator=first).run()
    (tmp_path / "out" / "b" / "summary.json").unlink()
    for name in ("forward", "backward", "flow.mp4"):
        (tmp_path / "out" / "b" / name).rename(tmp_path / name)
    assert sorted(estimate(tmp_path / "in", tmp_path / "out", estimator=second).run()) == ["a", "b"]
    assert (first.seen, second.seen) == ([3, 3], [3])
    estimate(tmp_path / "in", tmp_path / "out", estimator=third, backward=False).run()
    assert third.seen == [3, 3]
    assert everything_in(tmp_path / "out" / "a") == {n for n in expected_files(3) if not n.startswith("backward")}


def test_a_broken_sequence_does_not_stop_the_others(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        make_frames(tmp_path / "in" / name, moving_square(3))
    truncate(tmp_path / "in" / "b" / "00001.png")
    make_frames(tmp_path / "in" / "single", moving_square(1))
    with pytest.raises(Incomplete, match="2 of 4 sequences failed"):
        estimate(tmp_path / "in", tmp_path / "out").run()
    overview = json.loads((tmp_path / "out" / "sequences.json").read_text())
    assert sorted(overview["failed"]) == ["b", "single"]
    assert "flow needs at least two" in overview["failed"]["single"]
    assert sorted(overview["magnitude_mean_px"]) == ["a", "c"]
    assert not (tmp_path / "out" / "b").exists()
    assert not (tmp_path / "out" / "single").exists()


def test_bad_settings_and_places(tmp_path: Path) -> None:
    folder = make_frames(tmp_path / "walk", moving_square(3))
    with pytest.raises(ValueError, match="input= is missing"):
        estimate(None, tmp_path / "out").run()
    with pytest.raises(ValueError, match="flow=none computes nothing"):
        estimate(folder, tmp_path / "out", estimator=None).run()
    for settings in ({"format": "jpg"}, {"max_radius": 0}, {"resume": "yes"}, {"pixels_at_once": 0}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            estimate(folder, tmp_path / "out", **settings)
    with pytest.raises(FileNotFoundError, match="there is no"):
        estimate(tmp_path / "nowhere", tmp_path / "out").run()
    assert not (tmp_path / "out").exists()
    make_frames(tmp_path / "out" / "forward", moving_square(1))
    with pytest.raises(FileExistsError, match="no flow of ours wrote"):
        estimate(folder, tmp_path / "out").run()
    assert everything_in(tmp_path / "out") == {"forward/00000.png"}


def test_the_command(tmp_path: Path) -> None:
    path = make_video(tmp_path / "walk.mp4", texture_frames(5))
    register_resolvers()
    words = ["task=flow", f"input={path}", f"output={tmp_path / 'out'}", "flow=dis", "runtime.device=cpu"]
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        config = compose("config", overrides=[*words, "format=png", "fps=5", "max_frames=2", "runtime.precision=fp32"])
    build(config.task).run()
    assert everything_in(tmp_path / "out") == expected_files(2, ".png")
