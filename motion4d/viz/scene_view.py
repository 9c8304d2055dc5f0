"""A scene of points and cameras as a camera would see it from outside: one picture per moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from motion4d.viz.camera_path import frusta, time_colours
from motion4d.viz.colours import TEXT

_BLACK = (12, 13, 16)
_NEAR = 1e-3  # of the viewing distance: what is closer to the eye is not drawn


class SceneView:
    """Looks at `points` [P, 3] with `colours` [P, 3] uint8 from behind and above the cameras.

    camera_to_world [N, 4, 4], intrinsics [N, 3, 3] and size (H, W) of the cameras; picture: (height, width) in pixels.
    """

    def __init__(
        self,
        points: NDArray[np.floating],
        colours: NDArray[np.uint8],
        camera_to_world: NDArray[np.floating],
        intrinsics: NDArray[np.floating],
        size: tuple[int, int],
        picture: tuple[int, int],
    ) -> None:
        self.poses, self.intrinsics, self.size, self.picture = camera_to_world, intrinsics, size, picture
        middle = camera_to_world[len(camera_to_world) // 2]
        seen = points if len(points) else camera_to_world[:, :3, 3] + camera_to_world[:, :3, 2]
        self.reach = float(np.median((seen - middle[:3, 3]) @ middle[:3, 2])) or 1.0
        self.eye, self.turn = _outside(middle, abs(self.reach))
        self.focal = 0.9 * picture[1]
        self._still = self._splat(points, colours, np.full(picture, np.inf), np.full((*picture, 3), _BLACK, np.uint8))

    def frame(self, number: int, points: NDArray[np.floating], colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """[H', W', 3]: the scene with this moment's own points [P, 3], its camera, and the way there."""
        _, canvas = self._splat(points, colours, self._still[0].copy(), self._still[1].copy())
        image = Image.fromarray(canvas)
        draw = ImageDraw.Draw(image)
        shades = [tuple(shade) for shade in time_colours(len(self.poses)).tolist()]
        places, before = self._pixels(self.poses[: number + 1, :3, 3])
        for k in range(1, number + 1):
            if before[k - 1] and before[k]:
                draw.line((*places[k - 1], *places[k]), fill=shades[k], width=2)
        chosen = slice(number, number + 1)
        ends, _ = frusta(self.poses[chosen], self.intrinsics[chosen], self.size, 0.15 * abs(self.reach))
        places, before = self._pixels(ends)
        visible = before.reshape(-1, 2).all(axis=1)
        for a, b in places.reshape(-1, 2, 2)[visible].tolist():
            draw.line((*a, *b), fill=TEXT, width=1)
        return np.asarray(image)

    def _splat(
        self,
        points: NDArray[np.floating],
        colours: NDArray[np.uint8],
        depth: NDArray[np.floating],
        canvas: NDArray[np.uint8],
    ) -> tuple[NDArray[np.floating], NDArray[np.uint8]]:
        """Every point over 2 x 2 pixels, the nearest wins; `depth` and `canvas` are written to."""
        height, width = self.picture
        places, _ = self._pixels(points)
        z = (points - self.eye) @ self.turn[:, 2]
        order = np.argsort(-z)  # far points first, so that near ones are written over them
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            column, row = (np.floor(places) + (right, down)).astype(np.int64).T
            inside = (z > _NEAR * abs(self.reach)) & (column >= 0) & (row >= 0) & (column < width) & (row < height)
            drawn = order[inside[order]]
            row, column = row[drawn], column[drawn]
            nearer = z[drawn] < depth[row, column]
            drawn, row, column = drawn[nearer], row[nearer], column[nearer]
            depth[row, column], canvas[row, column] = z[drawn], colours[drawn]
        return depth, canvas

    def _pixels(self, points: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(column, row) [P, 2], and whether they lie before the eye [P]."""
        local = (np.asarray(points, np.float64) - self.eye) @ self.turn
        before = local[:, 2] > _NEAR * abs(self.reach)
        z = np.where(before, local[:, 2], 1.0)
        height, width = self.picture
        flat = np.clip(self.focal * local[:, :2] / z[:, None], -1e6, 1e6)
        return flat + (width / 2, height / 2), before


def _outside(pose: NDArray[np.floating], reach: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the eye is, and its axes as the columns of [3, 3]: behind, above and to the right of the camera `pose`."""
    target = pose[:3, 3] + 0.6 * reach * pose[:3, 2]
    eye = pose[:3, 3] + reach * (0.5 * pose[:3, 0] - 0.6 * pose[:3, 1] - 0.8 * pose[:3, 2])
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(pose[:3, 1], forward)
    right /= np.linalg.norm(right)
    return eye, np.stack((right, np.cross(forward, right), forward), 1)
