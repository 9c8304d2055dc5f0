"""Flow that was computed before: read from files, one per frame and direction.

The files hold the flow of the frames as they are on disk. A clip whose frames were resized, cut or padded for a network
says so (Source.framing), and the flow is framed in the same way.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motion4d.clip import Clip, Flow, Source
from motion4d.io.flow_files import READERS, read_flow


class Precomputed:
    """Flow files of a clip's frames, named by what the clip's sources say.

    root: the folder. forward, backward: names below it with {dataset}, {sequence}, {frame} and {next} (or for the
    backward flow {previous}), where frame is the stem of the frame on whose grid the flow lies; any format of
    motion4d.io.flow_files. backward=None: there are no backward files, and the flow has no backward part.
    The files must be of the frames' native size and know every pixel.
    """

    in_workers = True

    def __init__(
        self,
        root: str | Path,
        *,
        forward: str = "{dataset}/{sequence}/forward/{frame}.flo",
        backward: str | None = "{dataset}/{sequence}/backward/{frame}.flo",
    ) -> None:
        self.root = Path(root)
        self.forward = forward
        self.backward = backward
        for pattern in (forward, backward):
            if pattern is not None and Path(pattern).suffix not in READERS:
                raise ValueError(f"the flow files {pattern!r} need one of the suffixes {', '.join(READERS)}")

    def __call__(self, clip: Clip) -> Flow:
        """Forward and backward flow [B, N-1, 2, H, W] of the clip, on the device of its images."""
        if len(clip.sources) != len(clip.images) or any(len(s.frames) != clip.num_frames for s in clip.sources):
            raise ValueError(
                "precomputed flow is found by the names of the frames, but this clip does not say where its frames "
                "come from (a mirrored or reversed view has no files): put "
                "motion4d.data.with_flow.WithFlow around the clips before they are changed, or choose another flow"
            )
        if any(source.step != 1 for source in clip.sources):
            raise ValueError(
                "precomputed flow lies between neighbouring frames, but these are interleaved (one in "
                f"{max(source.step for source in clip.sources)}): choose another flow, or evaluation.interleave=1"
            )
        forward = torch.stack([self._forward_of(source, clip.size) for source in clip.sources])
        if self.backward is None:
            return Flow(forward=forward.to(clip.images.device))
        backward = torch.stack([self._backward_of(source, clip.size) for source in clip.sources])
        return Flow(forward=forward.to(clip.images.device), backward=backward.to(clip.images.device))

    def _forward_of(self, source: Source, size: tuple[int, int]) -> Tensor:
        pairs = zip(source.frames, source.frames[1:], strict=False)
        return self._read([self._path(self.forward, source, frame=one, next=two) for one, two in pairs], source, size)

    def _backward_of(self, source: Source, size: tuple[int, int]) -> Tensor:
        pairs = zip(source.frames, source.frames[1:], strict=False)
        pattern = self.backward or ""
        paths = [self._path(pattern, source, frame=two, previous=one) for one, two in pairs]
        return self._read(paths, source, size)

    def _path(self, pattern: str, source: Source, **frames: str) -> Path:
        try:
            return self.root / pattern.format(dataset=source.dataset, sequence=source.sequence, **frames)
        except (KeyError, IndexError) as error:
            raise ValueError(
                f"the flow file name {pattern!r} uses {error}; known are {{dataset}}, {{sequence}}, "
                f"{', '.join('{' + name + '}' for name in frames)}"
            ) from error

    def _read(self, paths: list[Path], source: Source, size: tuple[int, int]) -> Tensor:
        """[len(paths), 2, H, W] at the clip's `size`."""
        if not paths:
            return torch.zeros(0, 2, *size)
        native = size if source.framing is None else source.framing.native
        stacked = np.stack([self._read_one(path, native) for path in paths])
        flow = torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous()
        return flow if source.framing is None else source.framing.flow(flow)

    def _read_one(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        if not path.is_file():
            raise FileNotFoundError(
                f"there is no precomputed flow {path}; write it with motion4d.io.flow_files.write_flow (flow [H, W, 2] "
                "in pixels), change flow.root or the name patterns, or choose flow=dis, which computes it"
            )
        flow = read_flow(path)
        if flow.shape[:2] != size:
            raise ValueError(
                f"the flow {path} is {flow.shape[0]}x{flow.shape[1]}, but the frames are {size[0]}x{size[1]}; "
                "compute it at the size of the frames"
            )
        if not np.isfinite(flow).all():
            raise ValueError(f"the flow {path} has unknown pixels; a motion model needs flow everywhere")
        return flow
