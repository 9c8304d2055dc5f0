"""The README does what it says: its commands compose, its Python runs, its picture is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from motion4d.cli import register_resolvers
from motion4d.data.procedural.dataset import ProceduralClips
from motion4d.io.video import write_video

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = {
    language: re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    for language in ("bash", "python")
}
COMMANDS = [line.partition("  #")[0].strip() for block in BLOCKS["bash"] for line in block.splitlines() if line.strip()]
LAUNCHES = [command.split("launch.py", 1)[1] for command in COMMANDS if "launch.py " in command]
MODULES = [match for command in COMMANDS for match in re.findall(r"-m ((?:eval|prepare|tests)\.\w+)", command)]


@pytest.fixture(autouse=True, scope="module")
def _hydra() -> Iterator[None]:
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


@pytest.mark.parametrize("arguments", sorted(set(LAUNCHES)))
def test_every_launch_command_composes(arguments: str) -> None:
    overrides = [word for word in shlex.split(arguments) if "=" in word and not word.startswith("hydra")]
    for number in range(max(word.count(",") + 1 for word in overrides)):
        job = [_choice(word, number) for word in overrides]
        assert compose("config", overrides=job).task._target_.startswith("motion4d.engine.")


def _choice(override: str, number: int) -> str:
    """The `number`-th of the values that a sweep separates by commas."""
    key, _, value = override.partition("=")
    choices = value.split(",")
    return f"{key}={choices[min(number, len(choices) - 1)]}"


@pytest.mark.parametrize("name", sorted(set(MODULES)))
def test_every_module_exists(name: str) -> None:
    assert callable(import_module(name if name != "tests.reference" else "tests.reference.__main__").main)


def test_both_set_up_commands_are_there() -> None:
    set_up = [command for command in COMMANDS if command.startswith("python3 -m venv .venv && ")]
    assert [command.rsplit("&& ", 1)[1] for command in set_up] == [
        ".venv/bin/python launch.py +experiment=geomotion",
        ".venv/bin/python -m pytest",
    ]


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_links_and_pictures_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_the_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = ProceduralClips(num_clips=1, num_frames=7, height=96, width=144, seed=3)[0].images[0]
    frames = (images.permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)
    write_video(tmp_path / "clip.mp4", frames, frame_rate=10)
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    exec(BLOCKS["python"][0], scope)  # noqa: S102  our own README
    assert scope["result"].masks.shape == (7, 96, 144)  # type: ignore[attr-defined]
    assert (tmp_path / "results" / "masks" / "00006.png").is_file()
    exec(BLOCKS["python"][1], scope)  # noqa: S102
    assert scope["scene"].camera_to_world.shape == (7, 4, 4)  # type: ignore[attr-defined]
    assert (tmp_path / "scene" / "points.ply").is_file()
