"""The one folder that a run leaves: what was asked for, where it ran, what came out.

    config.yaml        the resolved configuration          environment.json  versions, revision, seed, command
    status.json        running, done, incomplete, failed   metrics.json      results; "main" is what sweeps tabulate
    *.csv              tables, one row per step or sequence
    tensorboard/       scalars and pictures                checkpoints/      what a killed run goes on from

Values of keys that look like secrets never reach the folder. Files are written whole or not at all.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import math
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import motion4d
from motion4d.engine.tables import Row, comma_separated
from motion4d.io.files import read_json, write_json, write_text

_SECRET = re.compile(r"(?i)(api_?key|token$|secret|password|passwd|credential)")
_PACKAGES = ("torch", "numpy", "accelerate", "hydra-core", "omegaconf", "safetensors", "opencv-python-headless")


class RunFolder:
    """Reads and writes the files of one run."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def write_environment(self, seed: int | None) -> None:
        """environment.json."""
        write_json(self.path / "environment.json", environment(seed))

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """metrics.json; numbers that are not finite become null."""
        write_json(self.path / "metrics.json", _finite(metrics))

    def write_table(self, name: str, rows: Sequence[Row]) -> None:
        """NAME.csv."""
        write_text(self.path / f"{name}.csv", comma_separated(rows))

    def write_status(self, status: Mapping[str, Any]) -> None:
        """status.json."""
        write_json(self.path / "status.json", _finite(redacted(status)))

    def metrics(self) -> dict[str, Any]:
        """The contents of metrics.json; empty if there is none."""
        file = self.path / "metrics.json"
        return read_json(file) if file.is_file() else {}


def environment(seed: int | None) -> dict[str, Any]:
    """Versions, git revision if any, seed, command, machine."""
    return {
        "motion4d": motion4d.__version__,
        "revision": git_revision(Path(motion4d.__file__).parent),
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "machine": f"{platform.system()} {platform.machine()}",
        "command": [redacted_override(argument) for argument in sys.argv],
        "seed": seed,
        "time": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def git_revision(folder: Path) -> str | None:
    """The commit checked out in `folder`, with "-dirty" after local changes; None outside a repository."""
    try:
        command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None


def redacted(value: Any, name: str = "") -> Any:
    """Nested mappings and lists without the values of secret-looking keys."""
    if isinstance(value, Mapping):
        return {key: redacted(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted_override(v) if isinstance(v, str) else redacted(v, name) for v in value]
    return "(hidden)" if value and isinstance(value, str) and _SECRET.search(name) else value


def redacted_override(argument: str) -> str:
    """`a.api_key=VALUE` without VALUE; anything else as it is."""
    name, equals, value = argument.partition("=")
    return f"{name}=(hidden)" if equals and value and _SECRET.search(name) else argument


def flattened(config: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float | bool]:
    """Nested mappings as {"a.b": scalar or text}, as trackers want them."""
    flat: dict[str, str | int | float | bool] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat.update(flattened(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, (str, int, float, bool)) else str(value)
    return flat


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
