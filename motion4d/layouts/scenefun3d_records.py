"""Records of SceneFun3D as SegAffordance publishes them: one annotated element in one frame. No torch.

A record is a pickled dictionary, as published, or JSON with its mask as run lengths, as `prepare.scenefun3d` packs it
(smaller, quicker, and it cannot hold code). Points are in the camera's frame, metres; pixels are those of the frame.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion4d.io import safe_pickle
from motion4d.io.coco_masks import decode_rle, encode_rle

METADATA = "__metadata__"  # the one key that is no record
KINDS = {"trans": 0, "translation": 0, "rot": 1, "rotation": 1}  # whatever else there is counts as a translation
COORDINATES, PACKED = "mask_coordinates_yx", "mask_rle"
MIN_DEPTH = 0.05  # metres: what is nearer than this cannot be projected


@dataclass(frozen=True)
class Record:
    """image, depth: names of files; size (H, W); mask [H, W]; intrinsics [3, 3]; trajectory [T, 3]; track [T, 2] with
    track_valid [T], or None; origin_2d (x, y); origin and direction [3]; kind: 0 translation, 1 rotation; occluded:
    the part of its points that the depth sensor does not see, None if that was not looked at.
    """

    key: str
    image: str
    depth: str
    size: tuple[int, int]
    mask: NDArray[np.bool_]
    mask_pixels: int
    description: str
    intrinsics: NDArray[np.float64]
    trajectory: NDArray[np.float64]
    track: NDArray[np.float64] | None
    track_valid: NDArray[np.bool_] | None
    kind: int
    origin_2d: NDArray[np.float64]
    origin: NDArray[np.float64]
    direction: NDArray[np.float64]
    occluded: float | None

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        """x, y and extent of the mask, pixels (0 where it is empty)."""
        rows, columns = np.nonzero(self.mask)
        if not len(rows):
            return 0, 0, 0, 0
        x, y = int(columns.min()), int(rows.min())
        return x, y, int(columns.max()) - x, int(rows.max()) - y


def unpacked(key: str, data: bytes) -> dict[str, Any]:
    """What a record holds, under the published names. A ValueError that names the key if it cannot be read."""
    try:
        content = json.loads(data) if data[:1] == b"{" else safe_pickle.loads(data)
    except ValueError as error:
        raise ValueError(f"the record {key} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"the record {key} cannot be read: it is no dictionary")
    return content


def record_of(key: str, data: bytes) -> Record:
    """A record. A ValueError that names the key and what is missing or wrong."""
    return parsed(key, unpacked(key, data))


def parsed(key: str, content: Mapping[str, Any]) -> Record:
    """A record from what it holds. Errors as above."""
    try:
        width, height = (int(side) for side in content["image_dimensions_wh"])
        motion = content["motion_info"]
        seen = motion["frame_specific_motion_data"]
        mask, pixels = _mask(content, (height, width))
        check = content.get("sensor_check")
        track, track_valid = _track(content)
        return Record(
            key=key,
            image=content["rgb_image_path"],
            depth=content["depth_image_path"],
            size=(height, width),
            mask=mask,
            mask_pixels=pixels,
            description=content["description"],
            intrinsics=_numbers(content["camera_intrinsics"], (3, 3)),
            trajectory=_numbers(content["trajectory_3d_camera_coords"], (-1, 3)),
            track=track,
            track_valid=track_valid,
            kind=KINDS.get(motion["original_motion_data"]["motion_type"], 0),
            origin_2d=_numbers(seen["motion_origin_2d_image_coords"], (2,)),
            origin=_numbers(seen["motion_origin_3d_camera_coords"], (3,)),
            direction=_numbers(seen["motion_dir_3d_camera_coords"], (3,)),
            occluded=None if check is None else float(check["sensor_occluded_frac"]),
        )
    except KeyError as error:
        raise ValueError(f"the record {key} has no {error.args[0]}") from error
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise ValueError(f"the record {key} is not as published ({error})") from error


def packed(content: Mapping[str, Any]) -> bytes:
    """What a record holds -> JSON with the mask as run lengths. It must be one that `parsed` takes."""
    width, height = (int(side) for side in content["image_dimensions_wh"])
    mask, pixels = _mask(content, (height, width))
    kept = {name: value for name, value in content.items() if name != COORDINATES}
    kept[PACKED] = encode_rle(mask) | {"pixels": pixels}
    return json.dumps(kept, default=_plain, separators=(",", ":")).encode()


def sampled(count: int, wanted: int) -> NDArray[np.int64]:
    """Which of `count` points of a trajectory are taken: evenly spread, first and last among them, rounded down."""
    return np.trunc(np.linspace(0, count - 1, wanted)).astype(np.int64)


def _mask(content: Mapping[str, Any], size: tuple[int, int]) -> tuple[NDArray[np.bool_], int]:
    """[H, W] and the number of pixels that the record lists."""
    if PACKED in content:
        return decode_rle(content[PACKED], size), int(content[PACKED]["pixels"])
    pixels = np.asarray(content[COORDINATES], np.int64).reshape(-1, 2)
    if len(pixels) and ((pixels < 0) | (pixels >= size)).any():
        raise ValueError(f"its mask leaves the image of {size[1]}x{size[0]}")
    mask = np.zeros(size, np.bool_)
    mask[pixels[:, 0], pixels[:, 1]] = True
    return mask, len(pixels)


def _track(content: Mapping[str, Any]) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_] | None]:
    if content.get("trajectory_2d_image_coords") is None:
        return None, None
    track = _numbers(content["trajectory_2d_image_coords"], (-1, 2), finite=False)
    valid = np.asarray(content["trajectory_2d_valid"], np.bool_)
    if valid.shape != (len(track),):
        raise ValueError(f"{len(track)} pixels of its trajectory have {valid.size} marks of validity")
    return track, valid


def _numbers(values: Any, shape: tuple[int, ...], *, finite: bool = True) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    fits = array.ndim == len(shape) and all(want in (-1, size) for want, size in zip(shape, array.shape, strict=True))
    if not fits or not len(array) or (finite and not np.isfinite(array).all()):
        raise ValueError(f"an entry of shape {array.shape} should be numbers of shape {shape}")
    return array


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"a record holds a {type(value).__name__}")
