"""Masks are 0/255 PNGs; probabilities grow frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from motion4d.io.masks import mask_name, read_mask, read_probabilities, write_mask, write_probabilities


def test_masks_are_black_and_white_and_come_back(tmp_path):
    mask = np.random.default_rng(0).random((33, 21)) > 0.5
    write_mask(tmp_path / "m.png", mask)
    with Image.open(tmp_path / "m.png") as image:
        assert image.mode == "L"
        assert set(np.unique(np.asarray(image))) == {0, 255}
    assert (read_mask(tmp_path / "m.png") == mask).all()


def test_probabilities_by_frame(tmp_path):
    maps = np.random.default_rng(0).random((3, 5, 7)).astype(np.float32)
    with write_probabilities(tmp_path / "p.npz") as file:
        for k, values in enumerate(maps):
            file.add(mask_name(k), values)
        assert not (tmp_path / "p.npz").exists()
    names, arrays = zip(*read_probabilities(tmp_path / "p.npz"), strict=True)
    assert names == ("00000", "00001", "00002")
    np.testing.assert_allclose(np.stack(arrays), maps, atol=1e-3)
    assert np.load(tmp_path / "p.npz")["00002"].dtype == np.float16


def test_an_error_leaves_no_probability_file(tmp_path):
    def write_half():
        with write_probabilities(tmp_path / "p.npz") as file:
            file.add("00000", np.zeros((2, 2)))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list(tmp_path.iterdir()) == []
