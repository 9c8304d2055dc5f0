"""Optical flow as colours: the hue says where to, the saturation how far. Baker et al., "A Database and Evaluation
Methodology for Optical Flow", IJCV 2011 (the Middlebury wheel); to the right is red, down yellow, left cyan, up blue.

White is standing still, full colour is `max_radius` pixels, a quarter darker is beyond it, black is unknown. Computed
in float64, so that the fastest pixel itself never counts as beyond (published code darkens it by a rounding error).
With one `max_radius` for all frames, the frames of a video can be compared: `video_radius` chooses it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

UNKNOWN = 1e7  # pixels: a larger component means that the flow is unknown there
RAFT_EPSILON = 1e-5  # pixels that RAFT's normalisation adds to the radius; Middlebury's adds the float64 epsilon
_EPSILON = float(np.finfo(np.float64).eps)
_BEYOND = 0.75  # brightness of what is faster than max_radius

# from each corner colour to the next: how many steps, and in which channel the ramp rises or falls
_SEGMENTS = (
    (15, (255, 0, 0), 1, 1),  # red to yellow
    (6, (255, 255, 0), 0, -1),  # yellow to green
    (4, (0, 255, 0), 2, 1),  # green to cyan
    (11, (0, 255, 255), 1, -1),  # cyan to blue
    (13, (0, 0, 255), 0, 1),  # blue to magenta
    (6, (255, 0, 255), 2, -1),  # magenta to red
)


def colour_wheel() -> NDArray[np.float64]:
    """[55, 3] RGB in 0..255, once around the circle."""
    rows = []
    for count, start, channel, sign in _SEGMENTS:
        segment = np.tile(np.asarray(start, np.float64), (count, 1))
        segment[:, channel] += sign * np.floor(255 * np.arange(count) / count)
        rows.append(segment)
    return np.concatenate(rows)


def flow_to_rgb(
    flow: NDArray[np.floating], *, max_radius: float | None = None, epsilon: float = _EPSILON
) -> NDArray[np.uint8]:
    """Flow [H, W, 2] in pixels -> [H, W, 3] uint8. `flow` is left as it is; NaN and huge values become black.

    max_radius: pixels of full colour; None: the fastest pixel of this field. epsilon: added to it (see RAFT_EPSILON).
    """
    known = known_pixels(flow)
    field = np.where(known[..., None], flow, 0).astype(np.float64)
    radius = np.hypot(field[..., 0], field[..., 1])
    full = radius.max(initial=0.0) if max_radius is None else max_radius
    pictures = np.floor(255 * _mixed(field, radius / (full + epsilon)))
    return np.where(known[..., None], pictures, 0).astype(np.uint8)


def known_pixels(flow: NDArray[np.floating]) -> NDArray[np.bool_]:
    """[H, W]: where a flow [H, W, 2] says something."""
    return (np.abs(flow) <= UNKNOWN).all(-1)  # False for NaN


def frame_radius(flow: NDArray[np.floating]) -> float:
    """How fast the fast pixels of one field [H, W, 2] are: the 99th percentile of its known magnitudes, in pixels."""
    magnitudes = np.linalg.norm(flow[known_pixels(flow)], axis=-1)
    return float(np.percentile(magnitudes, 99)) if magnitudes.size else 0.0


def video_radius(frame_radii: Sequence[float]) -> float:
    """One `max_radius` for a video from the `frame_radius` of its frames, in pixels.

    Large enough for 95 % of the frames (the rest may be cuts, whose flow means nothing), and never below one pixel, so
    that noise does not glow.
    """
    return max(1.0, float(np.percentile(frame_radii, 95)) if len(frame_radii) else 0.0)


def _mixed(field: NDArray[np.float64], radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """[H, W, 3] in [0, 1] for the direction of `field` and the normalised `radius`."""
    wheel = colour_wheel() / 255
    around = (np.arctan2(-field[..., 1], -field[..., 0]) / np.pi + 1) / 2 * (len(wheel) - 1)
    first = np.floor(around).astype(int)
    share = (around - first)[..., None]
    colour = (1 - share) * wheel[first] + share * wheel[(first + 1) % len(wheel)]
    inside = 1 - radius[..., None] * (1 - colour)
    return np.where(radius[..., None] <= 1, inside, _BEYOND * colour)
