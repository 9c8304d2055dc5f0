"""Files of instance masks: what is damaged or does not fit together is one sentence that names the file."""

from __future__ import annotations

import numpy as np
import pytest

from motion4d.io.labels import read_labels


def test_later_instances_lie_on_top(tmp_path):
    first, second = np.zeros((2, 1, 4, 6), bool)
    first[0, :2], second[0, 1:3] = True, True
    np.savez_compressed(tmp_path / "a.npz", **{"0": first, "1": second[0], "note": np.zeros(3)})
    assert read_labels(tmp_path / "a.npz")[:, 0].tolist() == [1, 2, 2, 0]


def test_a_damaged_file_is_one_sentence(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **{"0": np.random.default_rng(0).random((64, 64)) > 0.5})
    content = bytearray(path.read_bytes())
    for damaged in (content[:100], content[:60] + b"\xff" * 20 + content[80:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"cannot decode the masks .*a\.npz"):
            read_labels(path)


@pytest.mark.parametrize("shapes", [[(4, 6), (4, 7)], [(6,)], [(2, 4, 6)]])
def test_masks_of_other_shapes_are_one_sentence(tmp_path, shapes):
    np.savez(tmp_path / "a.npz", **{str(k): np.ones(shape) for k, shape in enumerate(shapes)})
    with pytest.raises(ValueError, match=r"a\.npz holds masks of the shapes"):
        read_labels(tmp_path / "a.npz")
