"""refine=sam2 in the tasks: windows, files, resume, scores, missing weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motion4d.clip import Clip, Source
from motion4d.engine.evaluate import Evaluate
from motion4d.engine.predict import Predict, segment_video
from motion4d.engine.refining import refine_clip, refine_results, windows
from motion4d.engine.results import FrameResult
from motion4d.engine.runtime import Runtime
from motion4d.framing import Native
from motion4d.io.masks import read_mask
from motion4d.refine.even_odd import EvenOdd
from motion4d.refine.sam2 import Sam2Tracker
from tests.engine.toy import Brightness
from tests.io.media import make_frames, moving_square
from tests.reference.procedures.geomotion import NearestPrompt
from tests.refine.small import small_network

RUNTIME = Runtime(device="cpu", precision="fp32")


class Counting(NearestPrompt):
    """Remembers how many frames it was given at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def encode(self, images: torch.Tensor) -> int:
        self.seen.append(len(images))
        return super().encode(images)


@given(length=st.integers(2, 7), overlap=st.integers(0, 6), count=st.integers(0, 30))
def test_windows_hold_every_item_once_as_new(length: int, overlap: int, count: int) -> None:
    overlap = min(overlap, length - 1)
    parts = list(windows(range(count), length, overlap))
    assert [item for window, known in parts for item in window[known:]] == list(range(count))
    assert all(len(window) <= length and window == list(range(window[0], window[-1] + 1)) for window, _ in parts)
    assert [known for _, known in parts] == [0, *[overlap] * (len(parts) - 1)][: len(parts)]


def results(count: int) -> list[FrameResult]:
    """Frames of a walking square, of which a perfect model is sure."""
    frames = moving_square(count, 24, 64)
    return [FrameResult(one, (one[..., 0] > 127).astype(np.float32), one[..., 0] > 127) for one in frames]


def test_a_stream_is_refined_like_a_clip_in_windows_of_the_same_size() -> None:
    given, tracker = results(11), Counting()
    refiner = EvenOdd(tracker, window=4, overlap=1)
    streamed = list(refine_results(iter(given), refiner, runtime=RUNTIME, threshold=0.5))
    assert tracker.seen == [4, 4, 4, 2]
    assert all((new.image == old.image).all() for new, old in zip(streamed, given, strict=True))
    # an odd frame gets the mask of the frame before it, which is the nearest even one
    assert (streamed[1].mask == given[0].mask).all()
    images = torch.from_numpy(np.stack([one.image for one in given])).permute(0, 3, 1, 2)
    probabilities = torch.from_numpy(np.stack([one.probabilities for one in given]))
    masks = refine_clip(images, probabilities, refiner, runtime=RUNTIME, threshold=0.5)
    assert (masks.numpy() == np.stack([one.mask for one in streamed])).all()


def test_a_stream_is_read_only_as_far_as_needed() -> None:
    taken = []
    source = (taken.append(1) or one for one in results(20))
    next(refine_results(source, EvenOdd(NearestPrompt(), window=4, overlap=1), runtime=RUNTIME, threshold=0.5))
    assert len(taken) == 4


def predict(folder, output, refiner, **settings) -> dict:
    task = Predict(Brightness(Native(16)), folder, output=output, runtime=RUNTIME, refine=refiner, **settings)
    (summary,) = task.run().values()
    return summary


def test_predict_with_a_small_random_sam2_writes_refined_masks(tmp_path) -> None:
    frames = moving_square(6)
    folder = make_frames(tmp_path / "seq", frames)
    refiner = EvenOdd(Sam2Tracker(network=small_network()), window=4, overlap=1)
    summary = predict(folder, tmp_path / "out", refiner)
    masks = np.stack([read_mask(tmp_path / "out" / "masks" / f"{k:05d}.png") for k in range(6)])
    expected = segment_video(folder, model=Brightness(Native(16)), runtime=RUNTIME, refine=refiner).masks.numpy()
    assert (masks == expected).all()
    assert (masks != np.stack(frames)[..., 0].astype(bool)).any()
    said = json.loads((tmp_path / "out" / "summary.json").read_text())["settings"]["refine"]
    assert (said["class"], said["prompt_threshold"], said["tracker"]["class"]) == ("EvenOdd", 0.8, "Sam2Tracker")
    assert said["weights_checksum"] != "00000000"
    assert "refining" in summary["seconds"]


def test_another_refinement_is_computed_anew_and_the_same_one_is_not(tmp_path) -> None:
    folder = make_frames(tmp_path / "seq", moving_square(5))
    first, second, third = Counting(), Counting(), Counting()
    assert predict(folder, tmp_path / "out", None)["settings"]["refine"] is None
    refined = predict(folder, tmp_path / "out", EvenOdd(first))
    assert first.seen
    assert predict(folder, tmp_path / "out", EvenOdd(second)) == refined
    assert not second.seen
    predict(folder, tmp_path / "out", EvenOdd(third, combine="or"))
    assert third.seen


def test_missing_weights_are_known_before_the_first_sequence(tmp_path) -> None:
    for name in "ab":
        make_frames(tmp_path / "in" / name, moving_square(3))
    refiner = EvenOdd(Sam2Tracker(tmp_path / "sam2_tiny" / "sam2.1_hiera_tiny.pt"))
    with pytest.raises(FileNotFoundError, match=r"python -m prepare\.weights sam2_tiny"):
        Predict(Brightness(), tmp_path / "in", output=tmp_path / "out", runtime=RUNTIME, refine=refiner).run()


def test_too_little_memory_says_what_to_try() -> None:
    class Full(NearestPrompt):
        def encode(self, images: torch.Tensor) -> int:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes.")

    with pytest.raises(MemoryError, match=r"refine\.window=16 refine\.overlap=4"):
        list(refine_results(results(3), EvenOdd(Full()), runtime=RUNTIME, threshold=0.5))


def test_evaluation_refines_our_model_and_not_the_baselines(tmp_path) -> None:
    images = torch.from_numpy(np.stack(moving_square(5, 24, 64))).permute(0, 3, 1, 2)[None] / 255
    clip = Clip(images, motion=images[:, :, 0] > 0.5, sources=(Source("toys", "walk"),))
    tracker = Counting()
    task = Evaluate(
        Brightness(Native(8)),
        {"eval": [clip]},
        output=tmp_path / "run",
        runtime=RUNTIME,
        baselines={"plain": Brightness(Native(8))},
        refine=EvenOdd(tracker, prompt_threshold=0.7),
    )
    models = task.run()["models"]
    assert tracker.seen == [5]
    assert models["plain"]["overall"]["IoU"] == 1
    assert 0.7 < models["ours"]["overall"]["IoU"] < 1  # every mask is a neighbour's
