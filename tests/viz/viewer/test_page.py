"""The page on a free port: controls are moved through their handles, and what is shown is looked at."""

from __future__ import annotations

import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from motion4d.viz.viewer.page import ViewerPage
from motion4d.viz.viewer.scene_files import read_run
from tests.viz.viewer.runs import BLOCK, BLOCK_PIXELS, H, W, make_run

COUNT = 5
STILL = H * W - BLOCK_PIXELS - 1


@pytest.fixture(scope="module")
def server() -> Iterator[ViewerPage]:
    page = ViewerPage(host="127.0.0.1", port=0)
    yield page
    page.close()


@pytest.fixture
def page(server: ViewerPage, tmp_path: Path) -> ViewerPage:
    server.show(read_run(make_run(tmp_path / "run", COUNT)))
    for control, value in (
        *((server.show_still, True), (server.all_frames, True), (server.show_moving, True), (server.masks, True)),
        *((server.tint, False), (server.least_still, 0), (server.least_moving, 0), (server.one_in, 1)),
        *((server.cameras, "all"), (server.follow, False)),
    ):
        control.value = value
    return server


def shown(page: ViewerPage) -> tuple[int, int]:
    assert page.still.points.shape == page.still.colors.shape
    assert page.moving.points.shape == page.moving.colors.shape
    return len(page.still.points), len(page.moving.points)


def test_the_page_is_served_on_this_machine(page: ViewerPage) -> None:
    assert page.server.get_host() == "127.0.0.1"
    with urllib.request.urlopen(f"http://127.0.0.1:{page.port}", timeout=10) as answer:
        assert b"<html" in answer.read(2000).lower()
    assert "block" in page.title.content


def test_the_controls_act(page: ViewerPage) -> None:
    assert shown(page) == (COUNT * STILL, BLOCK_PIXELS)
    page.all_frames.value = False
    assert shown(page) == (STILL, BLOCK_PIXELS)
    page.least_still.value = 8
    assert shown(page) == (STILL - H, BLOCK_PIXELS)
    page.least_moving.value = 15
    assert shown(page) == (STILL - H, BLOCK_PIXELS - 1)
    page.least_still.value = page.least_moving.value = 0
    page.masks.value = False
    assert shown(page) == (0, H * W - 1)
    page.masks.value = True
    page.show_still.value = False
    assert shown(page) == (0, BLOCK_PIXELS)
    page.show_moving.value = False
    assert shown(page) == (0, 0)
    page.show_still.value = page.show_moving.value = page.all_frames.value = True
    page.one_in.value = 3
    assert shown(page) == (COUNT * -(-STILL // 3), BLOCK_PIXELS // 3)
    page.tint.value = True
    assert not (page.moving.colors == BLOCK).any(axis=0).all()
    page.size.value = 0.02
    assert page.still.point_size == page.moving.point_size == pytest.approx(0.02)


def test_time_moves_the_foreground_and_the_camera(page: ViewerPage) -> None:
    before, background = page.moving.points.copy(), page.still.points
    page.frame.value = 3
    assert not np.array_equal(before, page.moving.points)
    assert page.still.points is background  # nothing is sent again
    assert page.camera.position[0] == pytest.approx(page.scene.camera_to_world[3, 0, 3])
    page.cameras.value = "this frame's"
    assert (page.all_cameras.visible, page.camera.visible) == (False, True)
    page.cameras.value = "none"
    assert (page.all_cameras.visible, page.camera.visible) == (False, False)
    page.cameras.value = "all"
    assert (page.all_cameras.visible, page.camera.visible) == (True, True)


def test_play_goes_on_by_itself(page: ViewerPage) -> None:
    passed = []
    page.rate.value = 60
    watch = page.frame.on_update(lambda _: passed.append(page.frame.value))
    page.playing.value = True
    for _ in range(200):
        if len(passed) > COUNT:
            break
        time.sleep(0.05)
    page.playing.value = False
    page.frame.remove_update_callback(watch)
    assert passed[: COUNT + 1] == [1, 2, 3, 4, 0, 1]


def test_another_run_takes_the_place_of_the_first(page: ViewerPage, tmp_path: Path) -> None:
    page.frame.value = 4
    page.show(read_run(make_run(tmp_path / "other", 1, masks=False)))
    assert (page.frame.value, page.frame.disabled, page.masks.disabled) == (0, True, True)
    assert shown(page) == (H * W - 1, 0)


def wait_for_end(page: ViewerPage) -> None:
    for _ in range(400):
        if page.reconstruct.start.visible:
            return
        time.sleep(0.05)
    raise AssertionError(page.reconstruct.message.content)


@pytest.mark.parametrize("works", [True, False])
def test_the_page_starts_a_reconstruction(
    page: ViewerPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    finished = make_run(tmp_path / "finished", 3)
    last = "print('clip: 2/3 frames')" if works else "sys.exit('error: the clip is too short')"
    words = [sys.executable, "-c", f"import sys\n{last}"]
    monkeypatch.setattr("motion4d.viz.viewer.reconstruction.Request.command", lambda *_: words)
    monkeypatch.setattr("motion4d.viz.viewer.reconstruction.Request.new_output", lambda _: finished)
    panel = page.reconstruct
    panel.input.value = str(tmp_path)
    panel.begin()
    wait_for_end(page)
    if works:
        assert "done in" in panel.message.content
        assert len(page.scene) == 3
    else:
        assert panel.message.content == "**Error:** the clip is too short"
        assert len(page.scene) == COUNT


def test_nothing_is_started_for_what_is_not_there(page: ViewerPage) -> None:
    page.reconstruct.input.value = "/nowhere/clip.mp4"
    page.reconstruct.begin()
    assert "does not exist" in page.reconstruct.message.content
