"""Random colours: together or apart, grey, none at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion4d.data.random_colours import RandomColours

FRAMES = [np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)] * 8


def different(colours: RandomColours, seed: int = 0) -> int:
    """How many frames of a clip, whose frames are alike, differ from its first one."""
    torch.manual_seed(seed)
    shown = colours(FRAMES)
    return sum(not np.array_equal(shown[0], frame) for frame in shown)


def test_frames_change_alike_or_each_for_itself() -> None:
    assert different(RandomColours(together=1)) == 0
    assert different(RandomColours(share=1, together=0)) == 7
    counts = [different(RandomColours(share=1, together=0.7), seed) for seed in range(200)]
    assert 0.6 < sum(count == 0 for count in counts) / 200 < 0.8


def test_shares_of_nothing_and_of_everything() -> None:
    assert all(np.array_equal(a, b) for a, b in zip(RandomColours(share=0, grey=0)(FRAMES), FRAMES, strict=True))
    grey = RandomColours(grey=1)(FRAMES)[0]
    assert np.array_equal(grey, np.repeat(grey[..., :1], 3, -1))
    assert grey.std() > 5


@pytest.mark.parametrize("wrong", [{"share": 1.1}, {"strength": -0.1}, {"hue": 0.6}])
def test_nonsense_is_one_sentence(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="within 0 to 1, and hue within 0 to 0.5"):
        RandomColours(**wrong)
