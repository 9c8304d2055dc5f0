"""Chained flow: exact where the flow is, honest about what is hidden, and accurate enough on procedural scenes."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

from motion4d.clip import Clip, Flow
from motion4d.data.procedural import render, truth
from motion4d.data.procedural.dataset import ProceduralClips
from motion4d.flow.dis import DenseInverseSearch
from motion4d.tracks.chained_flow import ChainedFlow
from tests.flow.texture import moving_texture


def uniform(clip: Clip, u: float, v: float) -> Flow:
    field = (
        torch.tensor([float(u), float(v)]).view(2, 1, 1).expand(len(clip.images), clip.num_frames - 1, 2, *clip.size)
    )
    return Flow(field, -field)


def test_points_go_both_ways_from_their_query() -> None:
    clip = Clip(torch.zeros(1, 5, 3, 20, 30))
    queries = torch.tensor([[[0.0, 3, 4], [2, 10, 9.5], [4, 28, 18]]])
    tracks = ChainedFlow(lambda clip: uniform(clip, 2, -1))(clip, queries)
    steps = torch.arange(5.0)[:, None] - queries[0, :, 0]
    expected = queries[0, :, 1:] + steps[..., None] * torch.tensor([2.0, -1.0])
    torch.testing.assert_close(tracks.positions[0], expected)
    is_inside = (expected[..., 1] >= 0) & (expected[..., 1] <= 19) & (expected[..., 0] <= 29)
    assert torch.equal(tracks.visibility[0], is_inside)


def test_a_covered_point_is_hidden_to_the_end() -> None:
    forward, backward = torch.zeros(2, 1, 4, 2, 20, 40)
    for t in range(4):  # a square of 8 pixels moves 6 to the right per frame, over a still background
        forward[0, t, 0, 6:14, 4 + 6 * t : 12 + 6 * t] = 6
        backward[0, t, 0, 6:14, 10 + 6 * t : 18 + 6 * t] = -6
    clip = Clip(torch.zeros(1, 5, 3, 20, 40), estimated_flow=Flow(forward, backward))
    queries = torch.tensor([[[0.0, 8, 10], [0, 20, 10], [0, 20, 2]]])
    tracks = ChainedFlow(DenseInverseSearch())(clip, queries)
    assert tracks.visibility[0].T.tolist() == [[True] * 5, [True, True, False, False, False], [True] * 5]
    assert tracks.positions[0, :, 0, 0].tolist() == [8, 14, 20, 26, 32]


def test_real_flow_and_a_batch() -> None:
    clip = moving_texture(64, 80, u=2, v=1, frames=5, batch=2)
    queries = torch.tensor([[[0.0, 20, 20], [4, 50, 40]], [[2, 30, 30], [1, 40, 20]]])
    tracks = ChainedFlow(DenseInverseSearch(finest_scale=0))(clip, queries)
    assert tracks.positions.shape == (2, 5, 2, 2)
    steps = torch.arange(5.0)[None, :, None] - queries[:, None, :, 0]
    expected = queries[:, None, :, 1:] + steps[..., None] * torch.tensor([2.0, 1.0])
    assert (tracks.positions - expected).norm(dim=-1).max() < 0.5
    assert tracks.visibility.all()


@pytest.mark.parametrize(
    ("query", "message"),
    [((5, 1, 1), "from 0 to 4"), ((0.5, 1, 1), "whole number"), ((0, 30, 1), "outside"), ((0, 1, -1), "outside")],
)
def test_bad_queries(query: tuple[float, ...], message: str) -> None:
    clip = Clip(torch.zeros(1, 5, 3, 20, 30))
    with pytest.raises(ValueError, match=message):
        ChainedFlow(DenseInverseSearch())(clip, torch.tensor([[query]], dtype=torch.float32))
    with pytest.raises(ValueError, match="for 2 videos"):
        ChainedFlow(DenseInverseSearch())(clip, torch.zeros(2, 1, 3))


def random_queries(count: int, frames: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    sides = (frames, width, height)
    return torch.stack([torch.randint(side, (count,), generator=generator) for side in sides], -1)


def test_true_tracks_agree_with_true_flow() -> None:
    clips = ProceduralClips(num_clips=1, num_frames=5, height=60, width=80, seed=3)
    clip, scenery = clips[0], clips.scenery(0)
    queries = random_queries(200, 5, 60, 80)
    exact = truth.tracks(scenery, render.cast(scenery, 60, 80, torch.device("cpu")), queries)
    frames = queries[:, 0]
    own = torch.arange(200)
    torch.testing.assert_close(exact.positions[0, frames, own], queries[:, 1:].float(), atol=1e-3, rtol=0)
    assert exact.visibility[0, frames, own].all()
    early = frames < 4
    assert clip.flow is not None
    moved = clip.flow.forward[0, frames[early], :, queries[early, 2], queries[early, 1]]
    there = exact.positions[0, frames[early] + 1, own[early]]
    torch.testing.assert_close(there, queries[early, 1:] + moved, atol=1e-2, rtol=0)


def test_accuracy_on_a_procedural_scene() -> None:
    error, precision, recall = accuracy(ProceduralClips(num_clips=2, num_frames=8, height=120, width=160, seed=7), [1])
    assert error < 1
    assert precision > 0.9
    assert recall > 0.6


@pytest.mark.slow
def test_accuracy_over_24_frames() -> None:
    """The promise of the default tracks; `pytest -m slow -s` shows the numbers."""
    clips = ProceduralClips(num_clips=6, num_frames=24, height=240, width=320, seed=7)
    error, precision, recall = accuracy(clips, range(6))
    print(f"median error {error:.2f} px; visible points: precision {precision:.3f}; hidden ones: recall {recall:.3f}")
    assert error < 1.5
    assert precision >= 0.9
    assert recall >= 0.6


def accuracy(clips: ProceduralClips, which: Iterable[int], points: int = 300) -> tuple[float, float, float]:
    """Of random surface points of these clips, all frames together.

    The median error in pixels where they show; how many of those called visible are; how many hidden ones were found.
    """
    errors, shown, said = [], [], []
    for k in which:
        clip, scenery = clips[k], clips.scenery(k)
        queries = random_queries(points, clip.num_frames, *clip.size)
        exact = truth.tracks(scenery, render.cast(scenery, *clip.size, torch.device("cpu")), queries)
        tracks = ChainedFlow(DenseInverseSearch(finest_scale=0))(clip, queries[None].float())
        errors.append((tracks.positions - exact.positions).norm(dim=-1)[exact.visibility])
        shown.append(exact.visibility.flatten())
        said.append(tracks.visibility.flatten())
    visible, found = torch.cat(shown), torch.cat(said)
    precision = (visible & found).sum() / found.sum()
    recall = (~visible & ~found).sum() / (~visible).sum()
    return torch.cat(errors).median().item(), precision.item(), recall.item()
