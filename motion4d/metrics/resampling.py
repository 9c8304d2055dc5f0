"""How a published evaluation brings a prediction and its annotation to one size."""

from __future__ import annotations

import numpy as np
from PIL import Image

FOREGROUND_BYTE = 26  # of 255: GeoMotion's tables threshold at 0.1
EASI3R_LONG_SIDE = 512
Pair = tuple[np.ndarray, np.ndarray]


def same_size(truth: np.ndarray, prediction: np.ndarray) -> Pair:
    """Nothing is resized; a ValueError if the sizes differ."""
    if truth.shape != prediction.shape:
        raise ValueError(f"the annotation is {_size(truth)}, but the prediction is {_size(prediction)}")
    return truth, prediction


def probability_at_truth(truth: np.ndarray, prediction: np.ndarray) -> Pair:
    """GeoMotion: bytes of a probability map of any size -> foreground at the annotation's size.

    A mask grows by up to a pixel of the network's grid, since a tenth of a pixel is enough.
    """
    return truth, resize_bytes(prediction, truth.shape) >= FOREGROUND_BYTE


def truth_at_network(truth: np.ndarray, prediction: np.ndarray) -> Pair:
    """Easi3R: the annotation is resized and cropped as its network's input is; the prediction has that size already."""
    return same_size(network_truth(truth), prediction)


def network_truth(truth: np.ndarray) -> np.ndarray:
    """Labels [H, W] -> bool: the long side becomes 512, then both sides are cropped to multiples of 16."""
    height, width = truth.shape
    scale = EASI3R_LONG_SIDE / max(height, width)
    filter_ = Image.Resampling.NEAREST if scale < 1 else Image.Resampling.BICUBIC
    image = Image.fromarray(np.where(truth > 0, np.uint8(255), np.uint8(0)))
    resized = np.asarray(image.resize((round(width * scale), round(height * scale)), filter_))
    rows, columns = (_central(side) for side in resized.shape)
    return resized[rows, columns] > 127


def probability_bytes(probability: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[h, w] float32 in [0, 1] -> [H, W] uint8: truncated to bytes, then as `resize_bytes`."""
    return resize_bytes((probability.astype(np.float32) * np.float32(255)).astype(np.uint8), size)


def resize_bytes(values: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """[h, w] uint8 -> [H, W] with Pillow's bilinear filter; unchanged if it has that size."""
    if values.shape == tuple(size):
        return values
    return np.asarray(Image.fromarray(values).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _central(side: int) -> slice:
    centre = side // 2
    half = 2 * centre // 16 * 8
    return slice(centre - half, centre + half)


def _size(mask: np.ndarray) -> str:
    return f"{mask.shape[1]}x{mask.shape[0]}"
