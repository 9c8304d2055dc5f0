"""What a user may give as input, as sources of frames: a video file, a folder of frames, a glob, a folder of sequences.

A source streams: iterating yields one frame after the other as uint8 [3, H, W], upright, all of one size, and it can be
iterated again. `check` looks at everything that can be known without decoding and raises one clear sentence. Frames of
folders are in natural order (frame2 before frame10); hidden files and files of other kinds are passed over.
"""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import count, islice
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.clip import Source
from motion4d.io.files import natural_key
from motion4d.io.images import image_size, is_image, read_image
from motion4d.io.masks import mask_name
from motion4d.io.video import VideoInfo, is_video, probe_video, read_video


class FrameSource(Protocol):
    """One clip that can be read frame by frame, again and again.

    name: of the sequence; folder: where its results belong below the output ("" for a single input).
    """

    name: str
    folder: str

    @property
    def path(self) -> Path:
        """The video file, or the folder of the frames."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of every frame, upright."""
        ...

    @property
    def frame_rate(self) -> float | None:
        """Frames per second as they are yielded; None if nobody knows."""
        ...

    @property
    def length(self) -> int | None:
        """Number of frames: exact for images, what the container announces for a video, None if it does not."""
        ...

    @property
    def stems(self) -> tuple[str, ...]:
        """File stems of the frames; empty for a video."""
        ...

    def check(self) -> None:
        """Raise ValueError or FileNotFoundError for whatever is wrong and can be seen without decoding the frames."""
        ...

    def __iter__(self) -> Iterator[Tensor]:
        """Yield [3, H, W] uint8 RGB."""
        ...


class VideoFrames:
    """The frames of one video file, thinned to `fps` by time stamps and cut after `max_frames`."""

    stems: tuple[str, ...] = ()

    def __init__(self, path: Path, *, folder: str = "", fps: float | None = None, max_frames: int | None = None):
        self.path = path
        self.name = path.stem
        self.folder = folder
        self._fps = fps
        self._max_frames = max_frames

    @cached_property
    def _info(self) -> VideoInfo:
        return probe_video(self.path)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) after rotation."""
        return self._info.size

    @property
    def frame_rate(self) -> float | None:
        """Average rate of the frames that are kept."""
        rate = self._info.frame_rate
        if self._fps is None:
            return rate
        return self._fps if rate is None else min(rate, self._fps)

    @property
    def length(self) -> int | None:
        """How many frames to expect; the container's word, exact only after reading."""
        count = self._info.frames
        if count is not None and self._info.frame_rate and self.frame_rate:
            count = max(1, round(count * self.frame_rate / self._info.frame_rate))
        if self._max_frames is None:
            return count
        return None if count is None else min(count, self._max_frames)

    def check(self) -> None:
        """Decode the first frame."""
        _ = self._info

    def __iter__(self) -> Iterator[Tensor]:
        """Yield [3, H, W] uint8; a change of size inside the video is a ValueError."""
        for number, frame in enumerate(islice(read_video(self.path, fps=self._fps), self._max_frames)):
            yield _checked(frame, self.size, f"frame {number} of {self.path}")


class ImageFrames:
    """The frames of one sequence of image files, in the order given."""

    frame_rate: float | None = None

    def __init__(self, paths: Sequence[Path], *, path: Path, folder: str = ""):
        self.paths = tuple(paths)
        self.path = path
        self.name = path.stem if path.is_file() else path.resolve().name
        self.folder = folder

    @cached_property
    def size(self) -> tuple[int, int]:
        """(H, W) of the first frame after EXIF rotation."""
        if not self.paths:
            raise ValueError(f"there are no frames in {self.path}; expected image files such as 00000.jpg or a video")
        return image_size(self.paths[0])

    @property
    def length(self) -> int:
        """Number of files."""
        return len(self.paths)

    @property
    def stems(self) -> tuple[str, ...]:
        """Names without suffix."""
        return tuple(path.stem for path in self.paths)

    def check(self) -> None:
        """Read all headers: unreadable files and frames of another size are found before any work is done."""
        sizes = {path: image_size(path) for path in self.paths}
        if len(set(sizes.values())) > 1:
            raise ValueError(_mixed_sizes(self.path, sizes))
        _ = self.size

    def __iter__(self) -> Iterator[Tensor]:
        """Yield [3, H, W] uint8."""
        size = self.size
        for path in self.paths:
            yield _checked(read_image(path), size, str(path))


def open_input(path: str | Path, *, fps: float | None = None, max_frames: int | None = None) -> list[FrameSource]:
    """Everything `path` stands for: one source for a video, an image, a folder or a glob of frames; several for a
    folder (or glob) of sequences, which are checked only when their turn comes.

    fps: keep at most so many frames per second (videos only: image files carry no time). max_frames: the first so many.
    """
    _check_thinning(fps, max_frames)
    path = Path(path).expanduser()
    if path.is_file():
        sources = [_open_file(path, "", fps, max_frames)]
    elif path.is_dir():
        sources = _open_folder(path, fps, max_frames)
    elif glob.has_magic(str(path)):
        sources = _open_matches(path, fps, max_frames)
    else:
        raise FileNotFoundError(
            f"there is no {path}; the input is a video, a folder of frames, a glob, or a folder of sequences"
        )
    if len(sources) == 1 and not sources[0].folder:
        sources[0].check()
    return sources


