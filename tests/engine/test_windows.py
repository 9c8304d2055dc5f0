"""Windows over long clips: every frame once and in order, no seams, and the stream says what the clip says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motion4d.clip import Clip, Flow, Source
from motion4d.engine.windows import STATIC_LOGIT, Window, segment_clip, stream_logits
from motion4d.framing import Native, Square
from tests.engine.toy import Brightness, FlowMagnitude, PerWindow, Stems


def random_frames(count: int, height: int = 6, width: int = 10) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(count))


def segment_stream(model, frames, window, **given):
    """Logits at native size, as a prediction shows them."""
    for framing, logits in stream_logits(model, frames, window, **given):
        yield framing.undo_values(logits)


windows = st.integers(2, 9).flatmap(
    lambda n: st.builds(Window, st.just(n), st.integers(0, n - 1), interleave=st.integers(1, 4))
)


@settings(max_examples=60, deadline=None)
@given(window=windows, count=st.integers(2, 30))
def test_a_per_frame_model_gives_the_same_whatever_the_window(window, count):
    frames = random_frames(count)
    model = Brightness(Native(multiple=4))
    window = window.fitted(count)
    streamed = torch.stack(list(segment_stream(model, iter(frames), window)))
    torch.testing.assert_close(streamed, 8 * (frames[:, 0] - 0.5))
    assert max(model.seen) <= window.length
    assert min(model.seen) >= 2
    torch.testing.assert_close(segment_clip(model, Clip(frames[None]), window).logits[0], streamed)


@settings(max_examples=30, deadline=None)
@given(window=windows, count=st.integers(2, 30))
def test_stream_and_clip_cut_the_same_windows(window, count):
    frames = random_frames(count)
    window = replace(window, interleave=1)  # groups take turns in a stream: calls have another order
    streamed = torch.stack(list(segment_stream(PerWindow(), frames, window)))
    whole = segment_clip(PerWindow(), Clip(frames[None]), window).logits[0]
    torch.testing.assert_close(streamed, whole)


def test_interleaved_groups_are_windows_of_their_own_in_stream_and_clip():
    frames = random_frames(10)
    source = Source("d", "s", tuple("abcdefghij"))
    window = Window(3, 0, interleave=4)
    expected = {("a", "e", "i"), ("b", "f", "j"), ("c", "g"), ("d", "h")}
    for run in (
        lambda model: list(segment_stream(model, frames, window, source=source)),
        lambda model: segment_clip(model, Clip(frames[None], sources=(source,)), window),
    ):
        model = Stems()
        run(model)
        assert set(model.stems) == expected


def test_no_group_has_a_single_frame():
    assert [Window(8, 0, interleave=4).fitted(n).interleave for n in (None, 9, 8, 7, 3, 1)] == [4, 4, 4, 3, 1, 1]


@pytest.mark.parametrize(("count", "calls"), [(2, [2]), (7, [7]), (8, [8]), (9, [8, 4]), (13, [8, 8]), (14, [8, 8, 4])])
def test_windows_of_short_clips(count, calls):
    model = Brightness()
    assert len(list(segment_stream(model, random_frames(count), Window(8, 3)))) == count
    assert model.seen == calls


def test_overlaps_are_blended_by_a_straight_ramp():
    logits = [float(x.mean()) for x in segment_stream(PerWindow(), random_frames(13), Window(8, 3))]
    torch.testing.assert_close(logits, [1.0] * 5 + [1.25, 1.5, 1.75] + [2.0] * 5)


def test_a_lonely_last_frame_gets_the_frame_before_it_as_context():
    model = Brightness()
    logits = list(segment_stream(model, random_frames(9), Window(4, 0)))
    assert model.seen == [4, 4, 2]
    assert len(logits) == 9
    assert [float(x.mean()) for x in segment_stream(PerWindow(), random_frames(5), Window(4, 0))] == [1, 1, 1, 1, 2]


def test_one_frame_is_static_and_no_frame_is_nothing():
    model = Brightness()
    (only,) = segment_stream(model, random_frames(1), Window())
    assert (only == STATIC_LOGIT).all()
    assert only.shape == (6, 10)
    assert (segment_clip(model, Clip(random_frames(1)[None]), Window()).logits == STATIC_LOGIT).all()
    assert model.seen == []
    assert list(segment_stream(model, [], Window())) == []


def test_bytes_and_floats_give_the_same():
    frames = (random_frames(3) * 255).round().to(torch.uint8)
    from_bytes = list(segment_stream(Brightness(), frames, Window()))
    from_floats = list(segment_stream(Brightness(), frames.float() / 255, Window()))
    torch.testing.assert_close(from_bytes, from_floats)


def test_logits_come_back_to_native_size_also_from_batches():
    frames = random_frames(2 * 5, 21, 33)
    clip = Clip(frames.reshape(2, 5, 3, 21, 33))
    motion = segment_clip(Brightness(Square(28)), clip, Window(4, 2))
    assert motion.logits.shape == (2, 5, 21, 33)
    streamed = torch.stack(list(segment_stream(Brightness(Square(28)), frames[5:], Window(4, 2))))
    torch.testing.assert_close(motion.logits[1], streamed)


def test_the_clips_estimated_flow_and_source_reach_the_model_in_network_pixels():
    forward = torch.zeros(1, 5, 2, 8, 8)
    forward[:, :, 0] = torch.arange(5.0).view(1, 5, 1, 1)
    clip = Clip(random_frames(6, 8, 8)[None], estimated_flow=Flow(forward), sources=(Source(frames=tuple("abcdef")),))
    model = FlowMagnitude()
    logits = segment_clip(model, clip, Window(3, 1)).logits[0].mean((1, 2))
    torch.testing.assert_close(logits, torch.tensor([0.0, 1, (1 + 2) / 2, 3, (3 + 4) / 2, 4]))
    model.framing = Square(16)
    doubled = segment_clip(model, clip, Window(6, 0)).logits[0].mean((1, 2))
    torch.testing.assert_close(doubled, 2 * torch.tensor([0.0, 1, 2, 3, 4, 4]))


def test_framing_stays_exact_inside_a_callers_autocast():
    frames = random_frames(3, 20, 20)
    exact = torch.stack(list(segment_stream(Brightness(Square(14)), frames, Window())))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(torch.stack(list(segment_stream(Brightness(Square(14)), frames, Window()))), exact)


def test_a_stream_is_read_only_as_far_as_needed():
    taken = 0

    def frames():
        nonlocal taken
        for frame in random_frames(40):
            taken += 1
            yield frame

    stream = segment_stream(Brightness(), frames(), Window(8, 2))
    next(stream)
    assert taken <= 8 + 6


@pytest.mark.parametrize(("length", "overlap"), [(1, 0), (4, 4), (4, -1)])
def test_impossible_windows_are_refused(length, overlap):
    with pytest.raises(ValueError, match="window"):
        Window(length, overlap)
