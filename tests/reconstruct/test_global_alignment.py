"""Aligners: accurate on known geometry, held frames, windows, and observations that make little sense."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from motion4d.cli import build
from motion4d.reconstruct.alignment import GlobalAlignment
from motion4d.reconstruct.banded import NormalSystem
from motion4d.reconstruct.in_windows import InWindows
from motion4d.reconstruct.least_squares import RobustLeastSquares
from motion4d.reconstruct.observations import Aligned, Known, Observations
from motion4d.reconstruct.optimise import Descent
from motion4d.reconstruct.published_descent import PublishedDescent
from motion4d.reconstruct.spanning_tree import initial_state, place_frames
from tests.reconstruct.scenes import pointmaps, scene
from tests.reference.manifest import HOME
from tests.reference.procedures.monst3r_alignment import flow_of, middle, scene_module

CONF = Path(__file__).parents[2] / "conf" / "alignment"


def observations(room, *, noise: float = 0.03, seed: int = 0, flow: bool = True, mask: bool = True) -> Observations:
    maps, pairs = pointmaps(room, noise=noise, seed=seed)
    fields = flow_of(room, pairs, {"sigma": 0.2, "seed": seed}) if flow else None
    moving = torch.from_numpy(room.ball) if mask else None
    return Observations(room.n, tuple(pairs), maps, middle(room), fields, tuple(pairs) if flow else (), moving)


def errors(room, poses: torch.Tensor, depth: torch.Tensor) -> tuple[float, float, float]:
    """Trajectory, mean rotation in degrees, relative depth."""
    module = scene_module(str(HOME / "monst3r" / "scene.py"))
    poses = poses.double().numpy()
    return (
        module.absolute_trajectory_error(poses, room.poses),
        module.rotation_errors_deg(poses, room.poses).mean(),
        module.depth_abs_rel(depth.reshape(room.depth.shape), room.depth),
    )


def is_finite(aligned: Aligned) -> bool:
    tensors = (aligned.camera_to_world, aligned.focal, aligned.depth, aligned.confidence)
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def ours(**changes) -> GlobalAlignment:
    return GlobalAlignment(RobustLeastSquares(), **changes)


@pytest.mark.parametrize(
    ("seed", "flow", "mask"), [(5, True, True), (6, True, True), (6, False, True), (8, False, True), (8, True, False)]
)
def test_ours_beats_both_the_start_and_the_published_optimiser(seed, flow, mask):
    room = scene(8, 24, 32)
    seen = observations(room, seed=seed, flow=flow, mask=mask)
    placed = place_frames(seen.maps, seen.pairs, seen.frames, principal_point=seen.principal_point)
    start = initial_state(placed, seen.maps, seen.pairs)
    published = GlobalAlignment(PublishedDescent(), clean=None)(seen)
    aligned = ours()(seen)
    begun = errors(room, start.camera_to_world, start.depth)
    theirs = errors(room, published.camera_to_world, published.depth)
    for error, before, other in zip(errors(room, aligned.camera_to_world, aligned.depth), begun, theirs, strict=True):
        assert error <= min(1.02 * before, other)
    assert float(aligned.focal[0]) == pytest.approx(room.focal, rel=0.01)
    assert aligned.losses["robust"] < aligned.losses["robust_start"]


def test_wrong_points_and_focal_lengths_of_every_frame_are_no_obstacle():
    room = scene(6, 24, 32)
    seen = observations(room, seed=3)
    wrong = torch.rand(seen.maps.confidence_first.shape, generator=torch.Generator().manual_seed(0)) < 0.1
    points = seen.maps.points_first.clone()
    points[wrong] *= 3
    aligned = ours(shared_focal=False)(
        dataclasses.replace(seen, maps=dataclasses.replace(seen.maps, points_first=points))
    )
    trajectory, turn, _ = errors(room, aligned.camera_to_world, aligned.depth)
    assert trajectory < 0.01
    assert turn < 0.2
    assert torch.allclose(aligned.focal, torch.tensor(room.focal).float(), rtol=0.02)


@pytest.mark.parametrize("optimise", [RobustLeastSquares(), PublishedDescent(descent=Descent(iterations=20))])
def test_windows_of_either_optimiser(optimise):
    room = scene(9, 12, 16)
    seen = observations(room, noise=0.01)
    aligned = GlobalAlignment(InWindows(optimise, 5, 2))(seen)
    assert is_finite(aligned)
    assert errors(room, aligned.camera_to_world, aligned.depth)[0] < 0.03
    one, whole = GlobalAlignment(InWindows(optimise, 50, 20))(seen), GlobalAlignment(optimise)(seen)
    assert torch.allclose(one.camera_to_world, whole.camera_to_world, atol=2e-3)


def test_windows_with_a_focal_length_of_every_frame():
    room = scene(7, 24, 32)
    aligned = GlobalAlignment(InWindows(RobustLeastSquares(), 4, 2), shared_focal=False)(observations(room, noise=0.01))
    assert errors(room, aligned.camera_to_world, aligned.depth)[0] < 0.03
    assert torch.allclose(aligned.focal, torch.full((7,), room.focal), rtol=0.02)


@pytest.mark.parametrize("depth", [True, False])
@pytest.mark.parametrize("optimise", [RobustLeastSquares(), PublishedDescent(descent=Descent(iterations=20))])
def test_known_frames_stay_and_the_others_join_them(depth, optimise):
    room = scene(6, 24, 32)
    poses, truth = torch.from_numpy(room.poses).float(), torch.from_numpy(room.depth).float()
    frames = torch.tensor([True, True, True, False, False, False])
    known = Known(frames, poses, truth if depth else None, torch.full((6,), room.focal) if depth else None)
    aligned = GlobalAlignment(optimise)(observations(room, noise=0.01), known)
    assert torch.allclose(aligned.camera_to_world[:3], poses[:3], atol=1e-5)
    assert torch.allclose(aligned.camera_to_world[3:, :3, 3], poses[3:, :3, 3], atol=0.1)
    if depth:
        assert torch.allclose(aligned.depth[:3], truth[:3], rtol=1e-4)
        assert torch.allclose(aligned.focal, torch.full((6,), room.focal), rtol=1e-4)
    assert float(((aligned.depth - truth).abs() / truth).mean()) < 0.1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, 1e9])
@pytest.mark.parametrize("optimise", [RobustLeastSquares(), PublishedDescent(descent=Descent(iterations=3))])
def test_garbage_confidence_of_a_pair(value, optimise):
    room = scene(5, 12, 16)
    seen = observations(room, noise=0.01)
    seen.maps.confidence_first[2] = value
    seen.maps.confidence_second[2] = value
    aligned = GlobalAlignment(optimise)(seen)
    assert is_finite(aligned)
    assert errors(room, aligned.camera_to_world, aligned.depth)[1] < 1


@pytest.mark.parametrize("frames", [2, 3, 6])
@pytest.mark.parametrize("span", [0.0, 0.4])
def test_few_frames_and_no_motion_at_all(frames, span):
    room = scene(frames, 12, 16, span=span)
    assert is_finite(ours()(observations(room, noise=0.01)))


def test_pure_rotation():
    room = scene(5, 12, 16, ball=False)
    room.poses[:, :3, 3] = 0
    for k in range(room.n):
        room.depth[k], room.ball[k] = room._render(k, False)
    aligned = ours()(observations(room, noise=0.01))
    assert is_finite(aligned)
    assert errors(room, aligned.camera_to_world, aligned.depth)[1] < 0.3
    assert float(aligned.camera_to_world[:, :3, 3].norm(dim=1).max()) < 0.05


def test_everything_moves():
    room = scene(5, 12, 16)
    seen = dataclasses.replace(observations(room), moving=torch.ones(5, 12, 16, dtype=torch.bool))
    assert is_finite(ours()(seen))
    assert is_finite(GlobalAlignment(PublishedDescent(descent=Descent(iterations=3)))(seen))


def test_a_single_frame_is_what_its_pair_with_itself_says():
    room = scene(2, 24, 32)
    maps, _ = pointmaps(room, noise=0.0)
    alone = maps._map(lambda tensor: tensor[:1])
    alone.points_second = alone.points_first
    aligned = ours()(Observations(1, ((0, 0),), alone, middle(room)))
    assert torch.equal(aligned.camera_to_world, torch.eye(4)[None])
    assert float(aligned.focal[0]) == pytest.approx(room.focal, rel=1e-3)


def test_pairs_that_say_nothing_are_one_sentence():
    room = scene(3, 12, 16)
    seen = observations(room)
    seen.maps.points_first[:] = float("nan")
    with pytest.raises(ValueError, match="no pair of frames has finite points"):
        ours()(seen)
    apart = observations(room)
    with pytest.raises(ValueError, match="connect only 2 of 3 frames"):
        ours()(dataclasses.replace(apart, pairs=((0, 1), (1, 0)) * (len(apart.pairs) // 2)))


@pytest.mark.parametrize("name", ["robust", "monst3r", "windows"])
def test_options_build_and_align(name):
    config = OmegaConf.load(CONF / f"{name}.yaml")
    if name == "monst3r":
        config.optimise.descent.iterations = 2
    aligner = build(config)
    assert aligner.needs_flow
    assert is_finite(aligner(observations(scene(4, 12, 16))))


def test_the_banded_solution_is_the_dense_one():
    system = NormalSystem(np.arange(300))
    generator = np.random.default_rng(0)
    dense = np.zeros((300, 300))
    total = np.zeros(300)
    for start in range(296):
        root, slope = generator.standard_normal((5, 5)), generator.standard_normal(5)
        columns = np.arange(start, start + 5)
        system.add(columns, root @ root.T, slope)
        dense[np.ix_(columns, columns)] += root @ root.T
        total[columns] += slope
    used = np.unique(np.nonzero(dense)[0])
    damped = dense + 0.1 * np.diag(np.diag(dense)) + np.eye(300) * 1e-12 * dense.max()
    expected = np.zeros(300)
    expected[used] = -np.linalg.solve(damped[np.ix_(used, used)], total[used])
    assert np.allclose(system.solve(0.1)[used], expected[used], atol=1e-8)
