"""Still images: whatever a camera, a renderer or a dataset wrote -> upright 8-bit RGB; PNG and JPEG out.

EXIF orientation is applied, 16 bits are rounded to 8, grey and palette images become RGB, and transparent pixels are
composited over black, because the colours below a transparent pixel are undefined.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from motion4d.io.files import atomic_path

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".jp2"})


def is_image(path: Path) -> bool:
    """Whether the name is that of a still image; hidden files (thumbnails, resource forks) are not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """An image file -> [H, W, 3] uint8 RGB, upright. A ValueError names a file that cannot be decoded."""
    try:
        with Image.open(path) as image:
            return _to_rgb(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot decode the image {path} ({error}); restore or remove this file") from error


def image_size(path: str | Path) -> tuple[int, int]:
    """(H, W) after EXIF rotation, from the header alone."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            # without EXIF in its header a PNG would be decoded to the end to look for some behind the pixels
            exif = {} if image.format == "PNG" and "exif" not in image.info else image.getexif()
            turned = exif.get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot decode the image {path} ({error}); restore or remove this file") from error
    return (width, height) if turned else (height, width)


def write_image(path: str | Path, image: NDArray[np.uint8], *, quality: int = 95) -> None:
    """Write [H, W, 3] or [H, W] uint8 atomically; the suffix chooses the format, `quality` is for JPEG."""
    if image.dtype != np.uint8:
        raise ValueError(f"an image to be written must be uint8, but this one is {image.dtype} ({path})")
    with atomic_path(path) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, quality=quality)


def resized(image: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """[H, W, 3] -> `size` (H, W) with Pillow's bilinear filter; unchanged if it has that size."""
    if image.shape[:2] == tuple(size):
        return image
    return np.array(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def to_8_bit(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16-bit values -> 8 bit, rounded to the nearest (65535 -> 255)."""
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def composite_on_black(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[H, W, 4] with straight alpha -> [H, W, 3]."""
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 127) // 255).astype(np.uint8)


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Any Pillow mode -> [H, W, 3] uint8."""
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would cut at 255
        grey = to_8_bit(np.asarray(image).clip(0, 65535))
        return np.repeat(grey[..., None], 3, axis=-1)
    if image.mode == "F":
        raise ValueError("floating point images have no agreed range; convert it to 8 or 16 bit")
    if image.has_transparency_data:
        return composite_on_black(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))
