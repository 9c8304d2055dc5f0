"""Cameras as nine numbers, and quaternions: round trips, conventions, gradients at awkward places."""

import torch

from motion4d.geometry.pose_encoding import encode_pose, intrinsics_of, world_to_camera_of
from motion4d.geometry.quaternions import quaternion_from_rotation, rotation_from_quaternion


def test_a_quarter_turn_about_z():
    rotation = rotation_from_quaternion(torch.tensor([0.0, 0.0, 2.0, 2.0]))
    assert torch.allclose(rotation, torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), atol=1e-6)


def test_rotations_come_back_half_turns_too():
    random = torch.nn.functional.normalize(torch.randn(50, 4), dim=-1)
    half_turns = torch.eye(4)[:3]
    quaternions = torch.cat((random, half_turns))
    back = quaternion_from_rotation(rotation_from_quaternion(quaternions))
    assert (back[:, 3] >= 0).all()
    assert torch.allclose((back * quaternions).sum(-1).abs(), torch.ones(53), atol=1e-5)


def test_gradients_are_finite_at_the_identity():
    rotation = torch.eye(3).requires_grad_()
    quaternion_from_rotation(rotation).sum().backward()
    assert rotation.grad.isfinite().all()


def test_encoding_and_back():
    encoding = torch.randn(2, 3, 9)
    encoding[..., 7:] = encoding[..., 7:].sigmoid() + 0.2
    size = (40, 60)
    world_to_camera, intrinsics = world_to_camera_of(encoding), intrinsics_of(encoding, size)
    back = encode_pose(world_to_camera, intrinsics, size)
    assert torch.allclose(back[..., :3], encoding[..., :3])
    assert torch.allclose(back[..., 7:], encoding[..., 7:], atol=1e-5)
    assert torch.allclose(world_to_camera_of(back), world_to_camera, atol=1e-4)


def test_principal_point_and_focal_lengths():
    encoding = torch.zeros(9)
    encoding[6], encoding[7:] = 1, torch.tensor([torch.pi / 2, 0.0])
    intrinsics = intrinsics_of(encoding, (40, 60))
    assert intrinsics[1, 1].item() == 20.0
    assert intrinsics.isfinite().all()  # a field of view of 0 is guarded
    assert intrinsics[:2, 2].tolist() == [29.5, 19.5]
    assert intrinsics_of(encoding, (40, 60), centre=(30.0, 20.0))[:2, 2].tolist() == [30.0, 20.0]
