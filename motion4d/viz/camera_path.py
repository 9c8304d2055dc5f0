"""Where a camera went: its path among the points it saw, as a picture and as lines in space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from motion4d.viz.colours import BACKGROUND, TEXT, heat

_SIDE, _GAP, _TITLE, _LABEL = 420, 8, 30, 24  # pixels
_SHARPER = 2  # drawn so many times larger, then reduced: lines come out smooth
_MOST_FRUSTA = 16  # in a picture
_DIM = 0.75  # brightness of the scene's points behind the path
_CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))  # of the image, as shares of width and height
# name, and the world's axes (OpenCV: x right, y down, z forward) that point right and up in the picture
_ABOVE, _BESIDE = ("from above", (0, 1), (2, 1)), ("from the right", (2, 1), (1, -1))
_View = tuple[str, tuple[int, int], tuple[int, int]]


def frusta(
    camera_to_world: NDArray[np.floating],
    intrinsics: NDArray[np.floating],
    size: tuple[int, int],
    depth: float,
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Cameras as pyramids of this depth: the ends of lines [N * 16, 3], every two of them one, and the ends' colours.

    camera_to_world [N, 4, 4], intrinsics [N, 3, 3], size (H, W) of the images. Colours go from dark to bright in time.
    """
    corners = np.array([[x * size[1] - 0.5, y * size[0] - 0.5, 1.0] for x, y in _CORNERS])
    rays = np.einsum("nij,cj->nci", np.linalg.inv(intrinsics), corners) * depth
    ends = np.einsum("nij,ncj->nci", camera_to_world[:, :3, :3], rays) + camera_to_world[:, None, :3, 3]
    centre = np.broadcast_to(camera_to_world[:, None, :3, 3], ends.shape)
    spokes, rim = np.stack((centre, ends), 2), np.stack((ends, np.roll(ends, -1, 1)), 2)
    lines = np.concatenate((spokes, rim), 1)  # [N, 8, 2, 3]
    colours = np.broadcast_to(time_colours(len(lines))[:, None, None], lines.shape)
    return lines.reshape(-1, 3), colours.reshape(-1, 3)


def time_colours(count: int) -> NDArray[np.uint8]:
    """[count, 3]: from the first frame, dark, to the last, bright."""
    return heat(np.linspace(0.3, 1.0, count)[None])[0]


def camera_path(
    camera_to_world: NDArray[np.floating],
    intrinsics: NDArray[np.floating],
    size: tuple[int, int],
    points: NDArray[np.floating],
    colours: NDArray[np.uint8],
    title: str,
) -> NDArray[np.uint8]:
    """[H', W', 3] uint8: the path with the scene from above, then alone from above and from the side.

    camera_to_world [N, 4, 4], intrinsics [N, 3, 3], size (H, W); points [P, 3] with colours [P, 3] of the scene.
    """
    centres = camera_to_world[:, :3, 3]
    seen = points if len(points) else centres
    scene = np.concatenate((centres, np.quantile(seen, (0.02, 0.98), axis=0)))
    far = float(np.median(np.linalg.norm(seen - centres[0], axis=1)))
    around = np.concatenate((centres, centres[:1] - 0.01 * far, centres[:1] + 0.01 * far))
    panels = [("with the scene, ", _ABOVE, scene), ("", _ABOVE, around), ("", _BESIDE, around)]
    sheet = Image.new("RGB", (3 * _SIDE + 4 * _GAP, _SIDE + _TITLE + _LABEL + _GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 6), title, fill=TEXT, font=ImageFont.load_default(size=16))
    for number, (prefix, view, shown) in enumerate(panels):
        panel = _Panel(view, shown)
        panel.dots(points, (colours * _DIM).astype(np.uint8))
        panel.path(camera_to_world, intrinsics, size)
        left = _GAP + number * (_SIDE + _GAP)
        sheet.paste(panel.finished(), (left, _TITLE + _LABEL))
        label = f"{prefix}{view[0]}; side of the picture: {panel.extent:.3g} units"
        draw.text((left, _TITLE), label, fill=TEXT, font=ImageFont.load_default(size=13))
    return np.asarray(sheet)


class _Panel:
    """A square picture of one view, whose side is `extent` units of the world."""

    def __init__(self, view: _View, shown: NDArray[np.floating]) -> None:
        self.axes, self.signs = zip(*view[1:], strict=True)
        flat = self._flat(shown)
        self.middle = (flat.min(0) + flat.max(0)) / 2
        self.extent = max(1.2 * float((flat.max(0) - flat.min(0)).max()), 1e-9)
        self.image = Image.new("RGB", (_SIDE * _SHARPER, _SIDE * _SHARPER), (12, 13, 16))
        self.draw = ImageDraw.Draw(self.image)

    def dots(self, points: NDArray[np.floating], colours: NDArray[np.uint8]) -> None:
        """The scene."""
        column, row = np.floor(self._pixels(points) / _SHARPER).astype(np.int64).T
        inside = (column >= 0) & (row >= 0) & (column < _SIDE) & (row < _SIDE)
        canvas = np.array(self.image.reduce(_SHARPER))
        canvas[row[inside], column[inside]] = colours[inside]
        self.image = Image.fromarray(canvas).resize(self.image.size, Image.Resampling.NEAREST)
        self.draw = ImageDraw.Draw(self.image)

    def path(self, poses: NDArray[np.floating], intrinsics: NDArray[np.floating], size: tuple[int, int]) -> None:
        """The line of the centres, and some of the cameras."""
        colours = [tuple(colour) for colour in time_colours(len(poses)).tolist()]
        places = [tuple(place) for place in self._pixels(poses[:, :3, 3]).tolist()]
        for start, stop, colour in zip(places, places[1:], colours[1:], strict=False):
            self.draw.line((*start, *stop), fill=colour, width=2 * _SHARPER)
        chosen = np.linspace(0, len(poses) - 1, min(_MOST_FRUSTA, len(poses))).round().astype(int)
        lines, _ = frusta(poses[chosen], intrinsics[chosen], size, 0.06 * self.extent)
        for number, ends in enumerate(self._pixels(lines).reshape(len(chosen), -1, 4).tolist()):
            for line in ends:
                self.draw.line(line, fill=colours[chosen[number]], width=_SHARPER)
        x, y = places[0]
        self.draw.ellipse((x - 6, y - 6, x + 6, y + 6), outline=TEXT, width=_SHARPER)

    def finished(self) -> Image.Image:
        """At its own size."""
        return self.image.resize((_SIDE, _SIDE), Image.Resampling.BOX)

    def _flat(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        return points[:, self.axes] * np.array(self.signs)

    def _pixels(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """(column, row) [P, 2], row 0 at the top."""
        place = (self._flat(points) - self.middle) / self.extent * np.array([1, -1]) + 0.5
        return place * _SIDE * _SHARPER
