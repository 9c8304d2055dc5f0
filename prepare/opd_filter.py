"""Which annotations of OPD become annotations_bwdf: those whose motion's origin is seen away from the border."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from motion4d.layouts.opd_annotations import image_of

MARGIN = 0.05  # of each side of the image


def seen_well(content: Mapping[str, Any]) -> dict[str, Any]:
    """A MotionNet annotation file without the others, and without images that have none left.

    A KeyError if an entry is missing, a ValueError if an annotation is of an image that is not listed.
    """
    images = {entry["id"]: image_of(entry) for entry in content["images"]}
    kept = []
    for entry in content["annotations"]:
        if entry["image_id"] not in images:
            raise ValueError(f"annotation {entry['id']} is of the image {entry['image_id']}, which is not listed")
        image, motion = images[entry["image_id"]], entry["motion"]
        origin = motion["current_origin" if "current_origin" in motion else "origin"]
        x, y, z = image.intrinsics @ np.asarray(origin, np.float64)
        height, width = image.size
        if z != 0 and _inside(x / z, width) and _inside(y / z, height):
            kept.append(entry)
    used = {entry["image_id"] for entry in kept}
    listed = [entry for entry in content["images"] if entry["id"] in used]
    return {**content, "images": listed, "annotations": kept}


def _inside(position: float, side: int) -> bool:
    return MARGIN * side <= position < (1 - MARGIN) * side
