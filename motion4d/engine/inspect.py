"""task=inspect: load some samples of any data set, save what one wants to see of them, and check that they agree.

OUTPUT/PART/NUMBER_SEQUENCE/ gets pictures, point clouds and a track video (motion4d.engine.inspection.files); the
verdicts of all checks go to the console, findings.csv and metrics.json. PASS, WARN (look at it) or FAIL (wrong): with a
FAIL the run ends as incomplete, and its exit status says so. A data set that is not prepared is skipped; if all are, it
is an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from motion4d.clip import Clip, Flow
from motion4d.data.sampling import Clips
from motion4d.engine.errors import Incomplete
from motion4d.engine.inspection.checks import Checked, check_clip, with_estimated_flow
from motion4d.engine.inspection.files import write_sample
from motion4d.engine.inspection.findings import Finding, Verdict, overall
from motion4d.engine.run_folder import RunFolder
from motion4d.engine.runtime import Runtime
from motion4d.engine.segment import place_model
from motion4d.engine.tables import aligned
from motion4d.viz.grid import spread

_log = logging.getLogger(__name__)


class Inspect:
    """The task. data: has some of `parts`: data sets, mixtures, or mappings of named ones.

    flow: estimates the flow of samples that have no true one; None leaves them without. samples: of every data set,
    evenly spread; max_frames: of every sample, from its first on.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        output: str | Path,
        parts: Sequence[str] = ("train", "eval"),
        flow: Callable[[Clip], Flow] | None = None,
        samples: int = 4,
        max_frames: int = 8,
        runtime: Runtime | None = None,
    ) -> None:
        if samples < 1 or max_frames < 1:
            raise ValueError(f"samples={samples} and max_frames={max_frames} must both be at least 1")
        self.sets = dict(named_sets({part: data[part] for part in parts if data.get(part) is not None}))
        if not self.sets:
            raise ValueError(f"this data option has no part {' or '.join(parts)} to look at")
        self.folder = RunFolder(output)
        self.flow = flow
        self.samples = samples
        self.max_frames = max_frames
        self.runtime = runtime or Runtime()

    def run(self) -> dict[str, Any]:
        """Inspect every data set; returns the contents of metrics.json.

        Incomplete if anything failed; a FileNotFoundError names the prepare commands if none of the data is there.
        """
        self.runtime.apply_threads()
        place_model(self.flow, self.runtime)
        results: dict[str, Checked] = {}
        skipped: dict[str, str] = {}
        for name, clips in self.sets.items():
            try:
                indices = listed_indices(clips, self.samples)
            except FileNotFoundError as error:
                skipped[name] = _sentence(error)
            except (ValueError, OSError) as error:
                results[name] = _unreadable(error)
            else:
                results.update(self._inspected(name, clips, indices))
        if not results:
            raise FileNotFoundError(f"there is nothing to inspect: {'; '.join(skipped.values())}")
        return self._written(results, skipped)

    def _inspected(self, name: str, clips: Clips, indices: Sequence[int]) -> Iterator[tuple[str, Checked]]:
        """Yield what was found in these samples of one data set; one that cannot be read is a finding too."""
        for index in indices:
            title = f"{name}/{index}"
            try:
                clip = first_frames(clips, index, self.max_frames)
                title = f"{name}/{index:04d}_{_sequence(clip)}"
                yield title, self._sample(title, clip)
            except (ValueError, OSError, RuntimeError) as error:
                _log.debug("traceback", exc_info=True)
                yield title, _unreadable(error)

    def _sample(self, title: str, clip: Clip) -> Checked:
        device = self.runtime.torch_device
        notes = []
        if self.flow is not None:
            try:
                clip = with_estimated_flow(clip.to(device), self.flow).to("cpu")
            except (ValueError, OSError) as error:
                notes.append(Finding("flow", Verdict.WARN, f"no flow could be estimated: {error}"))
        checked = check_clip(clip)
        checked.findings.extend(notes)
        verdict = overall(checked.findings).name
        files = write_sample(self.folder.path / title, clip, f"{title}: {verdict}")
        _log.info("%s  %s: %s", verdict, title, ", ".join(files))
        return checked

    def _written(self, results: Mapping[str, Checked], skipped: Mapping[str, str]) -> dict[str, Any]:
        """The table, findings.csv, metrics.json; Incomplete if a sample failed."""
        verdicts = {name: overall(checked.findings) for name, checked in results.items()}
        rows = [
            {"sample": name, "verdict": verdicts[name].name}
            | {finding.check: finding.verdict.name for finding in checked.findings}
            for name, checked in results.items()
        ]
        sentences = [
            f"{finding.verdict.name} {name} {finding.check}: {finding.sentence}"
            for level in (Verdict.FAIL, Verdict.WARN)
            for name, checked in results.items()
            for finding in checked.findings
            if finding.verdict == level
        ]
        counts = {one.name: sum(verdict == one for verdict in verdicts.values()) for one in Verdict}
        counted = f"{len(results)} samples: " + ", ".join(f"{count} {name}" for name, count in counts.items())
        absent = [f"{name}: skipped, because it is not prepared: {reason}" for name, reason in skipped.items()]
        _log.info("\n%s\n\n%s\n", aligned(rows), "\n".join([*sentences, *_missing(results), *absent, counted]))
        self.folder.write_table("findings", list(_lines(results)))
        summary = {
            "main": {"verdict": max(verdicts.values()).name, "samples": len(results), **counts},
            "skipped": dict(skipped),
            "samples": {
                name: {
                    "verdict": verdicts[name].name,
                    "missing": checked.missing,
                    "checks": {
                        one.check: {"verdict": one.verdict.name, "sentence": one.sentence, **one.values}
                        for one in checked.findings
                    },
                }
                for name, checked in results.items()
            },
        }
        self.folder.write_metrics(summary)
        if counts["FAIL"]:
            raise Incomplete(f"{counts['FAIL']} of {len(results)} samples FAIL; first: {sentences[0][5:]}")
        return summary


