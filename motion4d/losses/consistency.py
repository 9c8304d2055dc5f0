"""A term that asks motion to follow the apparent change of world points (an option of GeoMotion's released code, off
in every published run; Zhou et al. 2026).

Pixel by pixel, how far did the world point seen there move, compared with how far the camera moved:
m_t = clamp(|X_t - X_{t-1}| / (|c_t - c_{t-1}| + 1e-6), 0, 1) with X world points and c camera centres, m_0 = 0.
The same pixel of two frames is compared, not the same point: under a moving camera this is a rough guide. The released
code takes X and c from the backbone; the term takes the clip's true depth and cameras.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.clip import Clip, Motion
from motion4d.geometry.projection import transform_points, unproject


def consistency(prediction: Motion, clip: Clip) -> Tensor:
    """(p v - m v)^2 of every pixel [B, N, H, W]; v: depth is finite and positive there, and `clip.valid`."""
    missing = [name for name in ("depth", "intrinsics", "camera_to_world") if getattr(clip, name) is None]
    if clip.depth is None or clip.intrinsics is None or clip.camera_to_world is None:
        raise ValueError(f"the consistency loss needs the clip's true {', '.join(missing)}; choose data that have them")
    known = clip.depth.isfinite() & (clip.depth > 0)
    depth = torch.where(known, clip.depth, 1.0)
    points_world = transform_points(clip.camera_to_world, unproject(depth, clip.intrinsics))
    moved = apparent_motion(points_world, clip.camera_to_world)
    return inconsistency(prediction.probabilities, moved, known if clip.valid is None else known & clip.valid)


def inconsistency(probabilities: Tensor, moved: Tensor, known: Tensor) -> Tensor:
    """(p v - m v)^2 with m = `moved`, v = `known` (bool), all [B, N, H, W]."""
    return (probabilities - moved).square() * known


def apparent_motion(points_world: Tensor, camera_to_world: Tensor) -> Tensor:
    """m of the module's docstring, [B, N, H, W], from points [B, N, H, W, 3] and poses [B, N, 4, 4]."""
    centres = camera_to_world[..., :3, 3]
    camera_steps = (centres[:, 1:] - centres[:, :-1]).norm(dim=-1)[..., None, None]
    point_steps = (points_world[:, 1:] - points_world[:, :-1]).norm(dim=-1)
    moved = (point_steps / (camera_steps + 1e-6)).clamp(0, 1)
    return torch.cat((torch.zeros_like(points_world[:, :1, ..., 0]), moved), dim=1)
