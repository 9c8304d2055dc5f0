"""Boundary accuracy F the plain way: dilate whole boundary maps with a disk. The packed form is measured by it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from motion4d.metrics.segmentation import BoundaryMatch, boundary_radius


def plain_match(truth: np.ndarray, prediction: np.ndarray) -> BoundaryMatch:
    """`match_boundaries` of masks [H, W] without void."""
    radius = boundary_radius(truth.shape)
    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    edges = plain_boundary(truth.astype(bool)), plain_boundary(prediction.astype(bool))
    near = [ndimage.binary_dilation(edge, x**2 + y**2 <= radius**2) for edge in edges]
    matched = edges[0] & near[1], edges[1] & near[0]
    return BoundaryMatch(radius, *(int(np.count_nonzero(pixels)) for pixels in (*edges, *matched)))


def plain_boundary(mask: np.ndarray) -> np.ndarray:
    """[H, W] bool: pixels that differ from their right, lower or lower right neighbour (one pixel wide)."""
    edge = np.zeros(mask.shape, dtype=bool)
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    edge[:-1] |= mask[:-1] != mask[1:]
    edge[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return edge
