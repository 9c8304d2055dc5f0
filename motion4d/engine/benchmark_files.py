"""Predictions of published data sets, in the benchmark's own files: SEQUENCE/STEM.png for every labelled frame.

8-bit probabilities where the protocol cuts them itself, masks otherwise, at the size of the annotations. Nothing is
done twice (motion4d.engine.once). Frames stream: memory does not grow with length (a refiner decides how many it wants
at once).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion4d.engine.collection import identity
from motion4d.engine.inference import Inference
from motion4d.engine.once import write_once
from motion4d.engine.refining import describe_refiner, refine_results
from motion4d.engine.segment import describe_model, segment_source
from motion4d.engine.stopwatch import Stopwatch, log_progress
from motion4d.engine.windows import Window
from motion4d.io.frames import ImageFrames
from motion4d.io.images import image_size, resized, write_image
from motion4d.io.labels import read_probability
from motion4d.layouts.sequence import SequenceFiles
from motion4d.metrics.objects import Merged
from motion4d.metrics.protocols import Protocol
from motion4d.metrics.resampling import probability_bytes


class FramesAtTruth(ImageFrames):
    """The frames that a model is shown of a sequence, at the size of its annotations.

    labelled_only: the labelled ones alone; is_thinned says whether that left any out.
    """

    def __init__(self, sequence: SequenceFiles, *, labelled_only: bool = False) -> None:
        if not sequence.annotations:
            raise ValueError("no frame of the sequence has an annotation to compare with")
        labelled = [image for image in sequence.images if image.stem in sequence.annotations]
        paths = labelled if labelled_only else sequence.images
        super().__init__(paths, path=sequence.images[0].parent)
        self.name = sequence.name
        self.is_thinned = len(paths) < len(sequence.images)
        self.truth_size = image_size(next(iter(sequence.annotations.values())))

    def __iter__(self) -> Iterator[Tensor]:
        """Yield [3, H, W] uint8; frames of another size are resized with Pillow's bilinear filter, as published."""
        for frame in super().__iter__():
            if tuple(frame.shape[1:]) == self.truth_size:
                yield frame
            else:
                yield torch.from_numpy(resized(frame.permute(1, 2, 0).numpy(), self.truth_size)).permute(2, 0, 1)


@dataclass(frozen=True)
class SequencePredictor:
    """Writes what the model `model` of an inference says of sequences, in the form that `protocol` reads."""

    inference: Inference
    model: str
    protocol: Protocol
    labelled_only: bool = False

    def write(self, sequence: SequenceFiles, folder: Path) -> None:
        """Fill folder/SEQUENCE, unless it was finished with the same settings."""
        source = FramesAtTruth(sequence, labelled_only=self.labelled_only)
        source.check()

        def write(hidden: Path, watch: Stopwatch) -> None:
            images = log_progress(self._images(source, watch), sequence.name, source.length)
            for stem, image in zip(source.stems, images, strict=True):
                if stem in sequence.annotations:
                    write_image(hidden / f"{stem}.png", image)

        def is_complete(target: Path) -> bool:
            return all((target / f"{stem}.png").is_file() for stem in sequence.annotations)

        settings = self._settings(source)
        write_once(folder, sequence.name, settings, write, frames=source.length, is_complete=is_complete)

    @property
    def is_soft(self) -> bool:
        """Whether the protocol reads probabilities."""
        return self.protocol.read_prediction is read_probability

    def _images(self, source: FramesAtTruth, watch: Stopwatch) -> Iterator[np.ndarray]:
        """Yield [H, W] uint8 for every frame."""
        runtime, threshold = self.inference.runtime, self.inference.threshold
        results = segment_source(
            self.inference.models[self.model],
            source,
            window=self._window(source),
            runtime=runtime,
            threshold=threshold,
            watch=watch,
            native=not self.is_soft,
        )
        refiner = self.inference.refiner(self.model)
        if refiner is not None:
            results = refine_results(results, refiner, runtime=runtime, threshold=threshold)
        foreground = np.uint8(255 if isinstance(self.protocol.objects, Merged) else 1)  # elsewhere values are ids
        for result in results:
            if self.is_soft:
                yield probability_bytes(result.probabilities if refiner is None else result.mask, source.truth_size)
            else:
                yield result.mask * foreground

    def _window(self, source: FramesAtTruth) -> Window:
        """Frames that lie far apart already are not interleaved."""
        return replace(self.inference.window, interleave=1) if source.is_thinned else self.inference.window

    def _settings(self, source: FramesAtTruth) -> Mapping[str, Any]:
        """Everything that the files depend on."""
        return {
            **identity(source),
            "images": source.length,
            "size": source.truth_size,
            "probabilities": self.is_soft,
            "objects": type(self.protocol.objects).__name__,
            "threshold": self.inference.threshold,
            "window": asdict(self._window(source)),
            "precision": "bf16" if self.inference.runtime.is_bf16 else "fp32",
            "model": describe_model(self.inference.models[self.model]),
            "refine": describe_refiner(self.inference.refiner(self.model)),
        }
