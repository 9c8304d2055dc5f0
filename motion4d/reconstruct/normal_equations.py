"""What is seen of a frame, linearised: residuals, their derivatives, and the depth of every pixel eliminated.

Unknowns are small motions: of a frame its camera turns about its own centre (3), that centre moves (3) and ln f (1); of
a pair its logarithmic scale (1), its rotation about its own origin (3) and that origin (3), all along the axes of the
world. A pixel's depth touches only what is seen of its own frame, so it is eliminated pixel by pixel (Schur complement)
and what is left of a frame is one small matrix.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from motion4d.clip import Noun

_NEAR = 1e-3  # of its own depth: closer to a target camera a point has no useful flow
_FAR_OFF = 50.0  # pixels: what such a point is charged


@dataclass
class Placing(Noun):
    """camera_to_world [N, 4, 4], focal [N] in pixels, pair_to_world [E, 4, 4] (scale times rotation)."""

    camera_to_world: Tensor
    focal: Tensor
    pair_to_world: Tensor

    @property
    def pair_scale(self) -> Tensor:
        """[E]."""
        return torch.linalg.det(self.pair_to_world[:, :3, :3]).pow(1 / 3)

    def moved(self, step: Tensor) -> Placing:
        """After the motions `step` [7 N + 7 E]."""
        frames, pairs = (part.view(-1, 7) for part in step.split((7 * len(self.focal), 7 * len(self.pair_to_world))))
        cameras, similarities = self.camera_to_world.clone(), self.pair_to_world.clone()
        cameras[:, :3, :3] = _turn(frames[:, :3]) @ cameras[:, :3, :3]
        cameras[:, :3, 3] += frames[:, 3:6]
        similarities[:, :3, :3] = pairs[:, 0].exp()[:, None, None] * _turn(pairs[:, 1:4]) @ similarities[:, :3, :3]
        similarities[:, :3, 3] += pairs[:, 4:]
        return Placing(cameras, self.focal * frames[:, 6].exp(), similarities)


@dataclass
class Sight(Noun):
    """What is seen of one frame at Q of its pixels.

    frame; slopes [2, Q]: pixels less the principal point. By K pairs [K]: points [K, 3, Q] in the pair's frame and
    weights [K, Q], the inverse of the error that is expected of them. By flow: targets [D], flow [D, 2, Q],
    flow_weights [D, Q] likewise, in 1 / pixels.
    """

    frame: int
    slopes: Tensor
    pairs: Tensor
    points: Tensor
    weights: Tensor
    targets: Tensor
    flow: Tensor
    flow_weights: Tensor

    def chunks(self, pixels: int) -> list[Sight]:
        """The same, so many pixels at a time."""
        parts = (slice(start, start + pixels) for start in range(0, self.slopes.shape[1], pixels))
        names = ("slopes", "points", "weights", "flow", "flow_weights")
        return [replace(self, **{name: getattr(self, name)[..., part] for name in names}) for part in parts]


@dataclass
class Residuals(Noun):
    """K residuals of C components at Q pixels: values [K, C, Q], in units of the expected error weights [K, Q] of it;
    along [K or 1, C, Q]: derivative by the pixel's depth; by [K, 14, C, Q]: by the unknowns `columns` [K, 14];
    without `linear` it is empty.
    """

    values: Tensor
    weights: Tensor
    along: Tensor
    by: Tensor
    columns: Tensor

    @property
    def sizes(self) -> Tensor:
        """[K, Q]."""
        return self.weights * self.values.square().sum(1).sqrt()


def of_points(sight: Sight, placing: Placing, depth: Tensor, *, linear: bool) -> Residuals:
    """World points less the pairs' points in the world, in units of the pairs' own scale."""
    arm, place, along = _place(sight, placing, depth)
    similarity = placing.pair_to_world[sight.pairs]
    reach = similarity[:, :3, :3] @ sight.points
    from_origin = place - similarity[:, :3, 3:]
    columns = _columns(sight.frame, 7 * len(placing.focal) + 7 * sight.pairs)
    by = reach.new_zeros(len(reach), 0, 3, 1)
    if linear:
        own = _by_frame(sight, placing, depth, arm).expand(len(reach), -1, -1, -1)
        by = torch.cat((own, -from_origin[:, None], -_turned(reach), -_unit_columns(reach)), 1)
    weights = sight.weights / placing.pair_scale[sight.pairs, None]
    return Residuals(from_origin - reach, weights, along[None], by, columns)


def of_flow(sight: Sight, placing: Placing, depth: Tensor, *, linear: bool) -> Residuals:
    """Where the targets' cameras see the points, less where the flow leads; pixels."""
    arm, place, along = _place(sight, placing, depth)
    target = placing.camera_to_world[sight.targets]
    focal = placing.focal[sight.targets, None, None]
    to_camera = target[:, :3, :3].mT
    from_centre = place - target[:, :3, 3:]
    seen = to_camera @ from_centre
    ahead = seen[:, 2:] > _NEAR * depth
    inverse = torch.where(ahead, 1 / seen[:, 2:], 0.0)
    slope = seen[:, :2] * inverse
    values = torch.where(ahead, focal * slope - sight.slopes - sight.flow, _FAR_OFF)
    gain = focal * inverse  # values change by gain (to_camera[:2] - slope to_camera[2]) of what the place does

    def pushed(motion: Tensor) -> Tensor:
        """Motions [K or 1, M, 3, Q] in the world -> [K, M, 2, Q] in pixels."""
        turned = to_camera[:, None] @ motion
        return gain[:, None] * (turned[:, :, :2] - slope[:, None] * turned[:, :, 2:])

    by = values.new_zeros(len(values), 0, 2, 1)
    if linear:
        own = pushed(_by_frame(sight, placing, depth, arm))
        others = pushed(torch.cat((-_turned(from_centre), -_unit_columns(from_centre)), 1))
        by = torch.cat((own, others, (focal * slope)[:, None]), 1)
    columns = _columns(sight.frame, 7 * sight.targets)
    return Residuals(values, sight.flow_weights, pushed(along[None, None])[:, 0], by, columns)


