"""Terms on the pose encodings of a camera head that refines them in stages (VGGT, PAGE-4D): translation, rotation,
field of view.

Each is the mean over stages i = 0 .. n-1 of decay^(n-1-i) * (mean distance over the frames): later stages count more.
Only sequences count whose first frame has more than 100 valid pixels, since scale and world frame hang on it.
Reduced values: scalars. Truth: motion4d.losses.geometry_truth.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from motion4d.losses.geometry_truth import GeometryPrediction, GeometryTruth, nothing

LEAST_PIXELS = 100  # in the first frame
LONGEST = 100.0  # a translation's error counts as no more, published

Distance = Callable[[Tensor], Tensor]  # difference [..., K] -> [...]
Difference = Callable[[Tensor, Tensor], Tensor]  # two quaternions [..., 4] -> [..., 4]


def mean_absolute(difference: Tensor) -> Tensor:
    """[..., K] -> [...]: the mean absolute value of the K numbers ("l1")."""
    return difference.abs().mean(dim=-1)


def euclidean(difference: Tensor) -> Tensor:
    """[..., K] -> [...]: the length ("l2")."""
    return difference.norm(dim=-1)


def as_numbers(predicted: Tensor, true: Tensor) -> Tensor:
    """q - q', as published: q and -q, the same rotation, are far apart."""
    return predicted - true


def as_rotations(predicted: Tensor, true: Tensor) -> Tensor:
    """The smaller of q - q' and q + q'."""
    nearer = ((predicted * true).sum(dim=-1, keepdim=True) >= 0).to(true.dtype) * 2 - 1
    return predicted - nearer * true


def translation(
    prediction: GeometryPrediction, truth: GeometryTruth, *, distance: Distance = mean_absolute, decay: float = 0.6
) -> Tensor:
    """On the translation of world_to_camera; errors above 100 count as 100."""
    return _over_stages(prediction, truth, slice(0, 3), lambda p, t: distance(p - t), decay, LONGEST)


def rotation(
    prediction: GeometryPrediction,
    truth: GeometryTruth,
    *,
    distance: Distance = mean_absolute,
    difference: Difference = as_numbers,
    decay: float = 0.6,
) -> Tensor:
    """On the quaternion (x, y, z, w) of world_to_camera; truth has w >= 0."""
    return _over_stages(prediction, truth, slice(3, 7), lambda p, t: distance(difference(p, t)), decay)


def field_of_view(
    prediction: GeometryPrediction, truth: GeometryTruth, *, distance: Distance = mean_absolute, decay: float = 0.6
) -> Tensor:
    """On the two fields of view, radians."""
    return _over_stages(prediction, truth, slice(7, 9), lambda p, t: distance(p - t), decay)


def _over_stages(
    prediction: GeometryPrediction,
    truth: GeometryTruth,
    part: slice,
    error: Callable[[Tensor, Tensor], Tensor],
    decay: float,
    longest: float | None = None,
) -> Tensor:
    if prediction.pose_encodings is None:
        raise ValueError('a camera term needs a prediction with poses: train with the head "pose"')
    known = truth.valid[:, 0].sum((1, 2)) > LEAST_PIXELS
    stages = prediction.pose_encodings.float()
    if not known.any():
        return nothing([stages])
    errors = error(stages[:, known, :, part], truth.pose_encodings[known, :, part])
    errors = errors if longest is None else errors.clamp(max=longest)
    weights = decay ** torch.arange(len(stages) - 1, -1, -1, device=stages.device, dtype=stages.dtype)
    return (weights * errors.mean((1, 2))).mean()
