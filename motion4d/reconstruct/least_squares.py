"""Our default optimiser: robust least squares by Levenberg and Marquardt, every pixel's depth eliminated.

Errors are measured where they arise and in units of what is expected of them: those of a pair's pointmap in the pair's
own scale, relative to distance and to 1 / confidence (which is what confidence is trained to be), those of flow in
pixels. Either kind is divided by its own median, so that no weight has to be chosen, and judged by Geman-McClure
(`width` medians count a quarter). Relative errors do not shrink with the scene, so no scale has to be held.

Cameras, focal lengths and pairs are solved for on a sample of pixels; then every pixel's depth is the robust mean of
what all pairs and flows say of it. Of the start and the answer, the one with the smaller sum of errors is returned.
There is no smoothness term: it pulls cameras together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from motion4d.geometry.poses import se3
from motion4d.geometry.projection import pixel_grid
from motion4d.reconstruct.banded import NormalSystem
from motion4d.reconstruct.normal_equations import Placing, Residuals, Sight, eliminated, of_flow, of_points
from motion4d.reconstruct.observations import Observations
from motion4d.reconstruct.optimise import Frozen
from motion4d.reconstruct.state import AlignmentState, focal_parameters, pose_parameters

_CHUNK = 4096  # pixels of a frame at a time
_FINEST = 1e-4  # medians of relative errors below it are rounding
_FINEST_FLOW = 0.02  # pixels
_LARGEST_DAMPING = 1e4
_CONVERGED = 1e-5  # a smaller relative gain ends a stage
_NARROWING = (8.0, 4.0, 2.0, 1.0)  # depth begins at the plain mean, so that no single voice decides where it settles
_FINAL_NARROWING = (3.0, 2.0, 1.5, 1.0, 1.0, 1.0)

Depths = list[Tensor]  # of every frame, [Q]


@dataclass(frozen=True)
class RobustLeastSquares:
    """pixels: of every frame, for the cameras. rounds: most steps at one estimate of the medians, which are estimated
    `stages` times. width: medians at which an error counts a quarter; depth_width: the same for the final depth. flow:
    weight of flow beside pointmaps; 0 ignores it.
    """

    pixels: int = 4096
    rounds: int = 10
    stages: int = 2
    width: float = 3.0
    depth_width: float = 6.0
    flow: float = 1.0

    @property
    def needs_flow(self) -> bool:
        """Whether `seen.flow` is read."""
        return self.flow > 0

    @torch.no_grad()
    def __call__(
        self, seen: Observations, start: AlignmentState, held: Frozen | None = None
    ) -> tuple[AlignmentState, dict[str, float]]:
        """A state that explains more; `robust_start` and `robust`: errors before and after, per residual."""
        count, device = start.log_depth.shape[1], start.log_depth.device
        generator = torch.Generator().manual_seed(0)
        sample = torch.randperm(count, generator=generator)[: self.pixels].sort().values.to(device)
        raw = [self._sight(seen, frame, sample) for frame in range(seen.frames)]
        fixed = torch.zeros(seen.frames, dtype=torch.bool, device=device)
        if held is not None and held.depth:
            fixed = held.frames
        matrix, shift = start.pair_similarities()
        beginning = Placing(start.camera_to_world.double(), start.focal.double(), se3(matrix, shift).double())
        begun: Depths = list(start.depth[:, sample].double())
        placing, depths = beginning, begun
        numbers = _numbers(start, len(seen.pairs), held)
        sights = raw
        for _ in range(self.stages):
            for narrowing in _NARROWING:
                sights = _in_medians(raw, placing, depths)
                depths = _depth_step(sights, placing, depths, fixed, narrowing * self.width)
            sights = _in_medians(raw, placing, depths)
            placing, depths = self._settle(sights, placing, depths, fixed, numbers)
        before, after = (_cost(sights, *state, self.width) for state in ((beginning, begun), (placing, depths)))
        residuals = max(1, sum(int((part.weights > 0).sum()) for part in _all(sights, placing, depths)))
        losses = {"robust_start": before / residuals, "robust": min(before, after) / residuals}
        if not after < before:
            return start.copy(), losses
        return self._state(seen, start, placing, fixed, (raw, sights)), losses

    def _settle(
        self, sights: list[Sight], placing: Placing, depths: Depths, fixed: Tensor, numbers: np.ndarray
    ) -> tuple[Placing, Depths]:
        damping, cost = 1e-4, _cost(sights, placing, depths, self.width)
        for _ in range(self.rounds):
            system = self._system(sights, placing, depths, fixed, numbers)
            if not system.size:
                break
            before = cost
            while damping < _LARGEST_DAMPING:
                try:
                    step = torch.from_numpy(system.solve(damping)).to(placing.focal)
                except np.linalg.LinAlgError:
                    damping *= 10
                    continue
                moved = placing.moved(step)
                fitted = _depth_step(sights, moved, depths, fixed, self.width)
                cost = _cost(sights, moved, fitted, self.width)
                if cost < before:
                    placing, depths = moved, fitted
                    break
                damping *= 10
            if not cost < before * (1 - _CONVERGED):
                break
            damping = max(damping / 10, 1e-9)
        return placing, depths

    def _system(
        self, sights: list[Sight], placing: Placing, depths: Depths, fixed: Tensor, numbers: np.ndarray
    ) -> NormalSystem:
        system = NormalSystem(numbers)
        for sight, depth in zip(sights, depths, strict=True):
            start = 0
            for part in sight.chunks(_CHUNK):
                stop = start + part.slopes.shape[1]
                residuals = [kind(part, placing, depth[start:stop], linear=True) for kind in _kinds(part)]
                start = stop
                if residuals:
                    judged = [(one, _trust(one.sizes, self.width)) for one in residuals]
                    block = eliminated(judged, depth_is_free=not bool(fixed[sight.frame]))
                    system.add(*(tensor.cpu().numpy() for tensor in block))
        return system

    def _state(
        self,
        seen: Observations,
        start: AlignmentState,
        placing: Placing,
        fixed: Tensor,
        scaled: tuple[list[Sight], ...],
    ) -> AlignmentState:
        """With the depth of every pixel, a frame and a chunk of pixels at a time."""
        state = start.copy()
        matrix, scale = placing.pair_to_world, placing.pair_scale
        pair_poses = pose_parameters(matrix[:, :3, :3] / scale[:, None, None], matrix[:, :3, 3] / scale[:, None])
        state.pair_poses = torch.cat((pair_poses, scale.log()[:, None]), 1).to(start.pair_poses)
        state.mean_log_scale = None
        state.poses = pose_parameters(placing.camera_to_world[:, :3, :3], placing.camera_to_world[:, :3, 3]).to(
            start.poses
        )
        state.focals = focal_parameters(placing.focal[: len(start.focals)]).to(start.focals)
        for frame, (raw, sample) in enumerate(zip(*scaled, strict=True)):
            if fixed[frame]:
                continue
            for pixels in torch.arange(start.log_depth.shape[1], device=fixed.device).split(_CHUNK):
                sight = _like(self._sight(seen, frame, pixels), raw, sample)
                depth = _voted(sight, placing, state.depth[frame, pixels].double())
                for narrowing in _FINAL_NARROWING:
                    depth = _refined(sight, placing, depth, narrowing * self.depth_width)
                state.log_depth[frame, pixels] = depth.log().to(state.log_depth)
        return state

    def _sight(self, seen: Observations, frame: int, pixels: Tensor) -> Sight:
        maps, device = seen.maps, pixels.device
        grid = pixel_grid(*maps.points_first.shape[1:3], like=seen.principal_point.double().to(device))
        slopes = (grid.reshape(-1, 2)[pixels] - seen.principal_point.to(device)).T
        sides = ((maps.points_first, maps.confidence_first), (maps.points_second, maps.confidence_second))
        edges: list[int] = []
        points, confidences = [], []
        for side, (all_points, all_confidences) in enumerate(sides):
            chosen = [edge for edge, pair in enumerate(seen.pairs) if pair[side] == frame]
            edges += chosen
            points += [all_points[edge].flatten(0, 1)[pixels].T for edge in chosen]
            confidences += [all_confidences[edge].flatten()[pixels] for edge in chosen]
        shape = (0, 3, len(pixels))
        seen_points = torch.stack(points).double() if points else slopes.new_zeros(shape)
        confidence = torch.stack(confidences).double() if points else slopes.new_zeros(shape[0], shape[2])
        distance = seen_points.square().sum(1).sqrt()
        weights = confidence / distance.clamp_min(1e-3 * float(distance.mean().nan_to_num(1.0)) + 1e-12)
        fields = [field for field, (i, _) in enumerate(seen.flow_pairs) if i == frame]
        if seen.flow is None or not self.flow:
            fields = []
        targets = torch.tensor([seen.flow_pairs[field][1] for field in fields], dtype=torch.long, device=device)
        flow = slopes.new_zeros(0, 2, len(pixels))
        if seen.flow is not None and fields:
            flow = torch.stack([seen.flow[field].flatten(1)[:, pixels] for field in fields]).double()
        still = torch.ones_like(slopes[0])
        if seen.moving is not None:
            still = (~seen.moving[frame].flatten()[pixels]).double()
        known = still * flow.isfinite().all(1)
        return Sight(
            frame, slopes, torch.tensor(edges, dtype=torch.long, device=device), seen_points, weights,
            targets, flow.nan_to_num(0.0, 0.0, 0.0), self.flow**0.5 * known,
        )  # fmt: skip


def _kinds(sight: Sight) -> list[Callable[..., Residuals]]:
    return ([of_points] if len(sight.pairs) else []) + ([of_flow] if len(sight.targets) else [])


def _all(sights: list[Sight], placing: Placing, depths: Depths) -> list[Residuals]:
    pairs = zip(sights, depths, strict=True)
    return [kind(sight, placing, depth, linear=False) for sight, depth in pairs for kind in _kinds(sight)]


def _in_medians(sights: list[Sight], placing: Placing, depths: Depths) -> list[Sight]:
    """Weights in units of the median error of their kind."""
    medians = []
    for kind, finest in ((of_points, _FINEST), (of_flow, _FINEST_FLOW)):
        pairs = [(sight, depth) for sight, depth in zip(sights, depths, strict=True) if kind in _kinds(sight)]
        sizes = [kind(sight, placing, depth, linear=False).sizes.flatten() for sight, depth in pairs]
        sizes = [size[size > 0] for size in sizes]
        medians.append(max(float(torch.cat(sizes).median()), finest) if any(len(size) for size in sizes) else 1.0)
    points, flow = medians
    return [replace(sight, weights=sight.weights / points, flow_weights=sight.flow_weights / flow) for sight in sights]


def _like(sight: Sight, raw: Sight, scaled: Sight) -> Sight:
    """`sight` in the units that took `raw` to `scaled`."""

    def ratio(after: Tensor, before: Tensor) -> float:
        total = float(before.sum())
        return float(after.sum()) / total if total else 1.0

    return replace(
        sight,
        weights=sight.weights * ratio(scaled.weights, raw.weights),
        flow_weights=sight.flow_weights * ratio(scaled.flow_weights, raw.flow_weights),
    )


def _trust(sizes: Tensor, width: float) -> Tensor:
    """Geman-McClure's weights."""
    return 1 / (1 + (sizes / width).square()).square()


