"""Masks that are given, enlarged or refined; two frames as a scene of their own."""

from dataclasses import replace

import pytest
import torch

from motion4d.clip import Source
from motion4d.framing import LongSide
from motion4d.geometry.poses import se3_inverse
from motion4d.io.masks import write_mask
from motion4d.reconstruct.dynamics import FlowDynamics
from motion4d.reconstruct.dynamics_given import GivenMasks, NoDynamics
from motion4d.reconstruct.dynamics_refined import RefinedDynamics, enlarged
from motion4d.reconstruct.observations import Known
from motion4d.reconstruct.observe import observe
from motion4d.reconstruct.pairs import complete
from motion4d.reconstruct.two_view_alignment import TwoViewAlignment
from tests.reconstruct.oracles import KnowsFlow, KnowsPoints, pictures
from tests.reconstruct.scenes import scene


def seen_in(room, dynamics, pairs=None, **settings):
    backbone = KnowsPoints(room)
    return observe(pictures(room), pairs or complete(room.n), backbone=backbone, dynamics=dynamics, **settings)


def test_masks_come_from_files_of_the_frames_own_size(tmp_path):
    room = scene(2, 24, 32)
    truth = torch.from_numpy(room.ball)
    for k in range(2):
        write_mask(tmp_path / "ball" / f"{k}.png", truth[k].repeat_interleave(2, 0).repeat_interleave(2, 1).numpy())
    source = Source("room", "ball", ("0", "1"), framing=LongSide(32, multiple=8)(48, 64))
    assert torch.equal(seen_in(room, GivenMasks(tmp_path), source=source).moving, truth)
    with pytest.raises(FileNotFoundError, match=r"no mask .*7\.png"):
        seen_in(room, GivenMasks(tmp_path), source=replace(source, frames=("0", "7")))
    with pytest.raises(ValueError, match="found by the frames' names"):
        seen_in(room, GivenMasks(tmp_path))
    with pytest.raises(ValueError, match=r"dynamics\.folder=FOLDER"):
        seen_in(room, GivenMasks())
    with pytest.raises(ValueError, match=r"is \(48, 64\), but its frame is \(24, 32\)"):
        seen_in(room, GivenMasks(tmp_path), source=replace(source, framing=LongSide(32, multiple=8)(24, 32)))


def test_a_mask_of_nearly_everything_counts_as_static(caplog):
    room = scene(2, 24, 32)
    masks = torch.from_numpy(room.ball).clone()
    masks[1] = True
    found = seen_in(room, GivenMasks(masks=masks)).moving
    assert torch.equal(found[0], masks[0])
    assert not found[1].any()
    assert "1 of 2 given masks" in caplog.text
    with pytest.raises(ValueError, match="the masks are"):
        seen_in(room, GivenMasks(masks=masks[:1]))


def test_nobody_looks_but_pointmaps_and_flow_are_there():
    room = scene(3, 24, 32)
    seen = seen_in(room, NoDynamics(), flow=KnowsFlow(room), with_flow=True)
    assert seen.moving is None
    assert (len(seen.maps.points_first), len(seen.flow)) == (6, 6)


def test_masks_are_refined_and_enlarged():
    room = scene(3, 24, 32)
    truth = torch.from_numpy(room.ball)

    class Inverts:
        loaded = False

        def load(self):
            self.loaded = True

        def __call__(self, images, probabilities, *, threshold):
            assert images.shape == (3, 3, 24, 32)
            assert self.loaded
            return probabilities <= threshold

    found = seen_in(room, RefinedDynamics(GivenMasks(masks=truth), refiner=Inverts())).moving
    assert torch.equal(found, ~truth)
    dot = torch.zeros(1, 7, 7, dtype=torch.bool)
    dot[0, 3, 3] = True
    assert enlarged(dot, 1).sum() == 9
    refined = RefinedDynamics(FlowDynamics(), enlarge=1)
    larger, plain = (seen_in(room, each, flow=KnowsFlow(room)).moving for each in (refined, FlowDynamics()))
    assert torch.equal(larger, enlarged(plain, 1))


@pytest.mark.parametrize("pairs", [[(0, 1), (1, 0)], [(1, 0), (0, 1)]])
def test_two_frames_are_a_scene_without_optimisation(pairs):
    room = scene(2, 24, 32)
    seen = seen_in(room, NoDynamics(), pairs)
    aligned = TwoViewAlignment()(seen)
    poses = torch.from_numpy(room.poses).float()
    true = se3_inverse(poses[:1]) @ poses
    depth = torch.from_numpy(room.depth).float()
    scale = float((depth / aligned.depth).median())
    assert torch.allclose(aligned.focal, torch.full((2,), room.focal), rtol=1e-3)
    assert torch.allclose(aligned.depth * scale, depth, rtol=1e-2)
    assert torch.allclose(aligned.camera_to_world[:, :3, :3], true[:, :3, :3], atol=1e-3)
    assert torch.allclose(aligned.camera_to_world[:, :3, 3] * scale, true[:, :3, 3], atol=1e-2)
    assert aligned.confidence.shape == (2, 24, 32)


def test_two_views_say_what_they_cannot_do():
    room = scene(3, 24, 32)
    seen = seen_in(room, NoDynamics())
    with pytest.raises(ValueError, match="made for two frames"):
        TwoViewAlignment()(seen)
    two = seen_in(scene(2, 24, 32), NoDynamics())
    with pytest.raises(ValueError, match="takes no known cameras"):
        TwoViewAlignment()(two, Known(torch.tensor([True, False]), torch.eye(4).expand(2, 4, 4)))
