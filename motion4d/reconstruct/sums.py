"""The two sums over all pairs and pixels that the global alignment minimises, with their gradients in closed form.

Autograd would keep some twenty floats per pair and pixel. Here value and gradients come out of one pass over chunks of
pairs, so memory grows with frames and not with pairs; what a pair contributes to its own parameters are sums of twelve
numbers. Points are channel-first (3, P) and may be stored in half precision; sums are taken in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from motion4d.geometry.camera_flow import EPSILON


@dataclass
class Side:
    """One side of all E pairs: points [E, 3, P] in the pair's frame, weights [E, P], frame [E] that they belong to."""

    points: Tensor
    weights: Tensor
    frame: Tensor


@dataclass
class FlowFields:
    """Observed flow [D, 2, P] from frame `source` [D] to frame `target` [D]; static [N, P] bool: pixels to compare."""

    flow: Tensor
    source: Tensor
    target: Tensor
    static: Tensor


class AlignedDistance(torch.autograd.Function):
    """sum over pairs and pixels of w |world - (M x + m)|, for one side of the pairs.

    apply(world [N, 3, P], matrix [E, 3, 3], shift [E, 3], side, chunk) -> scalar; chunk: pairs at a time.
    """

    @staticmethod
    def forward(context: Any, world: Tensor, matrix: Tensor, shift: Tensor, side: Side, chunk: int) -> Tensor:
        total = world.new_zeros(())
        to_world, to_matrix, to_shift = torch.zeros_like(world), torch.empty_like(matrix), torch.empty_like(shift)
        for part in _chunks(len(matrix), chunk):
            frame, points = side.frame[part], side.points[part].to(world.dtype)
            residual = world[frame]
            residual.baddbmm_(matrix[part], points, alpha=-1).sub_(shift[part].unsqueeze(-1))
            x, y, z = residual.unbind(1)
            distance = (x * x).addcmul_(y, y).addcmul_(z, z).sqrt_()
            weights = side.weights[part].to(world.dtype)
            total += torch.dot(distance.flatten(), weights.flatten())
            residual.mul_((weights / distance.clamp_min_(1e-20)).unsqueeze(1))  # now the gradient
            to_world.index_add_(0, frame, residual)
            to_matrix[part] = residual @ points.mT
            to_shift[part] = residual.sum(-1)
        context.save_for_backward(to_world, to_matrix, to_shift)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        to_world, to_matrix, to_shift = context.saved_tensors
        return gradient * to_world, -gradient * to_matrix, -gradient * to_shift, None, None


class FlowDisagreement(torch.autograd.Function):
    """Mean smooth-L1 difference (beta 1) of camera flow and observed flow over the static pixels of all D fields.

    apply(disparity [N, P], homography [D, 3, 3], parallax [D, 3], pixels [2, P], fields, bound, chunk) -> scalar.
    Both flow components count by themselves, and those that differ by a smooth-L1 of `bound` or more are left out. With
    `bound` None all stay, and the mean is that of the two components' sum (as published). Nothing to compare gives 0.
    """

    @staticmethod
    def forward(
        context: Any,
        disparity: Tensor,
        homography: Tensor,
        parallax: Tensor,
        pixels: Tensor,
        fields: FlowFields,
        bound: float | None,
        chunk: int,
    ) -> Tensor:
        total, count = disparity.new_zeros(()), disparity.new_zeros(())
        to_disparity = torch.zeros_like(disparity)
        to_homography, to_parallax = torch.empty_like(homography), torch.empty_like(parallax)
        homogeneous = torch.cat((pixels, torch.ones_like(pixels[:1])))
        for part in _chunks(len(homography), chunk):
            source = fields.source[part]
            seen = disparity[source]
            places = homography[part] @ homogeneous
            places.addcmul_(parallax[part].unsqueeze(-1), seen.unsqueeze(1))
            inverse = 1 / (places[:, 2] + EPSILON)
            landed = places[:, :2] * inverse.unsqueeze(1)
            error = (landed - pixels).sub_(fields.flow[part])
            size = error.abs()
            near = size.clamp_max(1)
            loss = size.sub_(near, alpha=0.5).mul_(near)
            static = fields.static[source].unsqueeze(1)
            keep = static if bound is None else static & (loss < bound)
            total += (loss * keep).sum()
            count += keep.sum()
            slope = error.clamp_(-1, 1).mul_(keep).mul_(inverse.unsqueeze(1))
            down = -(slope * landed).sum(1, keepdim=True)
            to_places = torch.cat((slope, down), 1)
            to_disparity.index_add_(0, source, (to_places * parallax[part].unsqueeze(-1)).sum(1))
            to_homography[part] = to_places @ homogeneous.T
            to_parallax[part] = (to_places * seen.unsqueeze(1)).sum(-1)
        count = count.clamp_min(1)
        context.save_for_backward(to_disparity / count, to_homography / count, to_parallax / count)
        return total / count

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        to_disparity, to_homography, to_parallax = (gradient * part for part in context.saved_tensors)
        return to_disparity, to_homography, to_parallax, None, None, None, None


def _chunks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
