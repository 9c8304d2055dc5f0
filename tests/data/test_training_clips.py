"""Views, recordings and mixtures of clips: what training sees is what the truth says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motion4d.clip import Clip, Flow, Source
from motion4d.data.augment import MotionViews
from motion4d.data.joined import Joined
from motion4d.data.recorded import Recorded


class Bars:
    """Clip k: a bright bar that steps to the right; the bar is what moves."""

    def __init__(self, length: int = 3, identity: str = "bars") -> None:
        self.length = length
        self.identity = identity
        self.made = 0

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Clip:
        self.made += 1
        motion = torch.zeros(1, 6, 8, 16, dtype=torch.bool)
        for frame in range(6):
            motion[:, frame, :, frame + index] = True
        images = motion[:, :, None].expand(-1, -1, 3, -1, -1) * 0.8 + 0.1
        return Clip(images, motion=motion, sources=(Source("bars", f"{index:04d}", tuple("012345")),))


def test_views_keep_image_and_mask_together() -> None:
    views = MotionViews(Bars(), num_frames=4, colour=0.0)
    seen = set()
    for _ in range(40):
        clip = views[0]
        assert clip.motion is not None
        assert clip.num_frames == 4
        assert torch.equal(clip.images[:, :, 0] > 0.5, clip.motion)
        columns = clip.motion[0, :, 0].int().argmax(-1)
        seen.add((int(columns[0]), int(columns[1] - columns[0])))
    assert {step for _, step in seen} == {-1, 1}  # mirrored and reversed views occur
    assert len({start for start, _ in seen}) > 4


def test_colour_changes_images_only() -> None:
    clip = MotionViews(Bars(), colour=0.5)[1]
    assert clip.motion is not None
    assert clip.motion.sum() == 6 * 8
    assert clip.images.min() >= 0
    assert clip.images.max() <= 1
    assert not torch.equal(clip.images.unique(), Bars()[1].images.unique())


def test_recorded_clips_are_made_once(tmp_path: Path) -> None:
    bars = Bars()
    recorded = Recorded(bars, tmp_path)
    first, again = recorded[2], recorded[2]
    assert bars.made == 1
    assert torch.equal(first.images, again.images)
    truth = Bars()[2]
    assert truth.motion is not None
    assert again.motion is not None
    assert torch.equal(again.motion, truth.motion)
    assert (again.images - truth.images).abs().max() <= 0.5 / 255 + 1e-6
    assert again.sources == truth.sources
    assert not list(tmp_path.rglob(".*"))


def test_other_clips_have_another_recording(tmp_path: Path) -> None:
    Recorded(Bars(), tmp_path)[0]
    other = Bars(identity="other bars")
    Recorded(other, tmp_path)[0]
    assert other.made == 1


def test_joined_clips() -> None:
    joined = Joined([Bars(2), Bars(3)])
    assert len(joined) == 5
    assert [clip.sources[0].sequence for clip in (joined[k] for k in range(5))] == [
        "0000",
        "0001",
        "0000",
        "0001",
        "0002",
    ]
    with pytest.raises(IndexError):
        joined[5]


class Shift:
    """A flow estimator that says the bars' true flow: one pixel to the right, everywhere."""

    def __call__(self, clip: Clip) -> Flow:
        forward = torch.zeros(1, clip.num_frames - 1, 2, *clip.size)
        forward[:, :, 0] = 1.0
        return Flow(forward, -forward)


def test_kept_flow_follows_every_view(tmp_path: Path) -> None:
    views = MotionViews(Recorded(Bars(), tmp_path, flow=Shift()), num_frames=3, colour=0.0)
    steps = set()
    for _ in range(20):
        clip = views[1]
        assert clip.motion is not None
        assert clip.estimated_flow is not None
        assert clip.estimated_flow.backward is not None
        columns = clip.motion[0, :, 0].int().argmax(-1)
        step = int(columns[1] - columns[0])
        steps.add(step)
        assert clip.estimated_flow.forward.shape == (1, 2, 2, 8, 16)
        assert (clip.estimated_flow.forward[:, :, 0] == step).all()
        assert (clip.estimated_flow.backward[:, :, 0] == -step).all()
    assert steps == {-1, 1}
