"""Which proposal is which object: the one-to-one assignment of DAVIS 2017 "unsupervised" (Caelles et al., 2019).

Results are listed by ground-truth object (the published tool lists them by matched proposal; means are the same).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from motion4d.metrics.segmentation import frame_f, frame_j


@dataclass(frozen=True)
class Assignment:
    """For each true object: its proposal's index [G], and their J and F per frame [G, T]."""

    proposal: np.ndarray
    j: np.ndarray
    f: np.ndarray


def assign_objects(truth: np.ndarray, proposals: np.ndarray, void: np.ndarray | None = None) -> Assignment:
    """Match objects [G, T, H, W] with proposals [N, T, H, W] so that the mean of J and F is largest.

    void: [T, H, W]. Fewer proposals than objects are padded with empty ones, whose indices are N and above.
    """
    missing = len(truth) - len(proposals)
    if missing > 0:
        proposals = np.concatenate([proposals, np.zeros((missing, *truth.shape[1:]), dtype=proposals.dtype)])
    j, f = _pairwise(truth, proposals, void)
    rows, objects = linear_sum_assignment(-(j.mean(axis=2) + f.mean(axis=2)) / 2)
    order = np.argsort(objects)
    proposal = rows[order]
    every = np.arange(len(truth))
    return Assignment(proposal=proposal, j=j[proposal, every], f=f[proposal, every])


def _pairwise(truth: np.ndarray, proposals: np.ndarray, void: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """J and F of every pair: [N, G, T] each."""
    scores = np.zeros((2, len(proposals), len(truth), truth.shape[1]))
    for n, proposal in enumerate(proposals):
        for g, target in enumerate(truth):
            for t in range(truth.shape[1]):
                frame_void = None if void is None else void[t]
                scores[0, n, g, t] = frame_j(target[t], proposal[t], frame_void)
                scores[1, n, g, t] = frame_f(target[t], proposal[t], frame_void)
    return scores[0], scores[1]
