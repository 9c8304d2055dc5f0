"""MonST3R's masks on scenes whose truth is known: the model, what it is given, and what it is scored by."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from motion4d.clip import Clip, Source
from motion4d.engine.evaluate import Evaluate
from motion4d.engine.predict import segment_video
from motion4d.engine.runtime import Runtime
from motion4d.engine.windows import Window, segment_clip
from motion4d.flow.dis import DenseInverseSearch
from motion4d.framing import LongSide, Native
from motion4d.reconstruct.dynamics import FlowDynamics
from motion4d.reconstruct.dynamics_attention import AttentionDynamics
from motion4d.reconstruct.dynamics_given import NoDynamics
from motion4d.reconstruct.observe import flow_between, observe
from motion4d.reconstruct.pair_motion import PairMotion
from motion4d.reconstruct.pairs import sliding, star
from tests.backbones.test_monst3r import tiny
from tests.io.media import make_frames, moving_square
from tests.reconstruct.oracles import KnowsFlow, KnowsPoints, pictures
from tests.reconstruct.scenes import scene


def masks_model(of, *, noise: float = 0.0, sigma: float = 0.0, **changes) -> PairMotion:
    settings = {"graph": sliding, "dynamics": FlowDynamics(), "flow": KnowsFlow(of, sigma=sigma)} | changes
    return PairMotion(KnowsPoints(of, noise=noise), Native(multiple=8), **settings)


def overlap(found: torch.Tensor, truth: torch.Tensor) -> float:
    return float((found & truth).sum() / (found | truth).sum())


def clip_of(of) -> Clip:
    return Clip(pictures(of)[None], motion=torch.from_numpy(of.ball)[None], sources=(Source("room", "ball"),))


@pytest.mark.parametrize(("noise", "sigma"), [(0.0, 0.0), (0.01, 0.2)])
def test_a_moving_object_is_found_under_a_moving_camera(noise, sigma):
    room = scene(6, 48, 64)
    found = masks_model(room, noise=noise, sigma=sigma)(clip_of(room)).masks()[0]
    assert overlap(found, torch.from_numpy(room.ball)) > 0.95


@pytest.mark.parametrize(("noise", "sigma"), [(0.0, 0.0), (0.01, 0.3)])
def test_nothing_moves_in_a_static_scene(noise, sigma):
    room = scene(6, 48, 64, ball=False)
    found = masks_model(room, noise=noise, sigma=sigma)(clip_of(room)).masks()
    assert found.float().mean((2, 3)).max() < 0.02


class KnowsPointsButTurnsCameras(KnowsPoints):
    """The second camera of every pair is off by 1.7 degrees."""

    def decode(self, frames, pairs):
        maps = super().decode(frames, pairs)
        x, y, z = maps.points_second.unbind(-1)
        return replace(maps, points_second=torch.stack((x + 0.03 * z, y, z - 0.03 * x), -1))


@pytest.mark.parametrize("ball", [False, True])
def test_cameras_that_are_off_are_fitted_to_the_flow(ball):
    room = scene(5, 48, 64, ball=ball)
    backbone, frames = KnowsPointsButTurnsCameras(room), pictures(room)
    published, fitted = (
        observe(
            frames,
            sliding(5),
            backbone=backbone,
            dynamics=FlowDynamics(fit_cameras=fit),
            flow=KnowsFlow(room, sigma=0.2),
        ).moving
        for fit in (False, True)
    )
    truth = torch.from_numpy(room.ball)
    if ball:
        assert overlap(fitted, truth) > 0.95
    else:
        assert fitted.float().mean((1, 2)).max() < 0.02 < published.float().mean()


def test_long_clips_go_through_in_windows_and_one_frame_is_static():
    room = scene(9, 24, 32)
    model = masks_model(room)
    found = segment_clip(model, clip_of(room), Window(5, 2)).masks()[0]
    assert overlap(found, torch.from_numpy(room.ball)) > 0.9
    assert not model(clip_of(room).frames(0, 1)).masks().any()


def test_it_is_scored_as_every_motion_model_is(tmp_path):
    room = scene(6, 48, 64)
    baseline = {"nobody looks": masks_model(room, dynamics=NoDynamics())}
    task = Evaluate(
        masks_model(room),
        {"eval": [clip_of(room)]},
        output=tmp_path,
        runtime=Runtime(device="cpu"),
        baselines=baseline,
        pictures=1,
    )
    scores = task.run()["models"]
    assert scores["ours"]["overall"]["J&F"] > 0.95
    assert scores["nobody looks"]["overall"]["J&F"] < 0.05


@pytest.mark.parametrize("dynamics", [FlowDynamics(), AttentionDynamics(clusters=8)])
def test_a_real_network_and_real_flow_give_masks_of_a_video(tmp_path, dynamics):
    make_frames(tmp_path / "clip", moving_square(4, 64, 96))
    model = PairMotion(tiny(), LongSide(96), graph=sliding, dynamics=dynamics, flow=DenseInverseSearch())
    found = segment_video(tmp_path / "clip", model=model, runtime=Runtime(device="cpu"))
    assert found.masks.shape == (4, 64, 96)
    assert found.probabilities.isfinite().all()


def test_every_pair_gets_its_own_flow_and_two_frames_are_looked_at_once():
    room, asked = scene(5), []
    estimator = KnowsFlow(room)

    def counting(clip: Clip):
        asked.append(len(clip.images))
        assert [source.step for source in clip.sources] == [1, 3][: len(clip.images)]
        return estimator(clip)

    source = Source("room", "ball", tuple("abcde"))
    flow = flow_between(counting, pictures(room), [(1, 0), (4, 1), (0, 1)], source=source)
    assert asked == [2]
    for found, pair in zip(flow, [(1, 0), (4, 1), (0, 1)], strict=True):
        assert torch.allclose(found, torch.from_numpy(room.flow(*pair)).float(), atol=1e-4)


def test_bad_input_is_one_sentence():
    room = scene(4, 24, 32)
    with pytest.raises(ValueError, match=r"choose a flow estimator \(flow=dis"):
        masks_model(room, flow=None)(clip_of(room))
    with pytest.raises(ValueError, match="need symmetric pairs"):
        masks_model(room, graph=partial(star, symmetric=False))(clip_of(room))
    with pytest.raises(ValueError, match="give no pairs"):
        observe(pictures(room)[:1], [], backbone=KnowsPoints(room), dynamics=NoDynamics())
    with pytest.raises(ValueError, match="does not let the two images of a pair look at each other"):
        masks_model(room, dynamics=AttentionDynamics())(clip_of(room))


def test_everything_moving_and_garbage_confidence_end_in_finite_masks():
    room = scene(4, 24, 32)

    class Unsure(KnowsPoints):
        def decode(self, frames, pairs):
            maps = super().decode(frames, pairs)
            maps.confidence_first[:], maps.confidence_second[:] = 1.0, 1.0
            maps.points_second[0] = 0.0
            maps.points_first[1, ..., :2] *= -1  # no focal length explains this
            maps.points_second[2, 0, 0] = torch.nan
            return maps

    class Wild(KnowsFlow):
        def _field(self, i, j):
            return 20 * torch.randn(2, 24, 32, generator=torch.Generator().manual_seed(7 * i + j))

    model = PairMotion(Unsure(room), Native(8), graph=sliding, dynamics=FlowDynamics(), flow=Wild(room))
    logits = model(clip_of(room)).logits
    assert logits.isfinite().all()
