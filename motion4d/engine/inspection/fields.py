"""Checks of one field of a clip at a time: images, depth, poses, intrinsics, masks. B = 1 throughout."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from motion4d.clip import Clip
from motion4d.engine.inspection.findings import Finding, Verdict, worst

Problems = list[tuple[Verdict, str]]

_ORTHONORMAL = 1e-3  # largest entry of |R'R - 1| of a rotation
_LEAST_DEPTH_SHARE = 0.01  # of pixels with depth; below it there is next to nothing to learn from (LiDAR has a few %)
_OTHER_SIZE = 0.15  # relative deviation of the principal point's place that speaks of images of another size


def usable_depth(clip: Clip) -> Tensor:
    """Bool [N, H, W]: depth that is truth: finite, positive, and not marked as invalid. The clip has depth."""
    assert clip.depth is not None
    depth = clip.depth[0]
    usable = torch.isfinite(depth) & (depth > 0)
    return usable if clip.valid is None else usable & clip.valid[0].bool()


def check_images(clip: Clip) -> Finding:
    """Finite, in [0, 1], not all of one colour."""
    images, problems = clip.images[0], Problems()
    low, high = float(images.min()), float(images.max())
    if not torch.isfinite(images).all():
        problems.append((Verdict.FAIL, "the images hold values that are not finite"))
    elif low < -1e-6 or high > 1 + 1e-6:
        reason = "they look normalised already" if low < 0 else "they look like 0 to 255"
        problems.append((Verdict.FAIL, f"the images range from {low:.3g} to {high:.3g} instead of 0 to 1: {reason}"))
    blank = [str(k) for k, image in enumerate(images) if image.max() == image.min()]
    if blank:
        problems.append((Verdict.WARN, f"frames of a single colour: {', '.join(blank)}"))
    height, width = clip.size
    return worst("images", problems, f"{clip.num_frames} frames of {height}x{width} (height x width)", {})


def check_depth(clip: Clip) -> Finding:
    """Positive where there is any, finite, not constant; the shares of pixels and the range go into the values."""
    assert clip.depth is not None
    depth, usable, problems = clip.depth[0], usable_depth(clip), Problems()
    finite = torch.isfinite(depth)
    stored = finite & (depth != 0) if clip.valid is None else finite & clip.valid[0].bool()
    positive = float((depth[stored] > 0).float().mean()) if stored.any() else 0.0
    shares = usable.flatten(1).float().mean(1)
    values = {"valid_share": float(shares.mean()), "positive_share": positive}
    if not finite.all():
        problems.append((Verdict.WARN, f"{float((~finite).float().mean()):.2%} of the depth is not finite"))
    if not usable.any():
        problems.append((Verdict.FAIL, "no pixel has a valid depth"))
        return worst("depth", problems, "", values)
    if positive < 0.999:
        problems.append((Verdict.FAIL, f"only {positive:.1%} of the valid depth is positive: z must point forward"))
    empty = [str(k) for k, share in enumerate(shares) if share < _LEAST_DEPTH_SHARE]
    if empty:
        problems.append((Verdict.WARN, f"next to no depth in frames {', '.join(empty)}"))
    low, middle, high = np.quantile(depth[usable].double().numpy(), [0.01, 0.5, 0.99]).tolist()
    if high - low <= 1e-6 * middle:
        problems.append((Verdict.WARN, f"the depth is {middle:.4g} everywhere"))
    values |= {"depth_1_percent": low, "depth_median": middle, "depth_99_percent": high}
    good = f"{values['valid_share']:.1%} of the pixels, {low:.3g} to {high:.3g} (1 % to 99 %), median {middle:.3g}"
    return worst("depth", problems, good, values)


def check_poses(clip: Clip) -> Finding:
    """Finite, a rotation, the last row 0 0 0 1."""
    assert clip.camera_to_world is not None
    poses, problems = clip.camera_to_world[0].double(), Problems()
    if not torch.isfinite(poses).all():
        return Finding("poses", Verdict.FAIL, "the poses hold values that are not finite", {})
    rotation = poses[:, :3, :3]
    deviation = (rotation.mT @ rotation - torch.eye(3, dtype=poses.dtype)).abs().amax((1, 2))
    values = {"rotation_error": float(deviation.max())}
    scale = rotation.norm(dim=(1, 2)) / math.sqrt(3)
    straight = rotation / scale[:, None, None]
    is_scaled = bool(((straight.mT @ straight - torch.eye(3).to(poses)).abs().amax((1, 2)) <= _ORTHONORMAL).all())
    if deviation.max() > _ORTHONORMAL:
        worse = int(deviation.argmax())
        reason = f", they are rotations times {float(scale[worse]):.3g}" if is_scaled else ""
        problems.append(
            (Verdict.FAIL, f"the rotations are not orthonormal (frame {worse}: off by {deviation.max():.2g}{reason})")
        )
    elif (torch.linalg.det(rotation) < 0).any():
        problems.append((Verdict.FAIL, "the rotations are mirrored (determinant -1): an axis has the wrong sign"))
    if (poses[:, 3] - poses.new_tensor([0.0, 0, 0, 1])).abs().max() > 1e-6:
        problems.append((Verdict.FAIL, "the last row of the poses is not 0 0 0 1: they may be transposed"))
    travelled = float(poses[1:, :3, 3].sub(poses[:-1, :3, 3]).norm(dim=1).sum())
    values["path_length"] = travelled
    return worst("poses", problems, f"orthonormal to {deviation.max():.1g}, the path is {travelled:.3g} long", values)


def check_intrinsics(clip: Clip) -> Finding:
    """A pinhole camera of these images: focal lengths, a field of view, the principal point near the centre."""
    assert clip.intrinsics is not None
    matrices, problems = clip.intrinsics[0].double(), Problems()
    height, width = clip.size
    focal_x, focal_y, x, y = matrices[:, 0, 0], matrices[:, 1, 1], matrices[:, 0, 2], matrices[:, 1, 2]
    values = {"focal_x": float(focal_x.median()), "focal_y": float(focal_y.median())}
    if not torch.isfinite(matrices).all() or focal_x.min() <= 0 or focal_y.min() <= 0:
        return Finding("intrinsics", Verdict.FAIL, "the intrinsics are not finite with positive focal lengths", values)
    across = math.degrees(2 * math.atan(width / 2 / values["focal_x"]))
    values["field_of_view"] = across
    wide, tall = float((2 * x + 1).median()), float((2 * y + 1).median())  # of images that would have this centre
    factors = wide / width, tall / height
    if min(abs(factor - 1) for factor in factors) > _OTHER_SIZE and math.isclose(*factors, rel_tol=_OTHER_SIZE):
        problems.append(
            (
                Verdict.FAIL,
                f"the intrinsics belong to images of another size: their centre is that of {tall:.0f}x{wide:.0f}, but "
                f"the images are {height}x{width} (height x width)",
            )
        )
    elif not (0 <= float(x.median()) < width and 0 <= float(y.median()) < height):
        problems.append((Verdict.FAIL, "the principal point lies outside the images"))
    elif max(abs(factor - 1) for factor in factors) > 2 * _OTHER_SIZE:
        problems.append((Verdict.WARN, "the principal point is far from the centre: right only for cut images"))
    if not 5 < across < 150:
        problems.append((Verdict.WARN, f"the field of view of {across:.0f} degrees is unusual"))
    if not 0.5 < values["focal_x"] / values["focal_y"] < 2:
        problems.append((Verdict.WARN, "the focal lengths of rows and columns differ by more than a factor of two"))
    return worst("intrinsics", problems, f"field of view {across:.0f} degrees", values)


def check_masks(clip: Clip) -> Finding:
    """Masks that mark something, but not everything; what moves belongs to an instance."""
    motion, instances, problems = clip.motion, clip.instances, Problems()
    values = {}
    sentences = []
    if motion is not None:
        share = _share(motion[0].bool(), clip)
        values["moving_share"] = share
        sentences.append(f"{share:.1%} of the pixels move")
        if share > 0.8:
            problems.append((Verdict.WARN, f"{share:.0%} of the pixels count as moving: is the mask inverted?"))
    if instances is not None:
        values["instances"] = float(len(instances[0][instances[0] > 0].unique()))
        sentences.append(f"{values['instances']:.0f} instances")
        if instances.min() < 0:
            problems.append((Verdict.FAIL, "instance ids are negative"))
    if motion is not None and instances is not None:
        stray = float((motion[0].bool() & (instances[0] == 0)).float().sum() / motion[0].float().sum().clamp(min=1))
        if stray > 0.01:
            problems.append((Verdict.FAIL, f"{stray:.0%} of the moving pixels belong to instance 0, the static world"))
    return worst("masks", problems, ", ".join(sentences), values)


def _share(mask: Tensor, clip: Clip) -> float:
    known = torch.ones_like(mask) if clip.valid is None else clip.valid[0].bool()
    return float(mask[known].float().mean()) if known.any() else 0.0
