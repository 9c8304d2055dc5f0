"""Dense inverse search: classical optical flow that needs no weights; the default of a fresh install.

Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016, in OpenCV's implementation; no other file
imports OpenCV. Flow convention: see motion4d.clip. Each pair runs on one OpenCV thread, and pairs run side by side on
torch's number of threads, which is one inside a data worker.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion4d.clip import Clip, Flow

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma


class DenseInverseSearch:
    """Flow of a clip by OpenCV's dense inverse search, both directions; the defaults are its "medium" setting.

    finest_scale: pyramid level where the search ends (0 = full resolution, 4x slower and about 10x more exact on
    small motion; 2 = 4x faster, coarse); frames too small for that level end at the coarsest that they have.
    patch_size and patch_stride: pixels of a level, a smaller stride is denser.
    gradient_descent_iterations: steps per patch. variational_iterations: smoothing steps per level, 0 = none.
    One pair and direction on one core: 1.7 ms at 128x192, 7.5 ms at 240x432. A ValueError for settings out of range.
    """

    in_workers = True

    def __init__(
        self,
        *,
        finest_scale: int = 1,
        patch_size: int = 8,
        patch_stride: int = 3,
        gradient_descent_iterations: int = 25,
        variational_iterations: int = 5,
    ) -> None:
        sizes = {"patch_size": patch_size, "patch_stride": patch_stride}
        counts = {
            "finest_scale": finest_scale,
            "gradient_descent_iterations": gradient_descent_iterations,
            "variational_iterations": variational_iterations,
        }
        for settings, least in ((sizes, 1), (counts, 0)):
            for name, value in settings.items():
                if not isinstance(value, int) or value < least:  # OpenCV would search without end, or crash
                    raise ValueError(f"{name} must be a whole number of at least {least}, not {value}")
        self.finest_scale = finest_scale
        self.patch_size = patch_size
        self.patch_stride = patch_stride
        self.gradient_descent_iterations = gradient_descent_iterations
        self.variational_iterations = variational_iterations

    def __call__(self, clip: Clip) -> Flow:
        """Forward and backward flow [B, N-1, 2, H, W] of the clip, on the device of its images."""
        self._check_size(*clip.size)
        grey = grey_bytes(clip.images)
        batch, frames = grey.shape[:2]
        pairs = [(grey[b, t], grey[b, t + 1]) for b in range(batch) for t in range(frames - 1)]
        fields = self._search([*pairs, *((second, first) for first, second in pairs)])
        both = torch.from_numpy(fields).to(clip.images.device).view(2, batch, frames - 1, 2, *clip.size)
        return Flow(forward=both[0], backward=both[1])

    def _check_size(self, height: int, width: int) -> None:
        least = 2 * self.patch_size
        if min(height, width) < least:
            raise ValueError(
                f"dense inverse search with patches of {self.patch_size} pixels needs frames of at least "
                f"{least}x{least}, but these are {height}x{width}; enlarge them or use a smaller patch_size"
            )

    def _coarsest_scale(self, height: int, width: int) -> int:
        """The level where OpenCV begins; asked to end above it, OpenCV invents other settings and may crash."""
        reach = math.log2(max(height, width) / (4 * self.patch_size)) + 0.5
        room = math.log2(min(height, width) // self.patch_size)
        return max(0, min(int(reach), int(room)))

    def _search(self, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Grey uint8 pairs [H, W] -> [len(pairs), 2, H, W] float32."""
        import cv2

        cv2.setNumThreads(1)  # the pairs are what runs in parallel
        threads = min(torch.get_num_threads(), len(pairs))
        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                fields = list(pool.map(self._search_pair, pairs))
        else:
            fields = [self._search_pair(pair) for pair in pairs]
        stacked = np.stack(fields) if fields else np.zeros((0, 1, 1, 2), np.float32)
        return np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))

    def _search_pair(self, pair: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Two grey uint8 frames [H, W] -> flow [H, W, 2] float32."""
        return self._estimator(*pair[0].shape).calc(*pair, None)

    def _estimator(self, height: int, width: int) -> Any:
        """A new one for every pair: OpenCV's is not safe to share between threads."""
        import cv2

        estimator: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        estimator.setFinestScale(min(self.finest_scale, self._coarsest_scale(height, width)))
        estimator.setPatchSize(self.patch_size)
        estimator.setPatchStride(self.patch_stride)
        estimator.setGradientDescentIterations(self.gradient_descent_iterations)
        estimator.setVariationalRefinementIterations(self.variational_iterations)
        return estimator


def grey_bytes(images: Tensor) -> np.ndarray:
    """[B, N, 3, H, W] in [0, 1] -> grey uint8 [B, N, H, W], each frame once."""
    weights = images.new_tensor(_GREY).view(3, 1, 1)
    grey = (images * weights).sum(-3).clamp(0, 1)
    return (grey * 255).round().to(torch.uint8).cpu().numpy()
