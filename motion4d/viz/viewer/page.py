"""The page: points, cameras and the controls, served by viser.

The server draws: a control that changes calls `_draw`, which sends what is different. So tests move the controls
through their handles and look at `still`, `moving` and the cameras.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import viser
from numpy.typing import NDArray
from viser.transforms import SO3

from motion4d.viz.camera_path import frusta
from motion4d.viz.colours import MOVING
from motion4d.viz.viewer.points import Cloud, Settings
from motion4d.viz.viewer.reconstruct_panel import ReconstructPanel
from motion4d.viz.viewer.scene_files import DISTANCE, RunScene, read_run

_ALL, _THIS, _NONE = "all", "this frame's", "none"
_RATE = 10.0  # frames per second at first
_VIEW = 0.9  # vertical field of view from outside, in radians


class ViewerPage:
    """Serves the page at `host`, `port` (0: any that is free) until `close`; `show` puts a reconstruction into it."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 8080) -> None:
        self.server = viser.ViserServer(host=host, port=port, label="motion4d", verbose=False)
        self.scene: RunScene | None = None
        self._lock = threading.RLock()
        self._drawn: dict[str, Any] = {}  # what is in the page: part -> what it was made from
        self._closed = threading.Event()
        self.server.gui.configure_theme(dark_mode=True, control_layout="fixed", show_logo=False, control_width="large")
        self.server.scene.set_up_direction("-y")
        self.server.scene.world_axes.visible = False
        self._add_controls()
        self.reconstruct = ReconstructPanel(self.server, self._read_and_show)
        self.server.on_client_connect(lambda client: self._place(client))
        self.still = self._add_cloud("/still")
        self.moving = self._add_cloud("/moving")
        self._player = threading.Thread(target=self._play, daemon=True)
        self._player.start()

    @property
    def port(self) -> int:
        """Where it really listens."""
        return self.server.get_port()

    def show(self, scene: RunScene) -> None:
        """Put this reconstruction in place of the one before."""
        with self._lock:
            self.playing.value = False
            self.scene, self._drawn = scene, {}
            self.frame.value = 0
            self.frame.max = max(len(scene) - 1, 1)
            self.frame.disabled = self.playing.disabled = len(scene) == 1
            knows = scene.points.anything_moves
            for control in (self.masks, self.tint, self.least_moving):
                control.disabled = not knows
            if scene.frame_rate:
                self.rate.value = float(np.clip(round(scene.frame_rate), 1, self.rate.max))
            self.title.content = _title(scene)
            self._draw()
        for client in self.server.get_clients().values():
            self._place(client)

    def close(self) -> None:
        """End the server and a reconstruction that the page started."""
        self._closed.set()
        self.reconstruct.close()
        self._player.join(5)
        self.server.stop()

    @property
    def settings(self) -> Settings:
        """What the controls say."""
        return Settings(
            still=self.show_still.value,
            moving=self.show_moving.value,
            all_frames=self.all_frames.value,
            masks=self.masks.value,
            least_still=self.least_still.value / 100,
            least_moving=self.least_moving.value / 100,
            one_in=int(self.one_in.value),
            tint=self.tint.value,
        )

    def _add_controls(self) -> None:
        gui = self.server.gui
        self.title = gui.add_markdown("Nothing to show yet: start a reconstruction below.")
        with gui.add_folder("Time"):
            self.frame = gui.add_slider("Frame", 0, 1, 1, 0)
            self.playing = gui.add_checkbox("Play", False)
            self.rate = gui.add_slider("Frames / s", 1, 60, 1, _RATE)
        with gui.add_folder("Points"):
            self.show_still = gui.add_checkbox("Background", True, hint="What stands still")
            self.all_frames = gui.add_checkbox("... of all frames", True, hint="Off: of this frame only")
            self.show_moving = gui.add_checkbox("Foreground", True, hint="What moves, at this moment")
            self.tint = gui.add_checkbox("Tint foreground", False)
            self.masks = gui.add_checkbox("Use masks", True, hint="Off: everything of this frame is foreground")
            least = "Share of the points that is left out, the least sure first"
            self.least_still = gui.add_slider("Background, % off", 0, 100, 1, 10, hint=least)
            self.least_moving = gui.add_slider("Foreground, % off", 0, 100, 1, 5, hint=least)
            self.size = gui.add_slider("Point size", 0.001, 0.05, 0.001, 0.008)
            self.one_in = gui.add_slider("One point in", 1, 20, 1, 1, hint="Fewer points, quicker pictures")
        with gui.add_folder("Cameras"):
            self.cameras = gui.add_dropdown("Show", (_ALL, _THIS, _NONE))
            self.camera_size = gui.add_slider("Camera size", 0.02, 1.0, 0.01, 0.15)
            self.follow = gui.add_checkbox("Look through it", False)
            self.outside = gui.add_button("View from behind")
        for control in (self.frame, self.show_still, self.all_frames, self.show_moving, self.tint, self.masks):
            control.on_update(lambda _: self._draw())
        for control in (self.least_still, self.least_moving, self.one_in, self.cameras, self.camera_size):
            control.on_update(lambda _: self._draw())
        self.follow.on_update(lambda _: self._enter_or_leave())
        self.size.on_update(lambda _: self._resize())
        self.outside.on_click(lambda event: self._place(event.client) if event.client else None)

    def _add_cloud(self, name: str) -> viser.PointCloudHandle:
        nothing = np.zeros((0, 3), np.float32)
        return self.server.scene.add_point_cloud(
            name,
            nothing,
            nothing.astype(np.uint8),
            point_size=self.size.value,
            point_shape="circle",
            point_shading="flat",
            precision="float32",
        )

    def _resize(self) -> None:
        self.still.point_size = self.moving.point_size = self.size.value

    def _draw(self) -> None:
        """Send whatever the controls have changed."""
        with self._lock, self.server.atomic():
            scene = self.scene
            if scene is None:
                return
            number, settings = min(int(self.frame.value), len(scene) - 1), self.settings
            for name, handle, make in (
                ("still", self.still, scene.points.still_at),
                ("moving", self.moving, scene.points.moving_at),
            ):
                moment = -1 if name == "still" and settings.all_frames else number
                if self._is_new(name, (moment, settings)):
                    _fill(handle, make(number, settings))
            if self._is_new("cameras", (self.cameras.value, self.camera_size.value, self.follow.value)):
                self._draw_all_cameras(scene)
            if self._is_new("camera", (number, self.cameras.value, self.camera_size.value, self.follow.value)):
                self._draw_camera(scene, number)
        if self.follow.value:
            for client in self.server.get_clients().values():
                self._look_through(client, scene, number)

    def _is_new(self, part: str, made_from: Any) -> bool:
        is_new = self._drawn.get(part) != made_from
        self._drawn[part] = made_from
        return is_new

    def _draw_all_cameras(self, scene: RunScene) -> None:
        lines, colours = frusta(scene.camera_to_world, scene.intrinsics, scene.size, 0.5 * self.camera_size.value)
        self.all_cameras = self.server.scene.add_line_segments(
            "/cameras",
            lines.reshape(-1, 2, 3).astype(np.float32),
            colours.reshape(-1, 2, 3),
            thickness=1.5,
            thickness_units="screen",
            visible=self.cameras.value == _ALL and not self.follow.value,
        )

    def _draw_camera(self, scene: RunScene, number: int) -> None:
        pose = scene.camera_to_world[number]
        self.camera = self.server.scene.add_camera_frustum(
            "/camera",
            _vertical_view(scene, number),
            scene.size[1] / scene.size[0],
            scale=self.camera_size.value,
            thickness=2.5,
            thickness_units="screen",
            color=MOVING,
            image=scene.thumbnails[number],
            format="jpeg",
            wxyz=SO3.from_matrix(pose[:3, :3]).wxyz,
            position=pose[:3, 3],
            visible=self.cameras.value != _NONE and not self.follow.value,
        )

    def _place(self, client: viser.ClientHandle) -> None:
        """Put the eye behind and above the first camera, or into this frame's."""
        scene = self.scene
        if scene is None:
            return
        if self.follow.value:
            self._look_through(client, scene, min(int(self.frame.value), len(scene) - 1))
            return
        pose = scene.camera_to_world[len(scene) // 2]
        with client.atomic():
            client.camera.up_direction = -pose[:3, 1]
            client.camera.position = _seen_from(pose, (0.35, -0.45, -0.6))
            client.camera.look_at = _seen_from(pose, (0.0, 0.0, 0.8))
            client.camera.fov = _VIEW

    def _enter_or_leave(self) -> None:
        self._draw()
        for client in self.server.get_clients().values():
            self._place(client)

    def _look_through(self, client: viser.ClientHandle, scene: RunScene, number: int) -> None:
        pose = scene.camera_to_world[number]
        with client.atomic():
            client.camera.up_direction = -pose[:3, 1]
            client.camera.position = pose[:3, 3]
            client.camera.look_at = _seen_from(pose, (0.0, 0.0, 1.0))
            client.camera.fov = _vertical_view(scene, number)

    def _play(self) -> None:
        """In its own thread: the next frame whenever it is due, from the start again after the last."""
        due = time.monotonic()
        while not self._closed.is_set():
            due = max(due + 1 / max(float(self.rate.value), 1.0), time.monotonic())
            self._closed.wait(due - time.monotonic())
            scene = self.scene
            if self.playing.value and scene is not None and not self._closed.is_set():
                self.frame.value = (int(self.frame.value) + 1) % len(scene)

    def _read_and_show(self, folder: Path) -> None:
        self.show(read_run(folder))


def _fill(handle: viser.PointCloudHandle, cloud: Cloud) -> None:
    handle.points, handle.colors = cloud.points, cloud.colours


def _vertical_view(scene: RunScene, number: int) -> float:
    return float(2 * np.arctan(scene.size[0] / 2 / scene.intrinsics[number, 1, 1]))


def _seen_from(pose: NDArray[np.floating], offset: tuple[float, float, float]) -> NDArray[np.float64]:
    """A place relative to a camera; offset: right, down, forward, in distances of the median point."""
    return pose[:3, 3] + DISTANCE * (pose[:3, :3] @ np.array(offset))


def _title(scene: RunScene) -> str:
    still = "" if scene.points.anything_moves else ", nothing known to move"
    return f"**{scene.name}**: {len(scene)} frames of {scene.size[1]}x{scene.size[0]}{still}"
