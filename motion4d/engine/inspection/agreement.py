"""Checks of fields against each other: flow against images, depth and cameras against flow, depth against depth.

Where the static world is known (a motion mask), only it is compared; else all pixels are, and medians carry it as long
as most of them stand still. Disagreement is explained by a usual slip (motion4d.engine.inspection.slips) if it can be.
"""

from __future__ import annotations

from dataclasses import fields

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.clip import Clip, Flow
from motion4d.engine.inspection.fields import usable_depth
from motion4d.engine.inspection.findings import Finding, Verdict
from motion4d.engine.inspection.points import Points, Rig, bilinear, carried, drawn_points
from motion4d.engine.inspection.slips import best_explanation, best_factor, is_explained
from motion4d.flow.consistency import both_consistent, inside

_FEW = 100  # points; fewer say nothing
_FLOOR = 0.05  # pixels of disagreement with true flow that never count
_TRUE, _ESTIMATED = 0.25, 1.0  # pixels of disagreement with flow that pass
_SHARE_OF_MOTION = 0.15  # of the motion, by which an estimate may be wrong on top
_PREFERRED = 0.6  # how much better images must agree with a change (1: no point disagrees, 0.5: no difference)
_SAME_DEPTH = 0.02  # relative difference of the depths of one point
_CONFLICT_PASSES = 0.1  # share of points that lie in front of what is seen there


def has_cameras(clip: Clip) -> bool:
    """Whether the clip has depth, poses and intrinsics."""
    return clip.depth is not None and clip.camera_to_world is not None and clip.intrinsics is not None


def check_flow(clip: Clip, flow: Flow) -> tuple[Finding, Flow]:
    """True flow against the images: it leads to pixels of the same colour, and back. Also: the flow without its slip.

    A sign, an order of the components or a factor under which the colours agree better is named.
    """
    images, field = clip.images[0].double(), flow.forward[0].double()
    moves = _known(field) & (field.norm(dim=1) > 0.5) & inside(field)
    points = drawn_points(moves, torch.arange(len(field)) + 1)
    values: dict[str, float] = {}
    if flow.backward is not None:
        values["consistent_share"] = float(both_consistent(flow)[0].float().mean())
    if len(points.frame) < _FEW:
        return Finding(
            "flow", Verdict.PASS, "next to nothing moves in the images: the flow is not tested", values
        ), flow
    step = points.of(field)
    before = _colour_errors(images, points, step)
    values["colour_error"] = float(before.nanmedian())
    factor = best_factor(lambda k: float(_colour_errors(images, points, step * k).nan_to_num(1).mean()), decades=1)
    changes = {
        "the flow's sign is flipped": lambda f: -f,
        "the sign of the flow's u is flipped": lambda f: f * _pair(f, -1, 1),
        "the sign of the flow's v is flipped": lambda f: f * _pair(f, 1, -1),
        "the flow's components are exchanged: u comes second": lambda f: f.flip(-3),
    }
    if not 0.8 < factor < 1.25:
        changes[f"the flow is {1 / factor:.3g} times too long: it belongs to images of another size"] = lambda f: (
            f * factor
        )
    wins = {
        text: preferred(before, _colour_errors(images, points, change(step[..., None, None])[..., 0, 0]))
        for text, change in changes.items()
    }
    named = max(wins, key=wins.__getitem__)
    if wins[named] > _PREFERRED:
        sentence = f"{named} (the images' colours agree better without that)"
        backward = None if flow.backward is None else changes[named](flow.backward)
        return Finding("flow", Verdict.FAIL, sentence, values), Flow(changes[named](flow.forward), backward)
    consistent = values.get("consistent_share", 1.0)
    if consistent < 0.3:
        sentence = f"there and back ends elsewhere for {1 - consistent:.0%} of the pixels"
        return Finding("flow", Verdict.WARN, sentence, values), flow
    sentence = f"colours agree to {values['colour_error']:.3f}"
    if "consistent_share" in values:
        sentence += f", there and back agree for {consistent:.0%}"
    return Finding("flow", Verdict.PASS, sentence, values), flow


