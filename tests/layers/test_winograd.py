"""Convolutions by minimal filtering: the numbers of the direct sum."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.layers.winograd import MinimalFilter, same_convolution


def channels_last(*shape: int) -> Tensor:
    """Random maps as the networks hold them."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kernel", [(3, 3), (1, 5), (5, 1), (1, 1)])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (6, 12), (30, 53)])
def test_it_is_the_direct_convolution(kernel: tuple[int, int], size: tuple[int, int]) -> None:
    """Whole tiles, parts of one, and many blocks of them; float64 says what is right."""
    maps, weight, bias = channels_last(2, 8, *size), channels_last(5, 8, *kernel), torch.arange(5.0)
    padding = (kernel[0] // 2, kernel[1] // 2)
    wanted = F.conv2d(maps.double(), weight.double(), bias.double(), padding=padding)
    found = MinimalFilter(weight, bias)(maps)
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=2e-4)
    assert found.is_contiguous(memory_format=torch.channels_last) or size == (1, 1)


def test_a_slice_of_channels_is_read_where_it_lies() -> None:
    """The recurrent units give parts of one buffer."""
    maps, weight = channels_last(1, 12, 9, 10), channels_last(4, 8, 3, 3)
    torch.testing.assert_close(
        MinimalFilter(weight)(maps[:, 4:]), F.conv2d(maps[:, 4:], weight, padding=1), rtol=0, atol=2e-4
    )


def test_only_wide_float32_filters_are_taken_apart() -> None:
    """Narrow ones, half precision and autocast keep torch's own convolution, which is faster there."""
    wide, narrow = channels_last(96, 128, 3, 3), channels_last(2, 128, 3, 3)
    assert isinstance(same_convolution(wide), MinimalFilter)
    assert not isinstance(same_convolution(narrow), MinimalFilter)
    assert not isinstance(same_convolution(wide.bfloat16()), MinimalFilter)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not isinstance(same_convolution(wide), MinimalFilter)
    maps = channels_last(1, 128, 6, 7)
    torch.testing.assert_close(same_convolution(narrow)(maps), F.conv2d(maps, narrow, padding=1))
