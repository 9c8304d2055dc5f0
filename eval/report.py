"""One page about many runs: python -m eval.report RUNS... [--output FOLDER].

RUNS are run folders, sweeps, or folders that hold them. On the console: one aligned table. In FOLDER: report.html (one
file, pictures inside), report.md and report.csv. Each row says its protocol and its weights; numbers from papers stand
beside ours where they were seen, labelled confirmed or secondary; runs that failed are there with their sentence.
The exit status is 1 if a run failed or is incomplete, 2 if there is nothing to report.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.collected import NOT_STATED, Row, Run, collect, rows_of
from eval.published import published_on
from motion4d.engine.tables import aligned, comma_separated, markdown
from motion4d.io.files import check_writable, write_text
from motion4d.io.images import read_image
from motion4d.viz.page import Line, Section, write_page

_REMARKS = (
    "J is the region overlap, F the accuracy of the boundary, static the share of pixels marked where nothing moves. "
    "AbsRel, SqRel, RMSE and delta are of depth; ATE and RPE of camera paths, rotations in degrees; drift is how far a "
    "camera strays that stands still.",
    "Two rows can be compared if they agree in dataset and protocol.",
    'The protocol "frames, moving": every frame, mean over the sequences in which something moves.',
    "Numbers of papers: confirmed ones were read in the paper or a repository, secondary ones on pages about it.",
)
_CITED = "published"  # the kind of rows that are not ours
_CSV_ONLY = ("kind", "settings", "J decay", "F decay", "SqRel", "LogRMSE")
_SCORED = frozenset(("J", "AbsRel", "ATE"))  # rows that have one of these stand beside papers' numbers
_HIGHER = ("J&F", "J", "J recall", "F", "F recall", "IoU", "precision", "recall", "delta1", "delta2", "delta3")
_LOWER = ("AbsRel", "SqRel", "RMSE", "LogRMSE", "ATE", "RPE trans", "RPE rot", "drift")


def main(arguments: Sequence[str] | None = None) -> int:
    """Report the runs that the command line names; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        runs = collect(options.runs)
        rows = with_published(rows_of(runs))
        if options.output is not None:
            check_writable(options.output)
            write_report(options.output, runs, rows, pictures=options.pictures)
    except (OSError, ValueError) as error:
        print(f"eval.report: {error}", file=sys.stderr)
        return 2
    problems = problems_of(runs)
    print(aligned(_shown(rows)), "", *_settings(runs), "", *_listed(problems), sep="\n")
    print(_closing(runs, problems) + (f" ({options.output / 'report.html'})" if options.output is not None else ""))
    return 1 if problems else 0


def with_published(rows: Sequence[Row]) -> list[Row]:
    """The rows, and below those of each dataset what papers report on it."""
    result: list[Row] = []
    for dataset, members in _by_dataset(rows).items():
        result += [{"kind": "run", **row} for row in members]
        protocols = {row.get("protocol", "") for row in members}
        for one in published_on(dataset, protocols) if any(not _SCORED.isdisjoint(row) for row in members) else ():
            cited = {"dataset": dataset, "system": one.system, "protocol": one.protocol or NOT_STATED}
            result.append({"kind": _CITED, **cited, "weights": "the paper's", **one.metrics, "source": one.label})
    return result


def problems_of(runs: Sequence[Run]) -> dict[str, str]:
    """Name of a run -> why it has not all of its results."""
    return {run.name: run.problem for run in runs if run.problem is not None}


def write_report(folder: Path, runs: Sequence[Run], rows: Sequence[Row], *, pictures: int) -> None:
    """report.html, report.md and report.csv; at most `pictures` pictures per run."""
    problems = problems_of(runs)
    write_text(folder / "report.csv", comma_separated(rows))
    listed = [f"- {line}" for line in (*_settings(runs), *_listed(problems))]
    parts = [markdown(_shown(rows)), *_REMARKS, _closing(runs, problems), "\n".join(listed)]
    write_text(folder / "report.md", "\n\n".join(parts) + "\n")
    sections = [Section("Overview", [_closing(runs, problems), *_REMARKS], _run_lines(runs))]
    for dataset, members in _by_dataset(rows).items():
        cells = _shown([{name: row[name] for name in row if name != "dataset"} for row in members])
        lines = [Line(one, _kind(row)) for row, one in zip(members, cells, strict=True)]
        sections.append(Section(dataset, lines=lines, higher=_HIGHER, lower=_LOWER))
    for run in runs:
        chosen = run.pictures[:pictures]
        shown = {f"{run.name}: {file.stem}": file for file in chosen if _is_readable(file)}
        if chosen:
            damaged = [f"{file.name} cannot be read" for file in chosen if file not in shown.values()]
            sections.append(Section(f"Pictures of {run.name}", damaged, pictures=shown))
    write_page(folder / "report.html", "motion4d: results", sections)


def _is_readable(picture: Path) -> bool:
    try:
        read_image(picture)
    except (ValueError, OSError):
        return False
    return True


def _run_lines(runs: Sequence[Run]) -> list[Line]:
    """One line per run: what was asked for, and what became of it."""
    return [
        Line(
            {
                "run": run.name,
                "settings": " ".join(run.settings),
                "status": run.status["status"],
                "seconds": run.status.get("seconds"),
                "what happened": run.problem or "",
            },
            "failed" if run.problem else "",
        )
        for run in runs
    ]


def _shown(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows without what only the CSV needs, and without columns that are empty everywhere."""
    names = dict.fromkeys(name for row in rows for name in row if name not in _CSV_ONLY)
    filled = [name for name in names if any(row.get(name) not in (None, "") for row in rows)]
    return [{name: row.get(name) for name in filled} for row in rows]


def _kind(row: Mapping[str, Any]) -> str:
    if row["kind"] == _CITED:
        return "cited"
    return "" if "protocol" in row or row["status"] == "done" else "failed"


def _by_dataset(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["dataset"], []).append(row)
    return groups


def _settings(runs: Sequence[Run]) -> list[str]:
    return [f"{run.name}: {' '.join(run.settings)}" for run in runs if run.settings]


def _listed(problems: Mapping[str, str]) -> list[str]:
    return [f"{name} has a problem: {sentence}" for name, sentence in problems.items()]


def _closing(runs: Sequence[Run], problems: Mapping[str, str]) -> str:
    count = f"{len(runs)} run" + "s" * (len(runs) != 1)
    return f"{count}, {len(problems)} with problems" + (f": {', '.join(problems)}" if problems else "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eval.report", description="One page about many runs.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="run folders, sweeps, or folders of them")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="for report.html, report.md and report.csv")
    parser.add_argument("--pictures", type=int, default=4, metavar="N", help="pictures per run on the page (default 4)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
