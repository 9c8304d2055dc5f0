"""Random tileable textures [S, S, 3]: filtered noise coloured by a palette, and patterns (stripes, tiles, dots)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import fft

from motion4d.data.procedural.draws import choose, happens, uniform

SIZE = 128
Image = NDArray[np.float32]


def palette(rng: Generator) -> Image:
    """[4, 3] colours that go together: around one tone, one or two of them anything."""
    tone = rng.random(3) * 0.7 + 0.15
    colours = tone + rng.normal(0, 0.16, (4, 3)) + rng.normal(0, 0.18, (4, 1))
    if happens(rng, 0.4):
        colours[rng.integers(4)] = rng.random(3)
    grey = colours.mean(1, keepdims=True)
    colours = grey + (colours - grey) * uniform(rng, (0.15, 1.0))
    return np.clip(colours, 0.03, 0.97).astype(np.float32)


def surface(rng: Generator, colours: Image, contrast: float) -> Image:
    """[S, S, 3] a random surface in these colours [4, 3]; contrast 0 is one flat colour."""
    kind = choose(rng, ((3.0, _marble), (1.0, _stripes), (1.0, _tiles), (1.0, _dots), (1.0, _patches)))
    values = kind(rng)
    grain = rng.standard_normal((SIZE, SIZE, 1), dtype=np.float32) * np.float32(uniform(rng, (0.0, 0.06)))
    image = _colour(values, colours) + grain
    mean = image.reshape(-1, 3).mean(0)
    image *= np.float32(contrast)
    image += mean * np.float32(1 - contrast)
    return np.clip(image, 0, 1, out=image)


def fractal_noise(rng: Generator, exponent: float) -> Image:
    """[S, S] tileable noise of unit variance whose amplitude falls as frequency ** -exponent."""
    amplitude = np.exp(_log_radius() * np.float32(-exponent))
    amplitude[0, 0] = 0
    phases = rng.random(amplitude.shape, dtype=np.float32) * np.float32(2 * np.pi)
    noise = fft.irfft2(amplitude * np.exp(1j * phases), s=(SIZE, SIZE))
    return (noise / noise.std()).astype(np.float32)


@lru_cache(maxsize=1)
def _log_radius() -> Image:
    """[S, S/2 + 1] logarithm of each frequency's length."""
    across, down = fft.rfftfreq(SIZE, 1 / SIZE), fft.fftfreq(SIZE, 1 / SIZE)
    radius = np.hypot(across[None], down[:, None])
    return np.log(np.maximum(radius, 0.5)).astype(np.float32)


def _colour(values: Image, colours: Image) -> Image:
    """Values [S, S] in [0, 1] through the palette [4, 3], linearly, in 256 steps."""
    place = np.linspace(0, 1, len(colours))
    table = np.stack([np.interp(np.linspace(0, 1, 256), place, channel) for channel in colours.T], -1)
    return table.astype(np.float32)[(np.clip(values, 0, 1) * 255).astype(np.uint8)]


def _marble(rng: Generator) -> Image:
    noise = fractal_noise(rng, uniform(rng, (0.7, 1.8)))
    return 0.5 + noise * uniform(rng, (0.15, 0.35))


def _patches(rng: Generator) -> Image:
    """Areas of one colour with hard edges."""
    noise = fractal_noise(rng, uniform(rng, (1.3, 2.2)))
    levels = rng.integers(2, 5)
    return np.floor(np.clip(0.5 + noise * 0.3, 0, 0.999) * levels) / max(levels - 1, 1)


def _stripes(rng: Generator) -> Image:
    rows, columns = _grid()
    turns = rng.integers(1, 10) * rows + rng.integers(-6, 7) * columns
    bend = fractal_noise(rng, 2.0) * uniform(rng, (0.0, 0.25))
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * turns + bend)
    return np.clip((wave - 0.5) * uniform(rng, (1.0, 5.0)) + 0.5, 0, 1)


def _tiles(rng: Generator) -> Image:
    """A wall of bricks or a checkerboard: each cell has its own shade, joints are dark."""
    down, across = int(rng.integers(2, 9)), int(rng.integers(2, 9))
    rows, columns = _grid()
    cell_row = np.floor(rows * down).astype(int)
    shifted = columns * across + 0.5 * (cell_row % 2) * float(rng.integers(0, 2))
    shade = rng.random((down, across))[cell_row, np.floor(shifted).astype(int) % across]
    joint = (np.mod(rows * down, 1) < 0.08) | (np.mod(shifted, 1) < 0.08)
    return np.where(joint, 0.0, 0.3 + 0.7 * shade)


def _dots(rng: Generator) -> Image:
    values = np.full((SIZE, SIZE), uniform(rng, (0.0, 0.4)), dtype=np.float32)
    for shade in 0.4 + 0.6 * rng.random(int(rng.integers(6, 40))):
        radius = uniform(rng, (0.02, 0.12)) * SIZE
        steps = np.arange(-int(radius), int(radius) + 1)
        rows, columns = (rng.integers(SIZE, size=2)[:, None] + steps) % SIZE
        inside = np.hypot(steps[:, None], steps[None]) < radius
        values[np.ix_(rows, columns)] = np.where(inside, shade, values[np.ix_(rows, columns)])
    return values


def _grid() -> tuple[Image, Image]:
    """Rows and columns in [0, 1), [S, S] each."""
    steps = np.arange(SIZE, dtype=np.float32) / SIZE
    return np.broadcast_to(steps[:, None], (SIZE, SIZE)), np.broadcast_to(steps[None], (SIZE, SIZE))
