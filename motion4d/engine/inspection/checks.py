"""All checks that a sample allows: what it lacks is not checked, and is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from motion4d.clip import Clip, Flow
from motion4d.engine.inspection.agreement import check_cameras, check_depth_again, check_flow, has_cameras
from motion4d.engine.inspection.fields import (
    check_depth,
    check_images,
    check_intrinsics,
    check_masks,
    check_poses,
    usable_depth,
)
from motion4d.engine.inspection.findings import Finding, Verdict

_FIELDS = {
    "depth": "depth",
    "camera_to_world": "poses",
    "intrinsics": "intrinsics",
    "flow": "flow",
    "motion": "motion masks",
    "instances": "instances",
}


@dataclass(frozen=True)
class Checked:
    """findings: in the order of the checks; missing: names of what the sample does not have."""

    findings: list[Finding]
    missing: list[str]


def check_clip(clip: Clip) -> Checked:
    """Check a clip of one video (B = 1). Without true flow, the clip's estimated flow is what cameras are tested by."""
    if len(clip.images) != 1:
        raise ValueError(f"one sample is checked at a time, but these clips are {len(clip.images)}")
    findings = [check_images(clip)]
    single: tuple[tuple[str, Callable[[Clip], Finding]], ...] = (
        ("depth", check_depth),
        ("camera_to_world", check_poses),
        ("intrinsics", check_intrinsics),
    )
    findings += [check(clip) for name, check in single if getattr(clip, name) is not None]
    if clip.motion is not None or clip.instances is not None:
        findings.append(check_masks(clip))
    if clip.num_frames > 1:
        findings += _agreement(clip, findings)
    return Checked(findings, [name for field, name in _FIELDS.items() if getattr(clip, field) is None])


def _agreement(clip: Clip, before: list[Finding]) -> list[Finding]:
    findings = []
    flow: Flow | None = clip.flow or clip.estimated_flow
    is_exact = clip.flow is not None
    if clip.flow is not None:
        finding, flow = check_flow(clip, clip.flow)
        findings.append(finding)
        is_exact = finding.verdict != Verdict.FAIL  # what is left of it is near the truth
    broken = {finding.check for finding in before if finding.verdict == Verdict.FAIL}
    # cameras that are no cameras cannot carry a point; a sample that is wrong in one field is said to be so already
    if not has_cameras(clip) or "poses" in broken or not usable_depth(clip).any():
        return findings
    explained = False
    if flow is not None:
        findings.append(check_cameras(clip, flow, is_exact=is_exact))
        explained = findings[-1].verdict == Verdict.FAIL
    findings.append(check_depth_again(clip, explain=not explained))
    return findings


def with_estimated_flow(clip: Clip, estimator: Callable[[Clip], Flow]) -> Clip:
    """The clip with an estimate where it has no true flow."""
    if clip.flow is not None or clip.num_frames < 2:
        return clip
    return replace(clip, estimated_flow=estimator(clip))
