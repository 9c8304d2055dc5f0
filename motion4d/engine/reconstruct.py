"""Reconstruct: cameras, depth and a point cloud of any video, folder of frames, glob, or folder of sequences.

Frames stream through a feed-forward geometry network in windows that are aligned to each other
(motion4d.reconstruct.feed_forward), so the network's memory does not grow with length. A sequence that is finished is
not computed again when the same command runs again; in a folder of sequences a broken one does not stop the others.

In Python: `reconstruct_video("clip.mp4", output="results").camera_to_world`, and with any backbone that has geometry
heads:

    model = GeometryModel(VGGT(), FitPixels())
    model.backbone.load_weights("checkpoints/vggt/model.safetensors")
    poses = reconstruct_video("clip.mp4", model=model, output="results").camera_to_world
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motion4d.clip import Scene
from motion4d.engine.collection import identity, opened, run_sequences
from motion4d.engine.errors import explained_memory
from motion4d.engine.reconstruction_results import SceneFiles, SceneWriter, finished_scene
from motion4d.engine.runtime import Runtime
from motion4d.engine.scene_tracks import describe_tracker, prepare_tracker, track_source
from motion4d.engine.segment import describe_model, origin, place_model, prepare_inference
from motion4d.engine.shipped import SHIPPED_GEOMETRY_WINDOW, shipped_geometry_model
from motion4d.engine.stopwatch import Stopwatch, log_progress
from motion4d.engine.weights import load_task_weights, needs_weights
from motion4d.engine.windows import Window
from motion4d.io.frames import FrameSource, frame_names, open_input
from motion4d.reconstruct.cloud import CloudSample
from motion4d.reconstruct.feed_forward import PlacedFrame, reconstruction_heads, stream_geometry
from motion4d.tracks.base import PointTracker

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReconstructedVideo:
    """What `reconstruct_video` found, in the first camera's frame (motion4d.clip).

    camera_to_world [N, 4, 4] and intrinsics [N, 3, 3] (pixels of the video) float64; depth [N, h, w] and confidence
    [N, h, w] (0: nothing known) float32 at the network's size; points [P, 3] float32 with colours [P, 3] uint8.
    """

    name: str
    frame_rate: float | None
    camera_to_world: Tensor
    intrinsics: Tensor
    depth: Tensor
    confidence: Tensor
    points: Tensor
    colours: Tensor


class Reconstruct:
    """The task. checkpoint, shipped, pretrained: motion4d.engine.weights; fps, max_frames: motion4d.io.frames.

    model: a motion4d.models.geometry.GeometryModel. files: what is written. tracker: follows points (motion4d.tracks);
    None: nobody does. With `pretrained`, checkpoint "auto" is "none". resume: "auto" passes over sequences that were
    finished with the same settings; "none" computes all anew.
    """

    def __init__(
        self,
        model: Any,
        input: str | Path | None,
        *,
        output: str | Path,
        files: SceneFiles | None = None,
        runtime: Runtime | None = None,
        window: Window | None = None,
        fps: float | None = None,
        max_frames: int | None = None,
        resume: str = "auto",
        pretrained: Mapping[str, str | None] | None = None,
        checkpoint: str | None = "none",
        shipped: str | None = None,
        tracker: PointTracker | None = None,
    ) -> None:
        if resume not in ("auto", "none"):
            raise ValueError(f"resume must be auto or none for a reconstruction, not {resume!r}")
        self.model = model
        self.input = input
        self.output = Path(output)
        self.files = files or SceneFiles()
        self.runtime = runtime or Runtime()
        self.window = window or Window()
        self.fps = fps
        self.max_frames = max_frames
        self.resume = resume
        self.pretrained = {part: file for part, file in (pretrained or {}).items() if file is not None}
        self.checkpoint = checkpoint
        self.shipped = shipped
        self.tracker = tracker

    def run(self) -> dict[str, Any]:
        """Reconstruct every sequence; returns name -> summary of those that are finished, now or from before."""
        self._check_model()
        sources = opened(self.input, output=self.output, runtime=self.runtime, fps=self.fps, max_frames=self.max_frames)
        self._load_weights()
        return run_sequences(sources, self.run_sequence, output=self.output, figure="path_length")

    def run_sequence(self, source: FrameSource) -> dict[str, Any]:
        """Reconstruct one sequence into its folder below the output, unless that was done before; its summary."""
        folder = self.output / source.folder
        source.check()
        done = finished_scene(folder) if self.resume == "auto" else None
        if done is not None and done.get("settings") == self._settings(source):
            _log.info("%s: finished before, in %s", source.name, folder)
            return done
        for _ in self.write_results(source):
            pass
        return finished_scene(folder) or {}

    def write_results(self, source: FrameSource) -> Iterator[PlacedFrame]:
        """Yield every frame's geometry; the files appear below the output when the last one was taken."""
        watch = Stopwatch()
        folder = self.output / source.folder
        writer = SceneWriter(folder, self.files, frame_rate=source.frame_rate)
        with writer:
            scenes: list[dict[str, Any]] = []  # of the windows, where something was optimised
            stream = self.stream(source, watch, writer, lambda scene: scenes.extend(_optimised(scene)))
            count = 0
            for name, frame in zip(frame_names(source), log_progress(stream, source.name, source.length), strict=False):
                with watch.stage("writing"):
                    writer.add(name, frame)
                count += 1
                yield frame
            title, images = _title(source, count), list(islice(image_names(source), count))
            tracks = self._follow_points(source, writer, watch)
            with watch.stage("writing"):
                done = writer.finish(title, images, self._summary(source, count, watch, scenes) | tracks)
        _log.info("%s: %s, %d points, path of %.4g units", folder, title, done["points"], done["path_length"])

    def stream(
        self,
        source: FrameSource,
        watch: Stopwatch,
        writer: SceneWriter | None = None,
        note: Callable[[Scene], None] = lambda scene: None,
    ) -> Iterator[PlacedFrame]:
        """Yield every frame's geometry; the images go to the writer as they are read, if it wants them.

        note: is shown every window's scene.
        """

        def frames() -> Iterator[Tensor]:
            for name, image in zip(image_names(source), watch.each("reading", source), strict=False):
                if writer is not None:
                    writer.save_image(name, image)
                yield image

        placed = stream_geometry(
            self.model,
            frames(),
            length=self.window.length,
            overlap=self.window.overlap,
            device=self.runtime.torch_device,
            autocast=self.runtime.autocast,
            source=origin(source),
            note=note,
        )
        with explained_memory(self._memory_advice(source)):
            yield from watch.each("model", placed)

    def _follow_points(self, source: FrameSource, writer: SceneWriter, watch: Stopwatch) -> dict[str, int]:
        """The tracker's files and figure, if there is one."""
        if self.tracker is None:
            return {}
        pieces = track_source(
            self.tracker, source, side=self.files.track_grid, window=self.window, runtime=self.runtime
        )
        _log.info("%s: cameras and depth are done; following points", source.name)
        with watch.stage("tracking"):
            return {"tracks": writer.add_tracks(pieces)}

    def _check_model(self) -> None:
        """A ValueError if the model can give no geometry, before anything is read."""
        if not hasattr(self.model, "geometry"):
            raise ValueError(
                f"{type(self.model).__name__} says nothing of cameras and depth; choose model=geometry, which takes "
                "any backbone with geometry heads"
            )
        if self.window.interleave != 1:
            raise ValueError("window.interleave is for motion masks; a reconstruction takes the frames as they come")
        reconstruction_heads(self.model.available_heads)

    def _load_weights(self) -> None:
        default = "none" if self.pretrained else "shipped"
        try:
            if needs_weights(self.model):
                load_task_weights(
                    self.model,
                    checkpoint=self.checkpoint,
                    default=default,
                    shipped=self.shipped,
                    pretrained=self.pretrained,
                )
        except ValueError as error:
            if default != "shipped" or self.checkpoint not in (None, "auto"):
                raise
            raise ValueError(
                f"the weights that ship with the package, {self.shipped}, are not those of this network; give "
                "pretrained.backbone=FILE (python -m prepare.weights brings published ones), checkpoint=FILE or a run "
                "folder, or checkpoint=none for untrained weights"
            ) from error
        prepare_tracker(self.tracker, self.runtime)
        prepare_inference(self.model, self.runtime)

    def _settings(self, source: FrameSource) -> dict[str, Any]:
        """Everything that a result depends on: if it has not changed, the sequence need not be computed again."""
        return {
            **identity(source),
            "window": asdict(self.window),
            "fps": self.fps,
            "max_frames": self.max_frames,
            "files": asdict(self.files),
            "precision": "bf16" if self.runtime.is_bf16 else "fp32",
            "model": describe_model(self.model),
            "tracker": None if self.tracker is None else describe_tracker(self.tracker),
        }

    def _summary(
        self, source: FrameSource, count: int, watch: Stopwatch, scenes: list[dict[str, Any]]
    ) -> dict[str, Any]:
        height, width = source.size
        warnings = [] if count > 1 else ["a single frame has no camera path, and its depth is a guess from one view"]
        for warning in warnings:
            _log.warning("%s: %s", source.name, warning)
        return {
            "name": source.name,
            "frames": count,
            "height": height,
            "width": width,
            "frame_rate": source.frame_rate,
            "checkpoint": self.checkpoint,
            "seconds": watch.seconds(),
            "warnings": warnings,
            **({"optimised": scenes} if scenes else {}),
            "settings": self._settings(source),
        }

    def _memory_advice(self, source: FrameSource) -> str:
        height, width = source.size
        length = max(2, self.window.length // 2)
        return (
            f"not enough memory for windows of {self.window.length} frames of {source.name} ({height}x{width}); try "
            f"window.length={length} window.overlap={max(1, min(self.window.overlap, length // 2))}"
        )


def reconstruct_video(
    input: str | Path,
    *,
    model: Any = None,
    output: str | Path | None = None,
    window: Window | None = None,
    files: SceneFiles | None = None,
    runtime: Runtime | None = None,
    fps: float | None = None,
    max_frames: int | None = None,
) -> ReconstructedVideo:
    """Cameras, depth and points of one video (or folder, or glob of frames).

    model: as in `Reconstruct`, with its weights; None: the small network that ships with the package. output: a folder
    that gets the files of task=reconstruct too. The result holds all frames' depth at once; for long videos use
    `Reconstruct`.
    """
    if model is None:
        model, window = shipped_geometry_model(), window or SHIPPED_GEOMETRY_WINDOW
    sources = open_input(input, fps=fps, max_frames=max_frames)
    if len(sources) != 1:
        raise ValueError(f"{input} holds {len(sources)} sequences; name one of them, or use Reconstruct for all")
    task = Reconstruct(model, input, output=output or ".", files=files, runtime=runtime, window=window)
    task._check_model()
    place_model(model, task.runtime)
    frames = task.stream(sources[0], Stopwatch()) if output is None else task.write_results(sources[0])
    cloud = CloudSample(task.files.points.most)
    kept: list[tuple[Tensor, ...]] = []
    for frame in frames:
        keep = task.files.points.keep(frame)
        cloud.add(frame.points_world[keep], (frame.image.permute(1, 2, 0)[keep] * 255).round().to(torch.uint8))
        kept.append((frame.camera_to_world, frame.native_intrinsics, frame.depth, frame.confidence))
    poses, intrinsics, depth, confidence = (torch.stack(part) for part in zip(*kept, strict=True))
    return ReconstructedVideo(
        sources[0].name, sources[0].frame_rate, poses, intrinsics, depth, confidence, *cloud.drawn()
    )


def image_names(source: FrameSource) -> Iterator[str]:
    """File names of the frames: the input's own if it is files that keep their stems, else NAME.png."""
    suffixes = (path.suffix for path in getattr(source, "paths", ()))
    return (
        f"{name}{suffix}" for name, suffix in zip(frame_names(source), chain(suffixes, repeat(".png")), strict=False)
    )


def _optimised(scene: Scene) -> list[dict[str, Any]]:
    """What the summary says of a window that was optimised."""
    free = list(scene.optimised)
    return [{"free": free, "losses": {name: round(value, 9) for name, value in scene.losses.items()}}] if free else []


def _title(source: FrameSource, count: int) -> str:
    height, width = source.size
    rate = f", {source.frame_rate:.4g} per second" if source.frame_rate else ""
    return f"{source.name}: {count} frames of {width}x{height}{rate}"
