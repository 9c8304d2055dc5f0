"""Several datasets as one, each with a declared number of clips per epoch, whatever its size (PAGE-4D's recipe)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from motion4d.clip import Clip
from motion4d.data.chance import uniform, whole
from motion4d.data.sampling import BatchShape, Clips, shaped_clip


class Weighted:
    """Every clip is a random one of a random dataset, which is drawn in proportion to its declared length.

    datasets, lengths: by the same names; 0 leaves a dataset out. The index only numbers the clips of an epoch, whose
    length is the sum of the declared ones.
    """

    def __init__(self, datasets: Mapping[str, Clips], lengths: Mapping[str, int]) -> None:
        if set(datasets) != set(lengths):
            raise ValueError(f"the mixture has the datasets {sorted(datasets)}, but lengths of {sorted(lengths)}")
        if min(lengths.values()) < 0 or not any(lengths.values()):
            raise ValueError(f"the lengths of a mixture are at least 0, and one is more, but these are {dict(lengths)}")
        self.datasets = {name: clips for name, clips in datasets.items() if lengths[name]}
        self.ends = list(accumulate(lengths[name] for name in self.datasets))

    def __len__(self) -> int:
        """The sum of the declared lengths; an error if a dataset is missing or empty, before a training begins."""
        empty = [name for name, clips in self.datasets.items() if len(clips) == 0]
        if empty:
            raise ValueError(f"the datasets {', '.join(empty)} of the mixture have no clips; give them the length 0")
        return self.ends[-1]

    def __getitem__(self, index: int) -> Clip:
        """One clip in its dataset's own shape."""
        clips, one = self._drawn()
        return clips[one]

    def shaped(self, index: int, shape: BatchShape) -> Clip:
        """One clip in the shape that a batch chooses."""
        clips, one = self._drawn()
        return shaped_clip(clips, one, shape)

    def _drawn(self) -> tuple[Clips, int]:
        place = uniform(0, self.ends[-1])
        last = self.ends[-1] - 1e-9  # rounding may give the upper end
        clips = next(c for c, end in zip(self.datasets.values(), self.ends, strict=True) if min(place, last) < end)
        return clips, whole(0, len(clips) - 1)
