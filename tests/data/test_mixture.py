"""A mixture sees each dataset in its share, whatever the lengths."""

from __future__ import annotations

import pytest
import torch

from motion4d.clip import Clip, Source
from motion4d.data.mixture import Mixture


class Named:
    def __init__(self, name: str, length: int) -> None:
        self.name = name
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Clip:
        assert index < self.length
        return Clip(torch.zeros(1, 1, 3, 2, 2), sources=(Source(self.name, str(index)),))


def test_shares_and_length() -> None:
    mixture = Mixture({"long": Named("long", 40), "short": Named("short", 3)}, {"long": 0.25, "short": 0.75})
    assert len(mixture) == 40
    sources = [mixture[index % 40].sources[0] for index in range(800)]
    assert sum(source.dataset == "long" for source in sources) / 800 == pytest.approx(0.25, abs=0.06)
    assert {source.sequence for source in sources if source.dataset == "short"} == {"0", "1", "2"}


def test_a_dataset_without_a_share_is_not_touched() -> None:
    mixture = Mixture({"one": Named("one", 2), "none": Named("none", 99)}, {"one": 1.0, "none": 0.0})
    assert len(mixture) == 2
    assert {mixture[0].sources[0].dataset for _ in range(20)} == {"one"}


@pytest.mark.parametrize("shares", [{"a": 0.5}, {"a": 0.5, "b": 0.4}, {"a": 1.5, "b": -0.5}])
def test_shares_that_do_not_add_up_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        Mixture({"a": Named("a", 1), "b": Named("b", 1)}, shares)
