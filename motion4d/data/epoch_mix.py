"""Several datasets as one, each with so many clips per epoch, and other ones in every epoch (DUSt3R, MonST3R).

motion4d.data.weighted has epochs of such lengths too, but draws every clip by itself; here no clip comes a second time
before all clips of its dataset were seen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate

import numpy as np

from motion4d.clip import Clip
from motion4d.data.sampling import BatchShape, Clips, shaped_clip

_SEED = 777  # published; the epoch is added


class EpochMix:
    """An epoch has `samples` clips of each dataset, by name: the first of a permutation, again and again if it ends.

    `at_epoch` gives the clips of one epoch; the mix itself shows those of epoch 0.
    """

    def __init__(self, datasets: Mapping[str, Clips], samples: Mapping[str, int], *, epoch: int = 0) -> None:
        if set(datasets) != set(samples):
            raise ValueError(f"the mixture has the datasets {sorted(datasets)}, but samples of {sorted(samples)}")
        if min(samples.values()) < 0 or not any(samples.values()):
            raise ValueError(f"the samples of a mixture are at least 0, and one is more, but these are {dict(samples)}")
        self.datasets = datasets
        self.samples = samples
        self.epoch = epoch
        self._used = [name for name in datasets if samples[name]]
        self._ends = list(accumulate(samples[name] for name in self._used))
        self._orders: dict[str, list[int]] = {}

    def at_epoch(self, epoch: int) -> EpochMix:
        """The clips of this epoch."""
        return self if epoch == self.epoch else EpochMix(self.datasets, self.samples, epoch=epoch)

    def __len__(self) -> int:
        """The sum of all samples; a ValueError for a dataset without clips, before a training begins."""
        empty = [name for name in self._used if len(self.datasets[name]) == 0]
        if empty:
            raise ValueError(f"the datasets {', '.join(empty)} of the mixture have no clips; give them 0 samples")
        return self._ends[-1]

    def __getitem__(self, index: int) -> Clip:
        """One clip in its dataset's own shape."""
        name, one = self.place(index)
        return self.datasets[name][one]

    def shaped(self, index: int, shape: BatchShape) -> Clip:
        """One clip in the shape that a batch chooses."""
        name, one = self.place(index)
        return shaped_clip(self.datasets[name], one, shape)

    def place(self, index: int) -> tuple[str, int]:
        """The dataset that clip `index` of the epoch comes from, and its number there."""
        if not 0 <= index < self._ends[-1]:
            raise IndexError(f"clip {index} of {self._ends[-1]}")
        which = bisect_right(self._ends, index)
        name = self._used[which]
        if name not in self._orders:
            generator = np.random.default_rng(self.epoch + _SEED)
            self._orders[name] = generator.permutation(len(self.datasets[name])).tolist()
        order = self._orders[name]
        return name, order[(index - (self._ends[which - 1] if which else 0)) % len(order)]