def eliminated(parts: list[tuple[Residuals, Tensor]], *, depth_is_free: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Residuals with their robust weights [K, Q] -> unknowns [U], normal matrix [U, U] and gradient [U] over them."""
    columns = torch.cat([part.columns.flatten() for part, _ in parts])
    unknowns, places = columns.unique(return_inverse=True)
    count, pixels = len(unknowns), parts[0][0].values.shape[-1]
    like = parts[0][0].values
    matrix, gradient = like.new_zeros(count * count), like.new_zeros(count)
    coupling = like.new_zeros(count, pixels)
    curvature, slope = like.new_zeros(pixels), like.new_zeros(pixels)
    done = 0
    for part, robust in parts:
        local = places[done : done + part.columns.numel()].view_as(part.columns)
        done += part.columns.numel()
        weights = (robust * part.weights.square())[:, None]
        by = part.by.flatten(2)
        weighted = (part.by * weights[:, None]).flatten(2)
        product = weighted @ by.mT
        matrix.index_add_(0, (local[:, :, None] * count + local[:, None]).flatten(), product.flatten())
        gradient.index_add_(0, local.flatten(), (weighted @ part.values.flatten(1).unsqueeze(-1)).flatten())
        along = part.along * weights
        coupling.index_add_(0, local.flatten(), (part.by * along[:, None]).sum(2).flatten(0, 1))
        curvature += (along * part.along).sum((0, 1))
        slope += (along * part.values).sum((0, 1))
    matrix = matrix.view(count, count)
    if depth_is_free:
        inverse = torch.where(curvature > 0, 1 / curvature, 0.0)
        matrix = matrix - (coupling * inverse) @ coupling.T
        gradient = gradient - coupling @ (inverse * slope)
    return unknowns, matrix, gradient


def _place(sight: Sight, placing: Placing, depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """From the centre to the points, the points, and the rays of depth 1, in the world; all [3, Q]."""
    pose = placing.camera_to_world[sight.frame]
    slopes = sight.slopes / placing.focal[sight.frame]
    along = pose[:3, :3] @ torch.cat((slopes, torch.ones_like(slopes[:1])))
    arm = along * depth
    return arm, arm + pose[:3, 3:], along


def _by_frame(sight: Sight, placing: Placing, depth: Tensor, arm: Tensor) -> Tensor:
    """Points [3, Q] by their own frame's unknowns, [1, 7, 3, Q]."""
    forward = placing.camera_to_world[sight.frame, :3, 2:3]
    return torch.cat((_turned(arm), _unit_columns(arm), (depth * forward - arm)[None]))[None]


def _turned(arms: Tensor) -> Tensor:
    """[..., 3, Q] -> [..., 3, 3, Q]: how they move under unit rotations about the three axes."""
    x, y, z = arms.unbind(-2)
    zero = torch.zeros_like(x)
    rows = ((zero, -z, y), (z, zero, -x), (-y, x, zero))
    return torch.stack([torch.stack(row, -2) for row in rows], -3)


def _unit_columns(like: Tensor) -> Tensor:
    """[..., 3, Q] -> [..., 3, 3, Q]: unit motions along the three axes."""
    return torch.eye(3, dtype=like.dtype, device=like.device)[:, :, None].expand(*like.shape[:-2], 3, 3, like.shape[-1])


def _columns(frame: int, others: Tensor) -> Tensor:
    """[K, 14]: a frame's seven unknowns and the seven that begin at `others` [K]."""
    seven = torch.arange(7, device=others.device)
    return torch.cat(((7 * frame + seven).expand(len(others), -1), others[:, None] + seven), 1)


def _turn(vectors: Tensor) -> Tensor:
    """Rotation vectors [..., 3] -> rotations [..., 3, 3]."""
    return torch.linalg.matrix_exp(_turned(vectors.unsqueeze(-1)).squeeze(-1))
