"""MotionNet annotations of OPDReal, OPDMulti and OPDSynth: openable parts of images and how they move. No torch.

Axis and origin are in the camera's frame, metres. Matrices stand column after column in the files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion4d.io.coco_masks import decode_segmentation, is_polygon
from motion4d.io.files import read_json

KINDS = {"translation": 0, "rotation": 1}


@dataclass(frozen=True)
class OpdImage:
    """file_name, depth_name: of its rows in the HDF5 files; size (H, W); intrinsics [3, 3] in pixels of that size."""

    number: int
    file_name: str
    depth_name: str
    size: tuple[int, int]
    intrinsics: NDArray[np.float64]

    @property
    def model(self) -> str:
        """The scanned object: what its file's name begins with."""
        return self.file_name.partition("-")[0]


@dataclass(frozen=True)
class OpdPart:
    """One annotation. category: index of its class among those of the file; bbox: x, y, width, height in pixels;
    object_key: of OPDMulti, else ""; kind: 0 translation, 1 rotation; axis and origin [3] as stored.
    """

    number: int
    image: OpdImage
    category: int
    bbox: tuple[float, ...]
    segmentation: Any
    description: str
    object_key: str
    kind: int
    axis: NDArray[np.float64]
    origin: NDArray[np.float64]

    def mask(self) -> NDArray[np.bool_]:
        """[H, W] of the image; empty if nothing was annotated. A ValueError that names the annotation."""
        try:
            return decode_segmentation(self.segmentation, self.image.size)
        except ValueError as error:
            raise ValueError(f"annotation {self.number}: {error}") from error

    def point(self) -> NDArray[np.float64]:
        """(x / W, y / H) of the origin in the image, not clamped; not finite where it is beside the camera."""
        height, width = self.image.size
        x, y, z = self.image.intrinsics @ self.origin
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.array([x, y]) / z / [width, height]


def read_annotations(path: str | Path) -> list[OpdPart]:
    """The parts by number of their image, then as they stand in the file.

    An annotation none of whose polygons has three vertices is left out. A ValueError names what is missing or wrong.
    """
    content = read_json(path)
    try:
        categories = {entry["id"]: i for i, entry in enumerate(sorted(content["categories"], key=lambda c: c["id"]))}
        images = {entry["id"]: image_of(entry) for entry in content["images"]}
        annotations = list(content["annotations"])
        parts = [_part(entry, images, categories) for entry in annotations if has_outline(entry.get("segmentation"))]
    except KeyError as error:
        raise ValueError(f"{path} lacks the entry {error}; it is not a MotionNet annotation file") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from error
    return sorted(parts, key=lambda part: part.image.number)


def has_outline(segmentation: Any) -> bool:
    """Whether an annotation is used: not if it has polygons but no valid one. Without any it is an empty mask."""
    if isinstance(segmentation, Mapping) or not segmentation:
        return True
    return any(is_polygon(polygon) for polygon in segmentation)


def image_of(entry: Mapping[str, Any]) -> OpdImage:
    """One of `images`. A KeyError or ValueError if it is not complete."""
    size = int(entry["height"]), int(entry["width"])
    intrinsics = intrinsics_of(entry["camera"]["intrinsic"], size)
    return OpdImage(entry["id"], entry["file_name"], entry["depth_file_name"], size, intrinsics)


def intrinsics_of(camera: Any, size: tuple[int, int]) -> NDArray[np.float64]:
    """[3, 3] from nine numbers column by column (OPDMulti), those under "matrix" (OPDReal), or an angle (OPDSynth).

    OPDSynth's `fov` is that of the height, in degrees; the camera looks at the middle of the image.
    """
    if isinstance(camera, Mapping) and "fov" in camera:
        height, width = size
        focal = height / 2 / math.tan(math.radians(camera["fov"]) / 2)
        across = focal * width / height / camera.get("aspect", width / height)
        return np.array([[across, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    values = np.asarray(camera["matrix"] if isinstance(camera, Mapping) else camera, np.float64)
    if values.shape != (9,) or not np.isfinite(values).all():
        raise ValueError(f"intrinsics must be nine numbers, but an image has {camera}")
    return values.reshape(3, 3).T.copy()


def _part(entry: Mapping[str, Any], images: Mapping[int, OpdImage], categories: Mapping[int, int]) -> OpdPart:
    number, motion = entry["id"], entry["motion"]
    if entry.get("ignore", 0) != 0:
        raise ValueError(f"annotation {number} is marked to be ignored, which no published one is; remove it")
    if entry["image_id"] not in images:
        raise ValueError(f"annotation {number} is of the image {entry['image_id']}, which is not listed; restore it")
    if entry["category_id"] not in categories:
        raise ValueError(f"annotation {number} has the category {entry['category_id']}, which is not listed")
    if motion["type"] not in KINDS:
        raise ValueError(f"annotation {number} has the motion {motion['type']!r}; known are {', '.join(KINDS)}")
    now = "current_" if "current_axis" in motion else ""
    return OpdPart(
        number,
        images[entry["image_id"]],
        categories[entry["category_id"]],
        tuple(float(side) for side in entry["bbox"]),
        entry.get("segmentation"),
        entry.get("description", ""),
        entry.get("object_key", motion.get("object_key", "")),
        KINDS[motion["type"]],
        _vector(motion[f"{now}axis"], f"axis of annotation {number}"),
        _vector(motion[f"{now}origin"], f"origin of annotation {number}"),
    )


def _vector(values: Sequence[float], what: str) -> NDArray[np.float64]:
    vector = np.asarray(values, np.float64)
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise ValueError(f"the {what} must be three numbers, but it is {values}")
    return vector