def frame_names(source: FrameSource) -> Iterable[str]:
    """What the frames are called: the stems of their files if there are any and they differ, else 00000, 00001, ..."""
    if source.stems and len(set(source.stems)) == len(source.stems):
        return source.stems
    return map(mask_name, count())


def part_of(source: Source, start: int, stop: int) -> Source:
    """The frames from start to stop - 1 of `source`; they are called 00000, 00001, ... if they have no names."""
    frames = source.frames[start:stop] or tuple(mask_name(k) for k in range(start, stop))
    return replace(source, frames=frames)


def collection_name(source: FrameSource) -> str:
    """What the folder is called that the source is one of several sequences of; a single source is its own."""
    return source.path.resolve().parent.name if source.folder else source.name


def _check_thinning(fps: float | None, max_frames: int | None) -> None:
    if fps is not None and not (isinstance(fps, (int, float)) and 0 < fps < float("inf")):
        raise ValueError(f"fps must be a positive number of frames per second, not {fps}")
    if max_frames is not None and not (isinstance(max_frames, int) and max_frames >= 1):
        raise ValueError(f"max_frames must be a whole number of at least 1, not {max_frames}")


def _open_file(path: Path, folder: str, fps: float | None, max_frames: int | None) -> FrameSource:
    if is_image(path):
        _refuse_fps(path, fps)
        return ImageFrames([path], path=path, folder=folder)
    return VideoFrames(path, folder=folder, fps=fps, max_frames=max_frames)


def _open_folder(path: Path, fps: float | None, max_frames: int | None) -> list[FrameSource]:
    entries = sorted((entry for entry in path.iterdir() if not entry.name.startswith(".")), key=_by_name)
    images = [entry for entry in entries if is_image(entry)]
    sequences = [entry for entry in entries if entry.is_dir() or is_video(entry)]
    if images and any(is_video(entry) for entry in sequences):
        raise ValueError(f"{path} holds both images and videos; name the one that is meant, for example {images[0]}")
    if images:
        _refuse_fps(path, fps)
        return [ImageFrames(images[:max_frames], path=path)]
    if not sequences:
        raise ValueError(f"there are no frames in {path}; expected image files, videos, or folders of images")
    return _open_sequences(sequences, fps, max_frames)


def _open_matches(pattern: Path, fps: float | None, max_frames: int | None) -> list[FrameSource]:
    matches = sorted((Path(name) for name in glob.glob(str(pattern), recursive=True)), key=natural_key)
    images = [match for match in matches if is_image(match)]
    sequences = [match for match in matches if match.is_dir() or is_video(match)]
    if images and sequences:
        raise ValueError(f"{pattern} matches both images and videos or folders; narrow the pattern")
    if images:
        _refuse_fps(pattern, fps)
        return [ImageFrames(images[:max_frames], path=images[0].parent)]
    if not sequences:
        raise FileNotFoundError(f"nothing that could be read matches {pattern}; check the pattern (and quote it)")
    return _open_sequences(sequences, fps, max_frames)


def _open_sequences(paths: Sequence[Path], fps: float | None, max_frames: int | None) -> list[FrameSource]:
    """One unchecked source per folder or video, each with a result folder of its own."""
    sources: list[FrameSource] = []
    for path, folder in zip(paths, _distinct_names(paths), strict=True):
        if path.is_dir():
            _refuse_fps(path, fps)
            images = sorted((entry for entry in path.iterdir() if is_image(entry)), key=_by_name)
            sources.append(ImageFrames(images[:max_frames], path=path, folder=folder))
        else:
            sources.append(VideoFrames(path, folder=folder, fps=fps, max_frames=max_frames))
    return sources


def _distinct_names(paths: Sequence[Path]) -> list[str]:
    """Stems if they differ, otherwise file names, otherwise numbered stems."""
    stems = [path.name if path.is_dir() else path.stem for path in paths]
    for names in (stems, [path.name for path in paths]):
        if len(set(names)) == len(names):
            return names
    return [f"{number:03d}_{stem}" for number, stem in enumerate(stems)]


def _refuse_fps(path: Path, fps: float | None) -> None:
    if fps is not None:
        raise ValueError(
            f"fps={fps:g} needs a video: the images in {path} carry no time; leave it out, or use max_frames"
        )


def _by_name(path: Path) -> list[tuple[int, int, str]]:
    return natural_key(path.name)


def _checked(frame: NDArray[np.uint8], size: tuple[int, int], where: str) -> Tensor:
    """[H, W, 3] -> [3, H, W]; the size must be the clip's."""
    if frame.shape[:2] != size:
        height, width = frame.shape[:2]
        raise ValueError(
            f"{where} is {height}x{width} but the clip began with {size[0]}x{size[1]} (height x width); "
            "all frames of a clip must have one size"
        )
    return torch.from_numpy(frame).permute(2, 0, 1).contiguous()


def _named(file: Path, folder: Path) -> str:
    """The file's name, with its path where a glob has found it in another folder."""
    return file.name if file.parent == folder else str(file)


def _mixed_sizes(folder: Path, sizes: dict[Path, tuple[int, int]]) -> str:
    common = Counter(sizes.values()).most_common(1)[0][0]
    odd = next(path for path, size in sizes.items() if size != common)
    return (
        f"the frames in {folder} have different sizes: {_named(odd, folder)} is {sizes[odd][0]}x{sizes[odd][1]}, "
        f"most are {common[0]}x{common[1]} (height x width); all frames of a clip must have one size"
    )