def check_cameras(clip: Clip, flow: Flow, *, is_exact: bool) -> Finding:
    """Where depth and cameras say that pixels go, against where the flow says: in pixels of the next frame.

    is_exact: the flow is truth; else it is an estimate, and only where it is consistent it counts.
    """
    rig, field = rig_of(clip), flow.forward[0].double()
    known = _known(field) & usable_depth(clip)[:-1]
    if not is_exact:
        known &= both_consistent(flow)[0][0] if flow.backward is not None else inside(field)
    moving = torch.zeros_like(known) if clip.motion is None else clip.motion[0, :-1].bool()
    target = torch.arange(len(field)) + 1
    points = drawn_points(known & ~moving, target)
    if len(points.frame) < _FEW:
        return Finding("cameras", Verdict.WARN, "too few static pixels with depth and flow to compare", {})
    length, error = float(points.of(field).norm(dim=1).median()), _flow_error(rig, points, field)
    values = {"error_px": error, "motion_px": length}
    which = ("static pixels" if clip.motion is not None else "pixels", "" if is_exact else " of estimated flow")
    found = f"{which[0]} are off by {error:.2g} px{which[1]} where they move by {length:.3g} px"
    tolerance = _TRUE if is_exact else _ESTIMATED + _SHARE_OF_MOTION * length
    floor = _FLOOR if is_exact else _ESTIMATED / 2
    if error > floor:
        inverted = _flow_error(rig, drawn_points(known & moving, target), field)
        best = best_explanation(rig, lambda other: _flow_error(other, points, field))
        believed = is_exact or _images_prefer(rig, best.rig, clip, points)
        if is_explained(error, inverted, floor=floor):
            sentence = f"the motion mask is inverted: what it calls moving stands still ({found})"
            return Finding("cameras", Verdict.FAIL, sentence, values)
        if is_explained(error, best.error, floor=floor) and believed:
            sentence = f"{best.sentence} ({found}, and by {best.error:.2g} px without that)"
            return Finding("cameras", Verdict.FAIL, sentence, values | {"error_px_without": best.error})
    if error > tolerance:
        is_sure = is_exact and clip.motion is not None
        verdict = Verdict.FAIL if is_sure else Verdict.WARN
        return Finding("cameras", verdict, f"{found}; no usual slip explains it", values)
    still = ": hardly any motion, so this says little" if length < 0.3 else ""
    return Finding("cameras", Verdict.PASS, f"{found}{still}", values)


def check_depth_again(clip: Clip, *, explain: bool) -> Finding:
    """The depth of points seen again from the next and from the last frame, among those that are not hidden there.

    explain: look for a usual slip behind a disagreement (unless `check_cameras` has named one, which knows it better).
    """
    name, rig, usable = "depth seen again", rig_of(clip), usable_depth(clip)
    if clip.motion is not None:
        usable = usable & ~clip.motion[0].bool()
    following = torch.arange(len(usable))[1:]
    pairs = [drawn_points(usable[:-1], target) for target in (following, torch.full_like(following, len(usable) - 1))]
    points = Points(*(torch.cat([getattr(one, field.name) for one in pairs]) for field in fields(Points)))
    conflict, seen = _depth_conflict(rig, points)
    values = {"agreeing_share": 1 - conflict, "seen_points": float(seen)}
    if seen < _FEW:
        return Finding(name, Verdict.WARN, "too few static points are seen in two frames", values)
    which = "static points" if clip.motion is not None else "points"
    found = f"{1 - conflict:.1%} of {which} have the same depth, give or take {_SAME_DEPTH:.0%}"
    passes = _CONFLICT_PASSES if clip.motion is not None else 2 * _CONFLICT_PASSES  # some of the points may move
    if conflict <= passes:
        return Finding(name, Verdict.PASS, found, values)
    if explain:
        best = best_explanation(rig, lambda other: _penalised(*_depth_conflict(other, points), seen))
        if is_explained(conflict, best.error, floor=1.5 * passes):
            sentence = f"{best.sentence} ({found}, and {1 - best.error:.1%} without that)"
            return Finding(name, Verdict.FAIL, sentence, values)
    verdict = Verdict.FAIL if conflict > 3 * passes and clip.motion is not None else Verdict.WARN
    return Finding(name, verdict, f"only {found}", values)


