"""How the parts of an image become one sample of a network's size: what the loaders of OPD and SceneFun3D share.

Pillow does the resizing, since its grids define the published samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Colours = Callable[[Sequence[NDArray[np.uint8]]], list[NDArray[np.uint8]]]


def image_tensor(image: Image.Image, size: tuple[int, int], colours: Colours | None) -> Tensor:
    """RGB -> [1, 3, h, w] in [0, 1]: bilinear with antialiasing, then other colours if there are to be any."""
    pixels = np.array(image.convert("RGB").resize(size[::-1], Image.Resampling.BILINEAR))
    if colours is not None:
        (pixels,) = colours([pixels])
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).to(torch.float32).div_(255)[None]


def nearest(values: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    """[H, W] bool or float32 -> [h, w] with Pillow's nearest neighbour."""
    if values.dtype == np.bool_:
        return np.asarray(_nearest(Image.fromarray(values.astype(np.uint8)), size)) > 0
    return np.array(_nearest(Image.fromarray(values.astype(np.float32)), size))


def _nearest(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize(size[::-1], Image.Resampling.NEAREST)


def scaled_intrinsics(intrinsics: NDArray[np.float64], native: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """[3, 3] of an image of `native` (H, W) -> [1, 3, 3] float32 of the same image resized to `size`."""
    scale = np.array([size[1] / native[1], size[0] / native[0]])
    changed = intrinsics.copy()
    changed[:2] *= scale[:, None]
    changed[:2, 2] += (scale - 1) / 2
    return torch.from_numpy(changed).to(torch.float32)[None]


def scaled_pixels(pixels: NDArray[np.float64], native: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float64]:
    """[..., 2] (x, y) of an image of `native` (H, W) -> of the same image resized to `size`."""
    scale = np.array([size[1] / native[1], size[0] / native[0]])
    moved: NDArray[np.float64] = (pixels + 0.5) * scale - 0.5
    return moved


def unit(axis: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    """[3] of length 1; a ValueError that names `what` if it has no direction."""
    length = float(np.linalg.norm(axis))
    if not length > 1e-4:
        raise ValueError(f"{what} has an axis of length {length:.2g}; correct or remove it")
    return axis / length


def clamped_point(point: NDArray[np.float64]) -> NDArray[np.float64]:
    """(x / W, y / H) within the image, as published; the middle where it is not a number."""
    return np.nan_to_num(point, nan=0.5).clip(0, 1)


def batch(values: object, dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers -> a tensor with a batch axis of 1."""
    return torch.as_tensor(np.asarray(values)).to(dtype)[None]
