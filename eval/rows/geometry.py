"""Rows of the geometry networks VGGT and PAGE-4D: everything they can say beside cameras alone."""

from __future__ import annotations

from functools import partial

from eval.rows.base import Row, Setting, Work, filled, random_clip

_ALL = ("points", "pose", "depth", "confidence")


def _vggt(setting: Setting, *, heads: tuple[str, ...]) -> Work:
    from motion4d.backbones.vggt import VGGT

    network, images = filled(VGGT), random_clip(setting).images
    return lambda: network(images, heads=heads)


def _page4d(setting: Setting, *, heads: tuple[str, ...]) -> Work:
    from motion4d.backbones.page4d import Page4D

    network, images = filled(lambda: Page4D(mask="on")), random_clip(setting).images
    return lambda: network(images, heads=heads)


ROWS = {
    "vggt": Row(
        {
            "all heads, float32": partial(_vggt, heads=_ALL),
            "camera head alone, float32": partial(_vggt, heads=("pose",)),
        },
        full_size=True,
    ),
    "page4d": Row(
        {
            "all heads, mask on, float32": partial(_page4d, heads=_ALL),
            "camera head alone, mask on, float32": partial(_page4d, heads=("pose",)),
        },
        full_size=True,
    ),
}