def rig_of(clip: Clip) -> Rig:
    """Depth (0 where it is no truth) and cameras of a clip that has them, B = 1, in float64."""
    assert clip.depth is not None
    assert clip.camera_to_world is not None
    assert clip.intrinsics is not None
    depth = torch.where(usable_depth(clip), clip.depth[0].double(), 0.0)
    return Rig(depth, clip.camera_to_world[0].double(), clip.intrinsics[0].double())


def _flow_error(rig: Rig, points: Points, field: Tensor) -> float:
    """The median distance in pixels between what the cameras and what the flow [M, 2, H, W] say."""
    if not len(points.frame):
        return float("inf")
    pixels, ahead = carried(rig, points)
    error = (pixels - points.pixels - points.of(field)).norm(dim=1)
    return float(torch.where(ahead > 0, error, torch.inf).median())


def _depth_conflict(rig: Rig, points: Points) -> tuple[float, int]:
    """Of the points that land where their target frame has depth and are not hidden there, the share in front of it.

    Also their number. A point counts as seen if its depth lies within that of the 3x3 pixels around, give or take 2 %.
    """
    pixels, ahead = carried(rig, points)
    height, width = rig.depth.shape[-2:]
    column, row = pixels.round().clamp(-1e6, 1e6).long().unbind(-1)
    inside_ = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (ahead > 0)
    frame, row, column, ahead = points.target[inside_], row[inside_], column[inside_], ahead[inside_]
    missing = rig.depth <= 0
    far = F.max_pool2d(rig.depth[:, None], 3, 1, 1)[:, 0][frame, row, column]
    near = -F.max_pool2d(torch.where(missing, -torch.inf, -rig.depth)[:, None], 3, 1, 1)[:, 0][frame, row, column]
    there = far > 0
    agree = there & (ahead >= near * (1 - _SAME_DEPTH)) & (ahead <= far * (1 + _SAME_DEPTH))
    conflict = there & (ahead < near * (1 - _SAME_DEPTH))
    seen = int(agree.sum() + conflict.sum())
    return (float(conflict.sum()) / seen if seen else 1.0), seen


def _penalised(conflict: float, seen: int, before: int) -> float:
    """A slip that moves most points out of sight explains nothing."""
    return conflict if seen > before / 2 else 1.0


def _known(field: Tensor) -> Tensor:
    """Bool [M, H, W]: where a flow [M, 2, H, W] says something."""
    return (field.abs() < 1e7).all(1)  # False for NaN


def _colour_errors(images: Tensor, points: Points, step: Tensor) -> Tensor:
    """Colour differences [P] between the points and where `step` [P, 2] leads them; NaN outside the image."""
    found, stays = bilinear(images, points.target, points.pixels + step)
    return torch.where(stays, (found - points.of(images)).abs().mean(1), torch.nan)


def preferred(before: Tensor, after: Tensor) -> float:
    """How much the errors `after` [P] are the better ones, in [0, 1]: 1 if no point of `before` is better, 0.5 a draw.

    Every point counts by how much it changes; those that are NaN in one of them do not count.
    """
    gain = (before - after)[torch.isfinite(before - after)]
    lost = len(gain) < len(before) / 2
    return 0.0 if lost else 0.5 + 0.5 * float(gain.sum() / gain.abs().sum().clamp(min=1e-12))


def _images_prefer(rig: Rig, other: Rig, clip: Clip, points: Points) -> bool:
    """Whether the images agree better with the cameras of `other` than with those of `rig`."""
    images = clip.images[0].double()
    errors = [_colour_errors(images, points, carried(one, points)[0] - points.pixels) for one in (rig, other)]
    return preferred(*errors) > _PREFERRED


def _pair(like: Tensor, u: float, v: float) -> Tensor:
    return like.new_tensor([u, v])[:, None, None]
