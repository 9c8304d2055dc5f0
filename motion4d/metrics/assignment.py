"""Which proposal is which object: the one-to-one assignment of DAVIS 2017 "unsupervised" (Caelles et al., 2019)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment


def assign(j: np.ndarray, f: np.ndarray) -> np.ndarray:
    """The proposal of each object [G], so that the mean of J and F over frames and objects is largest.

    j, f: [N, G, T] of every proposal with every object, N >= G (fill up with empty proposals).
    """
    rows, objects = linear_sum_assignment(-(j.mean(axis=2) + f.mean(axis=2)) / 2)
    return rows[np.argsort(objects)]