def _cost(sights: list[Sight], placing: Placing, depths: Depths, width: float) -> float:
    """The sum of Geman-McClure's errors."""
    total = 0.0
    for part in _all(sights, placing, depths):
        square = (part.sizes / width).square()
        total += float((square / (1 + square)).sum())
    return total


def _depth_step(sights: list[Sight], placing: Placing, depths: Depths, fixed: Tensor, width: float) -> Depths:
    pairs = zip(sights, depths, strict=True)
    return [depth if fixed[sight.frame] else _refined(sight, placing, depth, width) for sight, depth in pairs]


def _refined(sight: Sight, placing: Placing, depth: Tensor, width: float) -> Tensor:
    """One Gauss-Newton step of every pixel's depth, by a factor of two at most."""
    curvature, slope = torch.zeros_like(depth), torch.zeros_like(depth)
    for kind in _kinds(sight):
        part = kind(sight, placing, depth, linear=False)
        along = part.along * (_trust(part.sizes, width) * part.weights.square())[:, None]
        curvature += (along * part.along).sum((0, 1))
        slope += (along * part.values).sum((0, 1))
    moved = depth - torch.where(curvature > 0, slope / curvature, 0.0)
    return torch.minimum(torch.maximum(moved, depth / 2), depth * 2)


def _voted(sight: Sight, placing: Placing, depth: Tensor) -> Tensor:
    """The median of the depths that pairs say, which no wrong voice can pull far; `depth` where none is positive."""
    if not len(sight.pairs):
        return depth
    pose, similarity = placing.camera_to_world[sight.frame], placing.pair_to_world[sight.pairs]
    places = similarity[:, :3, :3] @ sight.points + similarity[:, :3, 3:]
    said = ((places - pose[:3, 3:]) * pose[:3, 2:3]).sum(1)
    median = torch.where(said > 0, said, torch.nan).nanmedian(0).values
    return torch.where(median > 0, median, depth)


def _numbers(start: AlignmentState, pairs: int, held: Frozen | None) -> np.ndarray:
    """Which unknown each column of the normal equations stands for, -1 where it is held."""
    frames = len(start.poses)
    columns = np.arange(7 * (frames + pairs))
    free = np.ones(len(columns), bool)
    if len(start.focals) == 1:
        columns[6 : 7 * frames : 7] = 6
    if held is not None:
        still = held.frames.cpu().numpy()
        free[: 7 * frames].reshape(frames, 7)[still, :6] = False
        if held.depth and len(start.focals) > 1:
            free[: 7 * frames].reshape(frames, 7)[still] = False
        if held.focals:
            free[6 : 7 * frames : 7] = False
    numbers = np.full(len(columns), -1)
    numbers[free] = np.unique(columns[free], return_inverse=True)[1]
    return numbers