def named_sets(data: Mapping[str, Any]) -> Iterator[tuple[str, Clips]]:
    """Every data set of nested mappings and mixtures, under the path of its names."""
    for name, one in data.items():
        parts = one if isinstance(one, Mapping) else getattr(one, "datasets", None)
        if isinstance(parts, Mapping):
            yield from ((f"{name}/{inner}", clips) for inner, clips in named_sets(parts))
        else:
            yield name, one


def listed_indices(clips: Clips, count: int) -> list[int]:
    """At most `count` indices, spread over a data set; a FileNotFoundError if it is not there, a ValueError if it is
    empty.
    """
    indices = spread(len(clips), count)
    if not indices:
        raise ValueError("there are no samples in it")
    return indices


def first_frames(clips: Any, index: int, count: int) -> Clip:
    """At most `count` frames of a sample; a long sequence is not read beyond them where its data set can do that."""
    if hasattr(clips, "part"):
        return clips.part(index, 0, count)
    return clips[index].frames(0, count)


def _sequence(clip: Clip) -> str:
    return clip.sources[0].sequence.replace("/", "_") if clip.sources else "sample"


def _unreadable(error: Exception) -> Checked:
    return Checked([Finding("reading", Verdict.FAIL, _sentence(error))], [])


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())


def _missing(results: Mapping[str, Checked]) -> list[str]:
    """One line for every set of fields that samples lack, and so were not checked."""
    groups: dict[str, list[str]] = {}
    for name, checked in results.items():
        if checked.missing:
            groups.setdefault(name.split("/")[0], []).append(", ".join(checked.missing))
    return [f"not there, so not checked, in {part}: {text}" for part, texts in groups.items() for text in set(texts)]


def _lines(results: Mapping[str, Checked]) -> Iterator[dict[str, Any]]:
    for name, checked in results.items():
        for one in checked.findings:
            about = {"sample": name, "check": one.check, "verdict": one.verdict.name, "sentence": one.sentence}
            yield about | dict(one.values)
