"""Run folders and sweeps as rows: one per model and dataset, and one per run that has no results.

A row says what was scored by which protocol with which weights; where a folder does not say, the row has "not stated".
A run whose files are damaged is a run with a problem, and does not hide the others. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

from motion4d.engine.run_folder import RunFolder
from motion4d.io.files import natural_key, read_json
from motion4d.metrics.camera_trajectories import COLUMNS as POSE_SCORES
from motion4d.metrics.depth import COLUMNS as DEPTH_SCORES

Row = dict[str, Any]

MASK_SCORES = ("J&F", "J", "J recall", "J decay", "F", "F recall", "F decay", "IoU", "precision", "recall", "static")
SCORES = (*MASK_SCORES, *DEPTH_SCORES, *POSE_SCORES, "drift")
NOT_STATED = "not stated"
OURS = "ours"


@dataclass(frozen=True)
class Run:
    """What one run folder holds. name: how the report calls it, distinct among all runs."""

    folder: Path
    name: str
    status: Mapping[str, Any]
    metrics: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def overrides(self) -> list[str]:
        """The words of the command line."""
        return list(self.status.get("overrides", ()))

    @property
    def settings(self) -> list[str]:
        """The words without those that only say where the results lie."""
        return [word for word in self.overrides if not word.startswith("output=")]

    @property
    def pictures(self) -> list[Path]:
        """Pictures of the run, in natural order."""
        return sorted(self.folder.glob("pictures/*.png"), key=lambda file: natural_key(file.name))

    @property
    def problem(self) -> str | None:
        """Why the run has not all of its results, in one sentence; None if it has."""
        state = self.status["status"]
        if state == "done":
            return None
        return self.status.get("error") or f"the run says that it is {state}: it has not ended, or was killed"


def collect(folders: Sequence[Path]) -> list[Run]:
    """All runs in these folders, each a run, a sweep or anything that holds them; a ValueError if one holds none."""
    found: dict[Path, None] = {}
    for folder in folders:
        runs = _run_folders(folder)
        if not runs:
            raise ValueError(f"{folder} holds no run (a folder with status.json), nor does any folder in it")
        found.update(dict.fromkeys(runs))
    names = _distinct_names(list(found))
    return [_read(folder, name) for folder, name in zip(found, names, strict=True)]


def rows_of(runs: Sequence[Run]) -> list[Row]:
    """Rows of all runs, datasets together, in order of first appearance."""
    rows = [row for run in runs for row in _rows(run)]
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    return sorted(rows, key=lambda row: datasets.index(row["dataset"]))


def _run_folders(folder: Path) -> list[Path]:
    files = [file for file in folder.rglob("status.json") if not _is_hidden(file.relative_to(folder))]
    return sorted((file.parent.resolve() for file in files), key=natural_key)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _read(folder: Path, name: str) -> Run:
    try:
        status = _named(read_json(folder / "status.json"), folder / "status.json")
        if not isinstance(status.get("status"), str):
            raise ValueError(f"{folder / 'status.json'} does not say how the run ended; it is not one of ours")
        metrics = _named(RunFolder(folder).metrics(), folder / "metrics.json")
        return Run(folder, name, status, metrics, _config(folder / "config.yaml"))
    except (ValueError, OSError) as error:
        return Run(folder, name, {"status": "unreadable", "error": str(error)}, {}, {})


def _config(file: Path) -> dict[str, Any]:
    """What the run was asked for; empty if it does not say."""
    if not file.is_file():
        return {}
    try:
        return _named(OmegaConf.to_container(OmegaConf.load(file)), file)
    except YAMLError as error:
        raise ValueError(f"{file} is not a valid YAML file; delete it or restore it") from error


def _named(content: Any, file: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{file} does not hold named values; delete it or restore it")
    return content


def _rows(run: Run) -> list[Row]:
    """One row per dataset and model, our model first; of a run that did not end, no numbers of an earlier one."""
    about = {"status": run.status["status"], "settings": " ".join(run.settings), "run": run.name}
    rows: list[Row] = []
    models = run.metrics.get("models", {}) if run.status["status"] in ("done", "incomplete") else {}
    for model, scores in models.items():
        system = run.config.get("name", OURS) if model == OURS else f"{model} (baseline)"
        weights = run.metrics.get("weights", {}).get(model, NOT_STATED)
        for dataset, means in scores.get("groups", {}).items():
            row = {"dataset": dataset, "system": system, "protocol": means.get("protocol", NOT_STATED)}
            row |= {"weights": weights, **{name: means.get(name) for name in SCORES}}
            row |= {"sequences": means.get("sequences"), "frames": means.get("frames")}
            rows.append({**row, "failed": _failed_in(run, dataset), **about})
    if rows:
        return rows
    asked = next((word.partition("=")[2] for word in run.overrides if word.startswith("data=")), NOT_STATED)
    return [{"dataset": asked, "system": run.config.get("name", OURS), **about}]


def _failed_in(run: Run, dataset: str) -> int | None:
    """How many sequences of a dataset failed, None if none did; their names begin with the dataset's."""
    return sum(name.split("/")[0] == dataset for name in run.metrics.get("failed", {})) or None


def _distinct_names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that differ from each other."""
    for length in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = ["/".join(folder.parts[-length:]) for folder in folders]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]
