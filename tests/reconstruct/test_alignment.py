"""The global alignment against its reference cases, and against autograd, exact scenes, and chunks of any size."""

import dataclasses

import pytest
import torch

from motion4d.backbones.pairs import PairPointmaps
from motion4d.geometry.camera_flow import camera_flow, disparity_from_depth, plane_and_parallax
from motion4d.reconstruct.objective import TermWeights
from motion4d.reconstruct.optimise import Descent, descend
from motion4d.reconstruct.spanning_tree import initial_state, place_frames
from motion4d.reconstruct.state import AlignmentState
from tests.reconstruct.scenes import objective, pointmaps, scene
from tests.reference.manifest import Case
from tests.reference.procedures.monst3r_alignment import PROCEDURES, middle, pose_distance
from tests.reference.pytest_cases import cases_of, check


@pytest.mark.parametrize("case", cases_of("monst3r", kinds=PROCEDURES))
def test_reference(case: Case):
    check(case)


@pytest.fixture(scope="module")
def room():
    return scene()


@pytest.fixture(scope="module")
def start(room) -> AlignmentState:
    maps, pairs = pointmaps(room)
    return initial_state(place_frames(maps, pairs, room.n, principal_point=middle(room)), maps, pairs)


def gradients(of, state: AlignmentState) -> list[torch.Tensor]:
    state = state.copy()
    parameters = [parameter.requires_grad_() for parameter in state.parameters()]
    of(state).total.backward()
    return [parameter.grad for parameter in parameters]


def plain_total(room, maps, pairs, flow, state: AlignmentState) -> torch.Tensor:
    """The same objective, one pair after the other, differentiated by autograd."""
    poses, height, width = state.camera_to_world, room.h, room.w
    intrinsics = state.intrinsics(middle(room))
    depth = state.depth.unflatten(1, (height, width))
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack((u, v, torch.ones_like(u)), -1).float()
    matrix, shift = state.pair_similarities()
    align, disagreement, count = 0.0, 0.0, 0
    for e, (i, j) in enumerate(pairs):
        sides = (
            (i, maps.points_first, maps.confidence_first),
            (j, maps.points_second, maps.confidence_second),
        )
        for frame, points, confidence in sides:
            rays = pixels @ torch.linalg.inv(intrinsics[frame]).T
            world = (rays * depth[frame][..., None]) @ poses[frame, :3, :3].T + poses[frame, :3, 3]
            distance = (world - points[e] @ matrix[e].T - shift[e]).norm(dim=-1)
            align = align + (confidence[e].log() * distance).mean() / len(pairs)
        motion = plane_and_parallax(poses[i], poses[j], intrinsics[i], intrinsics[j])
        difference = camera_flow(disparity_from_depth(depth[i]), *motion) - flow[e]
        static = torch.from_numpy(~room.ball[i]).expand_as(difference)
        values = torch.nn.functional.smooth_l1_loss(difference, torch.zeros_like(difference), reduction="none")
        disagreement = disagreement + values[static].sum()
        count += int(static.sum())
    relative = torch.linalg.inv(poses[:-1]) @ poses[1:]
    smooth = (relative[:, :3, :3] - torch.eye(3)).flatten(1).norm(dim=1) + relative[:, :3, 3].norm(dim=1)
    return align + 0.01 * smooth.sum() + 0.01 * 2 * disagreement / count


def test_closed_form_gradients_are_those_of_autograd(room, start):
    maps, pairs = pointmaps(room)
    ours = objective(room, maps, pairs)
    flow = ours.fields.flow.unflatten(2, (room.h, room.w))
    # at the start, pairs of the tree fit exactly: there the direction of a residual is rounding
    generator = torch.Generator().manual_seed(0)
    start = start._map(lambda tensor: tensor + 0.02 * torch.randn(tensor.shape, generator=generator))
    state = start.copy()
    parameters = [parameter.requires_grad_() for parameter in state.parameters()]
    total = plain_total(room, maps, pairs, flow, state)
    total.backward()
    assert torch.allclose(ours(start).total, total.detach(), rtol=1e-5)
    for closed, plain in zip(gradients(ours, start), parameters, strict=True):
        assert torch.allclose(closed, plain.grad, atol=2e-4 * float(plain.grad.abs().max()))


