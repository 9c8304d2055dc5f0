"""Still images of every kind become upright 8-bit RGB."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from motion4d.io.images import image_size, read_image, write_image
from tests.io.media import picture, truncate

# what each EXIF orientation does to the stored pixels to show them (EXIF 2.3, tag 274)
ORIENTATIONS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation(tmp_path, orientation):
    path = tmp_path / "x.jpg"
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(picture()).save(path, exif=exif, quality=98, subsampling=0)
    expected = ORIENTATIONS[orientation](picture())
    image = read_image(path)
    assert image.shape == expected.shape
    assert image_size(path) == expected.shape[:2]
    assert np.abs(image.astype(int) - expected).mean() < 3


def write_png16(path, samples):
    """A PNG with 16 bits per sample, grey [H, W] or RGB [H, W, 3], from the format's definition."""
    height, width = samples.shape[:2]
    rows = samples.astype(">u2").reshape(height, -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, 0 if samples.ndim == 2 else 2, 0, 0, 0)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_sixteen_bits_are_scaled_not_cut(tmp_path, channels):
    samples = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8, *[1] * len(channels))
    samples = np.broadcast_to(samples, (8, 8, *channels))
    write_png16(tmp_path / "x.png", samples)
    expected = np.broadcast_to((samples / 257.0).reshape(8, 8, -1), (8, 8, 3))
    assert np.abs(read_image(tmp_path / "x.png") - expected).max() <= 1
    assert image_size(tmp_path / "x.png") == (8, 8)


def test_grey_palette_alpha_and_bilevel(tmp_path):
    image = Image.fromarray(picture())
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, :32] = 0
    rgba = Image.fromarray(np.dstack([picture(), alpha]))
    for mode in ("L", "1", "RGB", "RGBA", "LA"):
        path = tmp_path / f"{mode}.png"
        (rgba if mode in ("RGBA", "LA") else image).convert(mode).save(path)
        read = read_image(path)
        assert read.shape == (48, 64, 3)
        assert read.dtype == np.uint8
    transparent = read_image(tmp_path / "RGBA.png")
    assert (transparent[:, :32] == 0).all()
    assert (transparent[:, 32:] == picture()[:, 32:]).all()
    rgba.quantize(8).save(tmp_path / "palette_with_alpha.png")
    assert (read_image(tmp_path / "palette_with_alpha.png") == read_image(tmp_path / "RGBA.png")).all()
    image.quantize(8).save(tmp_path / "palette.png")
    assert (read_image(tmp_path / "palette.png") == picture()).all()
    image.convert("CMYK").save(tmp_path / "cmyk.jpg")
    assert read_image(tmp_path / "cmyk.jpg").shape == (48, 64, 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_broken_files_are_named(tmp_path, suffix):
    path = tmp_path / f"bad{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    write_image(path, noise)
    truncate(path)
    with pytest.raises(ValueError, match=f"bad{suffix}"):
        read_image(path)
    path.write_text("no image")
    for read in (read_image, image_size):
        with pytest.raises(ValueError, match=f"bad{suffix}"):
            read(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=f"bad{suffix}"):
        image_size(path)
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "missing.png")


def test_writing_is_exact_and_refuses_floats(tmp_path):
    write_image(tmp_path / "x.png", picture())
    assert (read_image(tmp_path / "x.png") == picture()).all()
    with pytest.raises(ValueError, match="uint8"):
        write_image(tmp_path / "x.png", picture() / 255.0)
