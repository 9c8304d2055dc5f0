"""The dominant motion of a frame pair is removed, and nothing else."""

import torch

from motion4d.geometry.dominant_motion import residual_flow


def _planar_flow(parameters: list[float], height: int = 96, width: int = 144) -> torch.Tensor:
    y = (torch.arange(height) + 0.5 - height / 2) / (max(height, width) / 2)
    x = (torch.arange(width) + 0.5 - width / 2) / (max(height, width) / 2)
    y, x = torch.meshgrid(y, x, indexing="ij")
    a = parameters
    u = a[0] + a[1] * x + a[2] * y + a[6] * x * x + a[7] * x * y
    v = a[3] + a[4] * x + a[5] * y + a[6] * x * y + a[7] * y * y
    return torch.stack([u, v])[None]


def test_planar_motion_leaves_nothing() -> None:
    flow = _planar_flow([3.0, 0.5, -0.4, -2.0, 0.3, 0.8, 0.2, -0.1])
    assert residual_flow(flow).abs().max() < 0.05


def test_object_keeps_its_own_motion() -> None:
    background = _planar_flow([6.0, 0.5, -0.4, -2.0, 0.3, 0.8, 0.2, -0.1])
    flow = background.clone()
    flow[:, 0, 20:60, 30:90] += 4.0  # 17 % of the frame
    residual = residual_flow(flow)
    own = residual - (flow - background)
    assert own.abs().max() < 0.3
    assert residual[:, 0, 30:50, 40:80].mean() > 3.7


def test_batch_items_do_not_mix() -> None:
    flows = torch.cat([_planar_flow([9.0, 0, 0, 1.0, 0, 0, 0, 0]), torch.randn(1, 2, 96, 144)])
    together = residual_flow(flows)
    for item in range(2):  # the solver's rounding depends on the batch, nothing else does
        assert (together[item] - residual_flow(flows[item : item + 1])[0]).abs().max() < 5e-3