@pytest.mark.parametrize("chunk_pixels", [1, 5000])
def test_chunks_change_nothing(room, start, chunk_pixels):
    maps, pairs = pointmaps(room)
    whole, chunked = objective(room, maps, pairs), objective(room, maps, pairs, chunk_pixels=chunk_pixels)
    assert torch.allclose(whole(start).total, chunked(start).total, rtol=1e-5)
    for a, b in zip(gradients(whole, start), gradients(chunked, start), strict=True):
        assert torch.allclose(a, b, atol=1e-4 * float(a.abs().max()))


def test_half_precision_pointmaps_change_the_loss_by_little(room, start):
    maps, pairs = pointmaps(room)
    fields = {item.name: getattr(maps, item.name).half() for item in dataclasses.fields(maps)}
    exact, rough = objective(room, maps, pairs), objective(room, dataclasses.replace(maps, **fields), pairs)
    assert torch.allclose(exact(start).align, rough(start).align, rtol=1e-2)


def test_exact_pointmaps_give_the_exact_scene_at_once(room):
    maps, pairs = pointmaps(room, noise=0.0)
    state = initial_state(place_frames(maps, pairs, room.n, principal_point=middle(room)), maps, pairs)
    assert torch.allclose(state.focal, torch.tensor(room.focal), rtol=1e-4)
    poses = state.camera_to_world
    relative = torch.linalg.inv(poses[:1]) @ poses
    true = torch.from_numpy(room.poses).float()
    turn, _ = pose_distance(relative.numpy(), (torch.linalg.inv(true[:1]) @ true).numpy())
    assert turn.max() < 0.02
    assert float(objective(room, maps, pairs, sigma=0.0)(state).align) < 1e-3


def test_descending_lowers_the_loss_and_leaves_the_start_alone(room, start):
    maps, pairs = pointmaps(room)
    before = start.copy()
    state, history = descend(objective(room, maps, pairs), start, Descent(iterations=30))
    assert history.losses[-1] < history.losses[0]
    assert history.flow[0] == 0 < history.flow[-1]
    assert all(torch.equal(a, b) for a, b in zip(start.parameters(), before.parameters(), strict=True))
    assert not any(parameter.requires_grad for parameter in state.parameters())


def test_the_flow_term_is_dropped_while_it_is_too_large(room, start):
    maps, pairs = pointmaps(room)
    far = objective(room, maps, pairs, sigma=200.0, weights=TermWeights(flow_pixel_above=None))
    assert float(far.flow(start)) > 25
    assert float(far(start).flow) == 0
    assert float(far(start).total) == pytest.approx(float(far(start, with_flow=False).total))


def test_everything_moves_leaves_nothing_to_compare(room, start):
    maps, pairs = pointmaps(room)
    moving = torch.ones(room.n, room.h, room.w, dtype=torch.bool)
    assert float(objective(room, maps, pairs, moving=moving)(start).flow) == 0
    assert all(g.isfinite().all() for g in gradients(objective(room, maps, pairs, moving=moving), start))


def test_pairs_that_do_not_reach_every_frame_are_refused(room):
    maps, _ = pointmaps(room)
    with pytest.raises(ValueError, match="connect only 2 of 6 frames"):
        place_frames(maps, [(0, 1), (1, 0)] * 9, room.n, principal_point=middle(room))


def test_a_frame_that_never_comes_first_gets_its_pose_from_its_points():
    room = scene(4)
    pairs = [(0, 1), (0, 2), (0, 3)]
    said = room.pairwise(pairs, noise=0.0)
    maps = PairPointmaps(*(torch.from_numpy(said[key]) for key in ("pred_i", "conf_i", "pred_j", "conf_j")))
    placement = place_frames(maps, pairs, 4, principal_point=middle(room), min_confidence=1.5)
    true = torch.from_numpy(room.poses)
    turn, _ = pose_distance(placement.camera_to_world.numpy(), (torch.linalg.inv(true[:1]) @ true).numpy())
    assert turn.max() < 0.02
