"""Tracks by VGGT's head: queries in any frame, native pixels."""

import pytest
import torch

from motion4d.clip import Clip
from motion4d.framing import Letterbox, Native
from motion4d.io.weights import write_safetensors
from motion4d.tracks.vggt import LearnedTracker
from tests.backbones.test_vggt import tiny, tiny_track_head


@torch.no_grad()
def test_tracker_follows_queries_of_any_frame():
    model = tiny(track_head=tiny_track_head())
    clip = Clip(images=torch.rand(2, 3, 3, 20, 30))
    queries = torch.tensor([[0.0, 3, 4], [2.0, 29, 19], [2.0, 8, 8]]).expand(2, -1, -1)
    tracks = LearnedTracker(model, Native(8))(clip, queries)
    assert tracks.positions.shape == (2, 3, 3, 2)
    assert tracks.visibility.dtype == torch.bool
    for index, frame in enumerate((0, 2, 2)):
        assert torch.equal(tracks.positions[:, frame, index], queries[:, index, 1:])
        assert tracks.visibility[:, frame, index].all()


@torch.no_grad()
def test_positions_are_native_pixels():
    model = tiny(track_head=tiny_track_head())
    clip, queries = Clip(images=torch.rand(1, 2, 3, 20, 30)), torch.tensor([[[0.0, 3, 4]]])
    framing = Letterbox(16, 8)
    tracks = LearnedTracker(model, framing)(clip, queries)
    images = framing(20, 30).images(clip.images)
    said = model.track(model.track_features(images), framing(20, 30).points(queries[..., 1:]))
    assert torch.allclose(tracks.positions[:, 1], framing(20, 30).undo_points(said.positions[-1][:, 1]), atol=1e-4)


@torch.no_grad()
def test_weights_are_read_at_the_first_clip(tmp_path):
    known, other = (tiny(track_head=tiny_track_head()) for _ in range(2))
    clip, queries = Clip(images=torch.rand(1, 2, 3, 16, 16)), torch.tensor([[[0.0, 3, 4]]])
    path = tmp_path / "weights.safetensors"
    write_safetensors(path, known.state_dict())
    expected = LearnedTracker(known, Native(8))(clip, queries)
    assert torch.equal(LearnedTracker(other, Native(8), weights=path)(clip, queries).positions, expected.positions)
    with pytest.raises(FileNotFoundError, match="prepare.weights vggt"):
        LearnedTracker(other, Native(8), weights=tmp_path / "vggt" / "model.safetensors")(clip, queries)
