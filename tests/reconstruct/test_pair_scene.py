"""From a clip to one scene through pairs: once per frame, the truth of known scenes, what moves, bad input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from motion4d.backbones.base import CapabilityError
from motion4d.backbones.constant import ConstantGeometry
from motion4d.backbones.windowed_pairs import WindowedPairs, plan_passes
from motion4d.clip import Clip, Geometry, Scene
from motion4d.framing import Native
from motion4d.reconstruct.feed_forward import stream_geometry
from motion4d.reconstruct.pair_scene import PairReconstruction
from motion4d.reconstruct.pairs import complete, sliding, star
from motion4d.reconstruct.reference_frame import FromReference
from tests.reconstruct.pair_toys import CountedFlow, KnowingNetwork, KnowingPairs, Said, Watched, images_of
from tests.reconstruct.scenes import scene
from tests.reference.manifest import HOME
from tests.reference.procedures.monst3r_alignment import scene_module

MEASURES = scene_module(str(HOME / "monst3r" / "scene.py"))


def model(backbone: Any, **changes: Any) -> PairReconstruction:
    parts = {"graph": sliding, "aligner": Watched(), "dynamics": Said(), "published_centre": True}
    return PairReconstruction(backbone, Native(), **(parts | changes))


def errors(of: Any, geometry: Geometry) -> tuple[float, float, float]:
    """Trajectory, rotation (radians; of float32 matrices about 3e-4 at best) and depth error, up to one similarity."""
    poses, depth = geometry.camera_to_world[0].numpy(), geometry.depth[0].numpy()
    return (
        MEASURES.absolute_trajectory_error(poses, of.poses),
        float(np.radians(MEASURES.rotation_errors_deg(poses, of.poses).max())),
        MEASURES.depth_abs_rel(depth, of.depth),
    )


def clip_of(of: Any) -> Clip:
    return Clip(images_of(of)[None])


def test_sixty_five_frames_are_encoded_sixty_five_times() -> None:
    of = scene(65, 8, 16)
    backbone, aligner = KnowingPairs(of), Watched()
    model(backbone, aligner=aligner).geometry(clip_of(of))
    assert backbone.encoded == list(range(65))
    assert len(aligner.seen[0].pairs) == 600


@torch.no_grad()
def test_the_scene_is_the_true_one_in_the_first_cameras_frame() -> None:
    of = scene(8, 24, 32)
    said = model(KnowingPairs(of)).scene(clip_of(of))
    assert max(errors(of, said.geometry)) < 1e-3
    assert torch.allclose(said.geometry.camera_to_world[0, 0], torch.eye(4), atol=1e-6)
    expected = torch.from_numpy(of.K).float().expand(8, 3, 3)
    assert torch.allclose(said.geometry.intrinsics[0], expected, rtol=1e-4)
    assert (said.losses, said.optimised) == ({"total": 0.25}, ("depth", "poses"))  # the aligner may use gradients


def test_depth_that_an_aligner_distrusts_is_still_depth() -> None:
    of = scene(3, 24, 32)

    class Distrustful(Watched):
        def __call__(self, *seen: Any) -> Any:
            return replace(super().__call__(*seen), confidence=torch.zeros(3, 24, 32))

    source = model(KnowingPairs(of), aligner=Distrustful())
    placed = list(stream_geometry(source, images_of(of), length=5, overlap=1))
    assert all((frame.confidence > 0).all() for frame in placed)


def test_the_middle_of_the_image_is_our_principal_point() -> None:
    of, aligner = scene(3, 24, 32), Watched()
    said = model(KnowingPairs(of), aligner=aligner, published_centre=False).geometry(clip_of(of))
    assert aligner.seen[0].principal_point.tolist() == said.intrinsics[0, 1, :2, 2].tolist() == [15.5, 11.5]


def test_a_feed_forward_network_comes_through_the_same_door() -> None:
    of = scene(14, 24, 32)
    backbone = KnowingNetwork(of)
    said = model(backbone, frames_per_pass=6).geometry(clip_of(of))
    assert max(errors(of, said)) < 1e-3
    assert max(map(len, backbone.passes)) == 6
    backbone.available_heads = frozenset({"depth"})
    with pytest.raises(CapabilityError, match="has no pose; choose a pair network"):
        model(backbone)


@pytest.mark.parametrize("graph", [complete, sliding, star])
def test_passes_answer_every_pair_once_whatever_the_graph(graph: Any) -> None:
    for frames, length in ((2, 12), (7, 4), (13, 12), (12, 12), (23, 5)):
        pairs = graph(frames)
        passes = plan_passes(frames, pairs, length)
        assert sorted(row for part in passes for row in part.rows) == list(range(len(pairs)))
        for part in passes:
            assert len(part.frames) <= length
            assert all(set(pairs[row]) <= set(part.frames) for row in part.rows)
    assert len(plan_passes(60, [(i, i + 1) for i in range(59)], 12)) == 9


def test_pointmaps_of_a_pass_are_those_of_its_pairs() -> None:
    of = scene(5, 16, 24)
    network = KnowingNetwork(of)
    pairs = WindowedPairs(network, length=5)
    maps = pairs.decode(pairs.encode(images_of(of)), [(1, 4), (2, 2)])
    scale = 1.5
    np.testing.assert_allclose(maps.points_first[0], scale * of.points(1), rtol=1e-5)
    np.testing.assert_allclose(maps.points_second[0], scale * of.points_in(4, 1), rtol=1e-4, atol=1e-5)
    assert torch.allclose(maps.confidence_second, torch.tensor(5.0))  # as sure as usual
    broken = ConstantGeometry()
    broken.forward = lambda images, heads: Geometry(
        camera_to_world=torch.eye(4).expand(1, 5, 4, 4), points_camera=torch.full((1, 5, 16, 24, 3), torch.nan)
    )
    with pytest.raises(ValueError, match="check the weights"):
        WindowedPairs(broken).decode(pairs.encode(images_of(of)), [(0, 1)])


@pytest.mark.parametrize(("aligner", "dynamics"), [(True, False), (False, True), (False, False)])
def test_flow_is_estimated_once_per_two_frames_and_only_where_it_is_needed(aligner: bool, dynamics: bool) -> None:
    of, flow = scene(4, 16, 24), CountedFlow()
    changes = {"aligner": Watched(needs_flow=aligner), "dynamics": Said(needs_flow=dynamics)}
    model(KnowingPairs(of), flow=flow, **changes).geometry(clip_of(of))
    assert flow.pairs == (4 if aligner or dynamics else 0)  # 0-1, 1-2, 2-3, 0-3
    if aligner or dynamics:
        with pytest.raises(ValueError, match="choose a flow estimator"):
            model(KnowingPairs(of), **changes).geometry(clip_of(of))


def test_what_moves_and_what_it_cost_come_with_every_window() -> None:
    of = scene(9, 24, 32)
    ball = torch.from_numpy(of.ball)
    notes: list[Scene] = []
    source = model(KnowingPairs(of), dynamics=Said(ball))
    frames = (images_of(of) * 255).to(torch.uint8)
    placed = list(stream_geometry(source, frames, length=5, overlap=3, note=notes.append))
    assert [frame.index for frame in placed] == list(range(9))
    assert torch.equal(torch.stack([frame.moving for frame in placed if frame.moving is not None]), ball)
    assert len(notes) == 3
    poses = torch.stack([frame.camera_to_world for frame in placed]).numpy()
    assert MEASURES.absolute_trajectory_error(poses, of.poses) < 1e-3


def test_a_single_frame_and_one_window_longer_than_the_clip() -> None:
    of = scene(2, 24, 32)
    one = Clip(images_of(of)[None, :1])
    for backbone in (KnowingPairs(of), KnowingNetwork(of)):
        said = model(backbone).scene(one)
        depth, truth = said.geometry.depth[0, 0], torch.from_numpy(of.depth[0])
        assert torch.allclose(depth / depth.mean(), (truth / truth.mean()).float(), atol=1e-4)
        assert said.geometry.intrinsics[0, 0, 0, 0].item() == pytest.approx(of.focal, rel=1e-3)
        assert said.motion is None
        assert errors(of, model(backbone).geometry(clip_of(of)))[2] < 1e-3
    with pytest.raises(ValueError, match="a batch of 2"):
        model(KnowingPairs(of)).scene(Clip(images_of(of)[:1].expand(2, 1, -1, -1, -1)))


@pytest.mark.parametrize("reference", [0, 3, None])
def test_without_optimisation_through_a_reference_frame(reference: int | None) -> None:
    of = scene(7, 24, 32, span=0.3)

    def graph(frames: int) -> Any:
        return star(frames, reference=reference)

    said = model(KnowingPairs(of), graph=graph, aligner=FromReference()).scene(clip_of(of))
    assert max(errors(of, said.geometry)) < 2e-3
    assert not said.optimised


def test_without_optimisation_frames_that_do_not_differ_stay_where_they_are() -> None:
    of = scene(4, 24, 32, span=0.0, ball=False)
    said = model(KnowingPairs(of), graph=star, aligner=FromReference()).geometry(clip_of(of))
    assert torch.allclose(said.camera_to_world[0], torch.eye(4).expand(4, 4, 4), atol=1e-4)
    unsure = model(KnowingPairs(of), graph=star, aligner=FromReference(min_confidence=99)).geometry(clip_of(of))
    assert torch.equal(unsure.camera_to_world[0], torch.eye(4).expand(4, 4, 4))
    with pytest.raises(ValueError, match="choose graph=star"):
        model(KnowingPairs(of), aligner=FromReference()).geometry(clip_of(of))
