"""Good samples pass; every usual slip of a loader fails, with a sentence that names it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from motion4d.clip import Clip
from motion4d.data.procedural.dataset import ProceduralClips
from motion4d.engine.inspection.checks import check_clip, with_estimated_flow
from motion4d.engine.inspection.findings import Finding, Verdict, overall
from motion4d.flow.dis import DenseInverseSearch
from motion4d.geometry.projection import unproject

MOVING = 3  # the clip with a hand-held camera
CLIPS = ProceduralClips(8, num_frames=5, height=96, width=144, seed=5)


@cache
def sample(index: int = MOVING) -> Clip:
    return CLIPS[index]


def changed(**fields: Callable[[Tensor], Tensor]) -> Callable[[Clip], Clip]:
    """A change of some fields of a clip."""
    return lambda clip: replace(clip, **{name: change(getattr(clip, name)) for name, change in fields.items()})


def flow_times(factor: Tensor) -> Callable[[Clip], Clip]:
    factor = factor[:, None, None]
    return lambda clip: replace(clip, flow=clip.flow._map(lambda field: field * factor))


def exchanged(clip: Clip) -> Clip:
    return replace(clip, flow=clip.flow._map(lambda field: field.flip(2)))


def along_the_ray(clip: Clip) -> Clip:
    return replace(clip, depth=clip.depth * unproject(torch.ones_like(clip.depth), clip.intrinsics).norm(dim=-1))


INVERTED = changed(camera_to_world=torch.linalg.inv)
OPENGL = changed(camera_to_world=lambda poses: poses * torch.tensor([1.0, -1, -1, 1]))
TWICE = changed(intrinsics=lambda matrices: matrices * torch.tensor([[2.0], [2], [1]]))
MILLIMETRES = changed(depth=lambda depth: 1000 * depth)

SLIPS = {
    "inverted poses": (INVERTED, "cameras", "the poses are inverted: camera_to_world holds world_to_camera"),
    "OpenGL axes": (OPENGL, "cameras", "OpenGL's camera axes"),
    "twice the depth": (changed(depth=lambda d: 2 * d), "cameras", "the depth is (2|1.99|2.01) times too large for"),
    "half the depth": (changed(depth=lambda d: d / 2), "cameras", "the depth is (2|1.99|2.01) times too small for"),
    "millimetres": (MILLIMETRES, "cameras", "the depth is .* times too large for the translations"),
    "distance instead of z": (along_the_ray, "cameras", "distance along the viewing ray instead of z"),
    "disparity": (changed(depth=lambda d: 1 / d), "cameras", "it is disparity"),
    "intrinsics of other images": (TWICE, "cameras", "images of another size, (2|1.99|2.01) times as large"),
    "and their centre": (TWICE, "intrinsics", "their centre is that of 191x287, but the images are 96x144"),
    "flow flipped": (flow_times(torch.tensor([-1.0, -1])), "flow", "the flow's sign is flipped"),
    "v upwards": (flow_times(torch.tensor([1.0, -1])), "flow", "the sign of the flow's v is flipped"),
    "v before u": (exchanged, "flow", "the flow's components are exchanged"),
    "flow of larger images": (
        flow_times(torch.tensor([2.0, 2])),
        "flow",
        "the flow is (1.9|2|2.0|2.1).* times too long",
    ),
    "mask inverted": (changed(motion=torch.logical_not), "cameras", "the motion mask is inverted"),
    "negative depth": (changed(depth=torch.neg), "depth", "no pixel has a valid depth"),
    "images of 0 to 255": (changed(images=lambda x: 255 * x), "images", "they look like 0 to 255"),
    "normalised images": (changed(images=lambda x: (x - 0.45) / 0.22), "images", "they look normalised already"),
    "scaled rotations": (changed(camera_to_world=lambda c: c * 1.1), "poses", "they are rotations times 1.1"),
    "mirrored": (changed(camera_to_world=lambda c: c * torch.tensor([1.0, 1, -1, 1])), "poses", "mirrored"),
    "transposed poses": (changed(camera_to_world=lambda c: c.mT), "poses", "the last row .* may be transposed"),
    "no instance": (changed(instances=torch.zeros_like), "masks", "100% of the moving pixels belong to instance 0"),
}


def named(clip: Clip) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_clip(clip).findings}


@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize("with_flow", [True, False])
def test_good_samples_pass(index: int, with_flow: bool) -> None:
    clip = sample(index)
    if not with_flow:
        clip = with_estimated_flow(replace(clip, flow=None), DenseInverseSearch(finest_scale=0))
    findings = named(clip)
    assert overall(findings.values()) == Verdict.PASS, findings
    assert findings["cameras"].values["error_px"] < (0.01 if with_flow else 1.0)
    assert findings["depth seen again"].values["agreeing_share"] > 0.99
    assert findings["depth"].values["positive_share"] == 1


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_named(slip: str) -> None:
    change, check, sentence = SLIPS[slip]
    finding = named(change(sample()))[check]
    assert finding.verdict == Verdict.FAIL
    assert re.search(sentence, finding.sentence), finding.sentence


@pytest.mark.parametrize(
    "slip", ["inverted poses", "OpenGL axes", "millimetres", "disparity", "intrinsics of other images"]
)
def test_an_estimate_is_enough_to_name_it(slip: str) -> None:
    change, check, sentence = SLIPS[slip]
    clip = with_estimated_flow(replace(change(sample()), flow=None), DenseInverseSearch(finest_scale=0))
    finding = named(clip)[check]
    assert finding.verdict == Verdict.FAIL
