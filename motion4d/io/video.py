"""Video files, one frame at a time: no more than a few decoded frames are ever in memory.

Frames come out as 8-bit RGB the way a player shows them: turned and mirrored by the display matrix, deeper colour
reduced to 8 bit, transparency composited over black. Times are the container's own, so a video of variable frame rate
is thinned by what the clock says, not by counting. Decoding and encoding: PyAV (FFmpeg inside its wheel).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import atomic_path
from motion4d.io.images import composite_on_black

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".mts", ".3gp", ".gif"}
)
_CLOCK_TOLERANCE = 0.25  # of a frame: time stamps are rounded to the container's clock


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself. size: (H, W) as shown; frame_rate: average, per second; frames: announced count."""

    size: tuple[int, int]
    frame_rate: float | None
    frames: int | None


def is_video(path: Path) -> bool:
    """Whether the name is that of a video file."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def probe_video(path: str | Path) -> VideoInfo:
    """Read the header and the first frame."""
    first = next(read_video(path), None)
    if first is None:
        raise ValueError(f"{path} has no frame that can be decoded; check that it plays")
    with _open(path) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        frames = stream.frames or _count_from_duration(container, stream, rate)
        return VideoInfo((first.shape[0], first.shape[1]), float(rate) if rate else None, frames or None)


def read_video(path: str | Path, *, fps: float | None = None) -> Iterator[NDArray[np.uint8]]:
    """Yield [H, W, 3] uint8 RGB frames in display order.

    fps: keep at most this many frames per second, chosen by time stamp; never repeats a frame. A frame that cannot be
    decoded ends the iteration with a ValueError that names the file and the frame's number.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        last_slot = matrix = None
        for number, frame in _decoded(path, container, stream):
            if number == 0:  # asking every frame would tie frame and side data into a cycle that keeps its memory
                matrix = _display_matrix(frame)
            slot = number if fps is None else _slot(frame, number, stream, fps)
            if last_slot is None or slot > last_slot:
                last_slot = slot
                yield _upright(_to_rgb(frame), matrix)


class VideoWriter:
    """Encodes frames as they come; made by `open_video_writer`."""

    def __init__(self, container: av.container.OutputContainer, frame_rate: float) -> None:
        self._container = container
        self._rate = Fraction(frame_rate).limit_denominator(1001)
        self._stream: av.VideoStream | None = None

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Append [H, W, 3] uint8 RGB. An odd last row or column is repeated once: H.264 in 4:2:0 needs even sizes."""
        height, width = frame.shape[:2]
        if height % 2 or width % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        stream = self._stream or self._start(frame.shape[0], frame.shape[1])
        image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        self._container.mux(stream.encode(image))

    def finish(self) -> None:
        """Write what the encoder still holds back."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))

    def _start(self, height: int, width: int) -> av.VideoStream:
        stream = self._container.add_stream("libx264", rate=self._rate, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        self._stream = stream
        return stream


@contextmanager
def open_video_writer(path: str | Path, *, frame_rate: float) -> Iterator[VideoWriter]:
    """Write a video frame by frame (libx264, yuv420p); it appears under its name when the block ends without error."""
    with atomic_path(path) as temporary, av.open(str(temporary), "w") as container:
        writer = VideoWriter(container, frame_rate)
        yield writer
        writer.finish()


def write_video(path: str | Path, frames: Iterable[NDArray[np.uint8]], *, frame_rate: float) -> None:
    """Write [H, W, 3] uint8 RGB frames of one size as an mp4."""
    with open_video_writer(path, frame_rate=frame_rate) as writer:
        for frame in frames:
            writer.add(frame)


def _open(path: str | Path) -> av.container.InputContainer:
    """Open a file that has a video stream, or say in one sentence why that is impossible."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no video file {path}")
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError) as error:
        raise ValueError(f"{path} cannot be opened as a video ({_reason(error)}); check that it plays") from error
    if not container.streams.video:
        container.close()
        raise ValueError(f"{path} has no video stream; check that it plays")
    return container


def _decoded(
    path: str | Path, container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[tuple[int, av.VideoFrame]]:
    """(number, frame); a broken frame or a file that was cut off is a ValueError."""
    number = 0
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise ValueError(_broken(path, number, "the file is cut off or damaged there"))
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise ValueError(_broken(path, number, "its data are damaged"))
                yield number, frame
                number += 1
    except (av.error.FFmpegError, OSError) as error:
        raise ValueError(_broken(path, number, _reason(error))) from error


def _broken(path: str | Path, number: int, reason: str) -> str:
    return (
        f"frame {number} of {path} cannot be decoded ({reason}); "
        f"repair or re-encode the video, or keep what is before it with max_frames={number}"
    )


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _count_from_duration(
    container: av.container.InputContainer, stream: av.VideoStream, rate: Fraction | None
) -> int | None:
    if rate is None:
        return None
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * rate)
    return round(container.duration * rate / 1_000_000) if container.duration else None


def _slot(frame: av.VideoFrame, number: int, stream: av.VideoStream, fps: float) -> int:
    """Which slot of 1/fps seconds the frame falls into, counted from the stream's start."""
    rate = max(fps, float(stream.average_rate or fps))
    if frame.pts is None or frame.time_base is None:
        seconds = number / rate
    else:
        seconds = float((frame.pts - (stream.start_time or 0)) * frame.time_base)
    return int(np.floor((seconds + _CLOCK_TOLERANCE / rate) * fps))


def _to_rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    if any(component.is_alpha for component in frame.format.components):
        return composite_on_black(cast(NDArray[np.uint8], frame.to_ndarray(format="rgba")))
    return cast(NDArray[np.uint8], frame.to_ndarray(format="rgb24"))


def _display_matrix(frame: av.VideoFrame) -> NDArray[np.int32] | None:
    """The upper left 2x2 of the display matrix: shown (x, y) = (x, y) @ matrix, or None if there is none."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    return np.frombuffer(cast(bytes, data), dtype=np.int32)[:9].reshape(3, 3)[:2, :2].copy()


def _upright(image: NDArray[np.uint8], matrix: NDArray[np.int32] | None) -> NDArray[np.uint8]:
    """Turn and mirror [H, W, 3] as the display matrix says, to the nearest quarter turn."""
    if matrix is None:
        return image
    (x_to_x, x_to_y), (y_to_x, y_to_y) = matrix.tolist()
    mirror_x, mirror_y = x_to_x < 0, y_to_y < 0
    if abs(x_to_y) > abs(x_to_x):
        image, mirror_x, mirror_y = image.swapaxes(0, 1), y_to_x < 0, x_to_y < 0
    image = image[:, ::-1] if mirror_x else image
    return np.ascontiguousarray(image[::-1] if mirror_y else image)
