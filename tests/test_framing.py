"""Framing: every rule carries points, intrinsics and maps into the network's image and back."""

import pytest
import torch
import torch.nn.functional as F

from motion4d.framing import FitPixels, FitWidth, FitWidthThenSquare, Letterbox, Native, PaddedSquare, Square
from motion4d.geometry.projection import project

RULES = (
    *(FitPixels(20_000), FitWidth(98), FitWidthThenSquare(98), Letterbox(98), PaddedSquare(98), Square(98)),
    Native(14),
)
SIZES = ((60, 80), (80, 61), (20, 100))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
class TestEveryRule:
    def test_points_and_intrinsics_agree_and_come_back(self, rule, size):
        framing = rule(*size)
        camera = torch.tensor([[70.0, 0, 40], [0, 65, 28], [0, 0, 1]])
        point = torch.tensor([0.2, -0.1, 2.0])
        there = framing.points(project(point, camera))
        assert torch.allclose(there, project(point, framing.intrinsics(camera)), atol=1e-4)
        assert torch.allclose(framing.undo_points(there), project(point, camera), atol=1e-4)
        assert torch.allclose(framing.undo_intrinsics(framing.intrinsics(camera)), camera, atol=1e-4)

    def test_maps_follow_the_points(self, rule, size):
        framing = rule(*size)
        rows = torch.arange(size[0]).float()[:, None].expand(size)
        columns = torch.arange(size[1]).float().expand(size)
        inside = framing.values(torch.stack((columns, rows)))
        middle = torch.tensor([size[1] // 2, size[0] // 2]).float()
        x, y = framing.points(middle).round().int().tolist()
        back = framing.undo_points(torch.tensor([x, y]).float())
        assert torch.allclose(inside[:, y, x], back, atol=0.51)  # bilinear without antialiasing
        assert inside.shape[1:] == framing.size

    def test_masks_come_back(self, rule, size):
        framing = rule(*size)
        mask = torch.zeros(size, dtype=torch.bool)
        mask[size[0] // 3 : size[0] // 2, size[1] // 4 : size[1] // 2] = True
        back = framing.undo_labels(framing.labels(mask))
        assert back.shape == mask.shape
        assert (back != mask).float().mean() < 0.03

    def test_a_plain_colour_stays_and_the_rest_is_the_border(self, rule, size):
        framing = rule(*size)
        image = framing.images(torch.full((3, *size), 0.4))
        assert image.shape == (3, *framing.size)
        assert all(framing.size[i] % 14 == 0 for i in (0, 1))
        border = {0.4} if framing.fill is None else {0.4, framing.fill}
        wrong = torch.stack([(image - colour).abs() > 1e-5 for colour in border]).all(0)
        assert wrong.float().mean() < 0.06  # where picture and border mix


def test_a_tall_frame_is_cut_around_its_middle():
    framing = FitWidth(98)(200, 100)
    assert (framing.resized, framing.size, framing.offset) == ((196, 98), (98, 98), (-49, 0))
    image = torch.zeros(3, 200, 100)
    image[:, 90:110] = 1
    rows = framing.images(image)[0, :, 50]
    assert rows[49] == pytest.approx(1)
    assert rows[:36].abs().max() < 0.05
    depth = framing.undo_values(torch.arange(98.0)[:, None].expand(98, 98))
    assert depth[0, 0] == 0  # what was cut repeats the edge
    assert depth[199, 0] == 97


@pytest.mark.parametrize("size", [(436, 1024), (480, 640), (370, 1224), (300, 300), (640, 480)], ids=str)
def test_the_published_square_is_made_in_two_steps(size):
    """PAGE-4D's evaluation: VGGT's "crop" loading, then bilinear to a square without antialiasing."""
    torch.manual_seed(0)
    image = torch.rand(2, 3, *size)
    framing = FitWidthThenSquare()(*size)
    loaded = FitWidth()(*size).images(image)
    published = F.interpolate(loaded.double(), size=(518, 518), mode="bilinear", align_corners=False)
    assert framing.size == (518, 518)
    torch.testing.assert_close(framing.images(image), published.float(), atol=1e-6, rtol=0)

    # the way back is that of the two steps, one after the other
    camera = torch.tensor([[500.0, 0, 330], [0, 480, 200], [0, 0, 1]])
    first, second = FitWidth()(*size), Square(518)(*loaded.shape[-2:])
    point = torch.tensor([[3.0, 5.0], [200.0, 100.0]])
    assert torch.allclose(framing.points(point), second.points(first.points(point)), atol=1e-3)
    assert torch.allclose(framing.intrinsics(camera), second.intrinsics(first.intrinsics(camera)), atol=1e-3)
    assert torch.allclose(framing.undo_points(framing.points(point)), point, atol=1e-3)
    depth = 1 + torch.arange(float(size[0]))[:, None] / size[0] + torch.arange(float(size[1])) / size[1]
    cut = framing.offset[0] < 0  # of a tall frame only the middle comes back
    inner = slice(size[0] // 4, -size[0] // 4) if cut else slice(None)
    assert torch.allclose(framing.undo_values(framing.values(depth))[inner], depth[inner], atol=0.01)


def test_a_very_wide_frame_keeps_a_row_of_patches():
    assert FitWidth(98)(4, 400).size == (14, 98)
    assert Letterbox(98)(400, 4).resized == (98, 14)


def test_nothing_is_known_around_a_letterboxed_frame():
    framing = Letterbox(98)(60, 80)
    depth = framing.values(torch.ones(60, 80))
    assert depth[0, 0] == 0
    assert depth[49, 49] == 1
    assert (framing.undo_values(depth) == 1).all()
    assert framing.images(torch.zeros(3, 60, 80))[0, 0, 0] == 1
