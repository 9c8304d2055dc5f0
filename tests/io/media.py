"""Tiny videos and frames, written as cameras and tools write them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image


def picture(height: int = 48, width: int = 64) -> np.ndarray:
    """Red in the upper left corner, green in the lower right, the rest grey: no turn or mirror leaves it as it is."""
    image = np.full((height, width, 3), 96, np.uint8)
    image[: height // 3, : width // 2] = (230, 20, 20)
    image[-height // 3 :, -width // 4 :] = (20, 200, 20)
    return image


def moving_square(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Dark frames with a bright red square that walks to the right."""
    frames = []
    for k in range(count):
        frame = np.full((height, width, 3), 20, np.uint8)
        frame[16:32, 4 + k % 40 : 20 + k % 40] = (250, 30, 30)
        frames.append(frame)
    return frames


def make_video(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    rate: int = 10,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    source_format: str = "rgb24",
    times_ms: Sequence[int] | None = None,
    display: tuple[int, bool, bool] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write frames; times_ms: presentation times; display: rotation (degrees, counter-clockwise), hflip, vflip."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixel_format
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if display is not None:
            stream.set_display_rotation(display[0], hflip=display[1], vflip=display[2])
        for k, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format=source_format)
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[k], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_frames(folder: Path, frames: Sequence[np.ndarray], names: Sequence[str] | None = None) -> Path:
    """Write frames as images, by default 00000.png and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / (names[k] if names else f"{k:05d}.png"))
    return folder


def truncate(path: Path, share: float = 0.5) -> Path:
    """Cut a file off."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
