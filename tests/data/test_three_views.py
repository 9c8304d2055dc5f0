"""The three views of GeoMotion's training clips: exact given what is drawn, and drawn as published."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from motion4d.data.crops import CentreSquare, RandomSquare, SquareAroundMotion, WholeFrame
from motion4d.data.jitter import Jitter
from motion4d.data.pictures import Pictures
from motion4d.data.three_views import ThreeViews
from tests.data.moving_things import walking_thing
from tests.reference.pytest_cases import cases_of, check

KINDS = ["stop_trajectory", "triview", "triview_crop", "triview_edge_colour"]


@pytest.mark.parametrize("case", cases_of("geomotion", kinds=KINDS))
def test_reference(case) -> None:
    check(case)


def pictures() -> Pictures:
    """A thing that walks to the right, brighter than everything else; 48 x 32."""
    clip = walking_thing()
    assert clip.motion is not None
    frames = (clip.images[0].permute(0, 2, 3, 1) * 255).byte().numpy()
    masks = clip.motion[0].byte().numpy() * 255
    return Pictures([Image.fromarray(frame) for frame in frames], [Image.fromarray(mask) for mask in masks])


def seen(view: Pictures) -> tuple[np.ndarray, np.ndarray]:
    """Brightness and masks."""
    images, masks = view.tensors()
    return images[0].mean(1).numpy(), masks[0].numpy()


def test_views_are_drawn_in_the_published_shares() -> None:
    count = 300
    views = [seen(ThreeViews()(pictures(), CentreSquare())) for _ in range(count)]
    assert {images.shape for images, _ in views} == {(6, 32, 32)}
    stopped = sum(not masks.any() for _, masks in views)
    assert stopped / count == pytest.approx(0.15, abs=0.07)


def test_stop_view_moves_one_frame_and_labels_nothing() -> None:
    view = ThreeViews(semantic_share=0, stop_share=1)
    images, masks = seen(view(pictures(), WholeFrame()))
    assert not masks.any()
    size = [(frame > 0.6).sum() for frame in images]  # the thing is in all of them, a little larger or smaller
    assert min(size) > 0.7 * 64
    assert max(size) < 1.4 * 64
    assert not np.array_equal(images[0], images[-1])


@pytest.mark.parametrize("semantic_share", [0.0, 1.0])
def test_other_views_keep_image_and_mask_together(semantic_share: float) -> None:
    view = ThreeViews(semantic_share=semantic_share, stop_share=0)
    first_columns = set()
    for _ in range(30):
        images, masks = seen(view(pictures(), WholeFrame()))
        assert masks.sum() == 6 * 64
        first_columns.add(int(masks[0].any(0).argmax()))
        if not semantic_share:
            assert np.array_equal(images > 0.62, masks)
    assert first_columns == {4, 48 - 12}  # as it is, and mirrored


def test_the_generator_alone_decides() -> None:
    torch.manual_seed(5)
    first = seen(ThreeViews()(pictures(), RandomSquare()))
    torch.manual_seed(5)
    again = seen(ThreeViews()(pictures(), RandomSquare()))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))


def test_shares_above_one_are_refused() -> None:
    with pytest.raises(ValueError, match="together at most 1"):
        ThreeViews(semantic_share=0.8, stop_share=0.3)


@pytest.mark.parametrize("crop", [CentreSquare(), RandomSquare(), SquareAroundMotion()])
@pytest.mark.parametrize("size", [(48, 32), (32, 48)])
def test_crops_are_squares_inside_the_frame(crop, size: tuple[int, int]) -> None:
    for label in (0, 255) * 20:
        x, y, width, height = crop([Image.new("L", size, label)])
        assert width == height >= 0.8 * 32 - 1
        assert min(x, y) >= 0
        assert x + width <= size[0]
        assert y + height <= size[1]


def test_jitter_changes_a_share_of_the_clips_and_no_mask() -> None:
    original_images, original_masks = seen(pictures())
    changed = 0
    for _ in range(100):
        images, masks = seen(Jitter()(pictures(), WholeFrame()))
        assert np.array_equal(masks, original_masks)
        changed += not np.array_equal(images, original_images)
    assert 15 < changed < 45
