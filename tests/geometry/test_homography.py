"""RANSAC homographies recover a plane's flow and leave the rest as residual."""

import torch

from motion4d.geometry.homography import fit_homography, homography_residual, transfer

TRUE = torch.tensor([[1.02, 0.03, 0.05], [-0.02, 0.99, -0.04], [0.03, -0.02, 1.0]])


def plane_flow(height: int, width: int) -> torch.Tensor:
    """[2, H, W] flow of the homography TRUE, in coordinates centred and divided by half the longer side."""
    scale = max(height, width) / 2
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    points = torch.stack([(column - (width - 1) / 2), (row - (height - 1) / 2)], -1) / scale
    return ((transfer(TRUE, points.reshape(-1, 2)).view_as(points) - points) * scale).permute(2, 0, 1)


def test_residual_is_zero_on_the_plane_and_the_motion_of_what_is_not():
    flow = plane_flow(60, 80)
    flow[:, 10:30, 20:50] += torch.tensor([4.0, -3.0])[:, None, None]
    residual = homography_residual(flow[None])[0].norm(dim=0)
    inside = torch.zeros(60, 80, dtype=torch.bool)
    inside[10:30, 20:50] = True
    assert residual[~inside].max() < 0.05
    torch.testing.assert_close(residual[inside], torch.full((600,), 5.0), atol=0.05, rtol=0)


def test_pairs_do_not_influence_each_other_and_the_result_repeats():
    flow = torch.stack([plane_flow(40, 60), plane_flow(40, 60) * 0.3])
    both = homography_residual(flow)
    torch.testing.assert_close(both[1], homography_residual(flow[1:])[0], atol=1e-4, rtol=0)
    assert torch.equal(both, homography_residual(flow))


def test_no_pairs_and_no_motion():
    assert homography_residual(torch.zeros(0, 2, 20, 30)).shape == (0, 2, 20, 30)
    assert homography_residual(torch.zeros(1, 2, 20, 30)).abs().max() < 1e-3


def test_the_fit_ignores_outliers():
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(300, 2, generator=generator) * 2 - 1
    targets = transfer(TRUE, points)[None].clone()
    targets[:, :120] = torch.rand(1, 120, 2, generator=generator)
    fitted = fit_homography(points, targets, inlier=0.01, hypotheses=300, generator=generator)
    torch.testing.assert_close(fitted[0], TRUE, atol=1e-3, rtol=0)
