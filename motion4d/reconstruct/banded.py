"""Sparse symmetric systems of equations: sorted to a narrow band (Cuthill and McKee 1969), then factorised.

A sliding graph of frames gives a band whose width does not grow with the clip, so time grows with its length only.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.sparse.csgraph import reverse_cuthill_mckee


class NormalSystem:
    """(sum of blocks) x = -(sum of gradients) for the unknowns that `numbers` names.

    numbers [M]: which unknown each of M columns stands for, -1 for one that is held; columns may share an unknown.
    """

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers
        self.size = int(numbers.max(initial=-1)) + 1
        self.gradient = np.zeros(self.size)
        self._blocks: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._sum: scipy.sparse.csr_matrix | None = None

    def add(self, columns: np.ndarray, matrix: np.ndarray, gradient: np.ndarray) -> None:
        """A block [U, U] and a gradient [U] over `columns` [U]."""
        numbers = self.numbers[columns]
        free = numbers >= 0
        numbers = numbers[free]
        np.add.at(self.gradient, numbers, gradient[free])
        rows, others = np.meshgrid(numbers, numbers, indexing="ij")
        self._blocks.append((matrix[np.ix_(free, free)].ravel(), rows.ravel(), others.ravel()))

    def solve(self, damping: float) -> np.ndarray:
        """[M]: the step per column, 0 where held; the diagonal grows by the share `damping` (Marquardt 1963).

        Raises numpy.linalg.LinAlgError if the damped matrix is not positive definite.
        """
        matrix = self._summed()
        diagonal = matrix.diagonal()
        matrix = matrix + scipy.sparse.diags(damping * diagonal + 1e-12 * diagonal.max(initial=1e-300))
        order = reverse_cuthill_mckee(matrix, symmetric_mode=True)
        place = np.empty(self.size, int)
        place[order] = np.arange(self.size)
        entries = matrix.tocoo()
        rows, columns = place[entries.row], place[entries.col]
        below = rows >= columns
        distance = (rows - columns)[below]
        band = np.zeros((int(distance.max(initial=0)) + 1, self.size))
        band[distance, columns[below]] = entries.data[below]
        step = np.empty(self.size)
        step[order] = scipy.linalg.solveh_banded(band, -self.gradient[order], lower=True)
        return np.where(self.numbers >= 0, step[self.numbers], 0.0)

    def _summed(self) -> scipy.sparse.csr_matrix:
        if self._sum is None:
            data, rows, columns = (np.concatenate(part) for part in zip(*self._blocks, strict=True))
            self._sum = scipy.sparse.coo_matrix((data, (rows, columns)), shape=(self.size, self.size)).tocsr()
        return self._sum
