"""The command line that every data set's `python -m prepare.NAME` has: prepare, check, download.

Sequences that are there already (as the manifest says) are passed over, so an interrupted run goes on where it stopped.
A sequence that is broken is reported, the others are prepared, and the exit status is 1. The source is only read.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from motion4d.io.files import check_writable
from prepare.archives import SUFFIXES, is_archive, unpack
from prepare.dataset import Dataset, Facts, Job
from prepare.download import DownloadError
from prepare.fetching import fetch_all
from prepare.manifest import Manifest, examine, is_there, read_manifest
from prepare.placing import MODES, Mode, keep, place

UNPACKED, DOWNLOADS = ".unpacked", ".downloads"
SECONDS_BETWEEN_MANIFESTS = 5.0


def run(dataset: Dataset, arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit status."""
    parser = _parser(dataset)
    options = parser.parse_args(arguments)
    if not (options.source or options.download or options.check):
        parser.error(f"where is {dataset.title}? give --source DOWNLOADED{_or_download(dataset)}. {dataset.origin}")
    try:
        if not options.check:
            return _prepare(dataset, options)
        problems = check(dataset, options)
    except (ValueError, OSError, DownloadError) as error:
        print(f"prepare.{dataset.name}: {error}", file=sys.stderr)
        return 1
    for problem in problems:
        print(problem, file=sys.stderr)
    verdict = f"{len(problems)} problems" if problems else "complete and consistent"
    print(f"{options.root}: {len(dataset.names(options.root))} sequences, {verdict}")
    return 1 if problems else 0


def check(dataset: Dataset, options: argparse.Namespace) -> list[str]:
    """Everything that is wrong with the root, one sentence each."""
    root = options.root
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; run: {dataset.command} --source DOWNLOADED --root {root}")
    manifest, published, present = read_manifest(root), dataset.published(options), dataset.names(root)
    known = manifest.sequences if manifest else {}
    problems = [] if known or present else ["it holds no sequences"]
    if manifest and manifest.version != dataset.version:
        problems.append(f"it was prepared by version {manifest.version} of {dataset.command}, now there is a newer one")
    for name in dict.fromkeys([*known, *present]):
        facts, found = examine(root, name, dataset)
        problems += found
        if facts is not None and name in known and facts != known[name]:
            problems.append(f"{name}: it has {_shown(facts)}, but the manifest says {_shown(known[name])}")
        problems += _wrong_count(name, published, facts)
    return problems + _missing(published, {*known, *present}, options)


def write_files(job: Job, root: Path, mode_of: Callable[[Path], Mode]) -> None:
    """Put everything that a sequence consists of below the root; mode_of: how a source's file is placed."""
    for name, content in job.files().items():
        if isinstance(content, Path):
            place(content, root / name, mode_of(content))
        else:
            content(root / name)


def _prepare(dataset: Dataset, options: argparse.Namespace) -> int:
    root = options.root
    check_writable(root)
    sources = list(options.source or fetch_all(dataset.downloads, root / DOWNLOADS))
    manifest, known = _begin(dataset, options, sources)
    problems: list[str] = []
    if not manifest.complete:
        folders = [_folder(source, root) for source in sources]
        problems = _work_through(dataset.jobs(folders, options), known, dataset, options, manifest)
        shutil.rmtree(root / UNPACKED, ignore_errors=True)
    missing = _missing(dataset.published(options), manifest.sequences, options)
    print("\n".join(missing), end="\n" if missing else "", file=sys.stderr)
    count = f"{len(manifest.sequences)} sequences of {dataset.title} are there"
    print(f"{root}: {count}" + (f", {len(problems)} problems" if problems else ""))
    return 1 if problems or missing else 0


def _begin(dataset: Dataset, options: argparse.Namespace, sources: Sequence[Path]) -> tuple[Manifest, dict[str, Facts]]:
    """The manifest to fill, and what is known of sequences that are there from an earlier run.

    It is complete already if that run took the same archives, which then need not be unpacked.
    """
    manifest = Manifest(
        dataset.name,
        dataset.version,
        {name: getattr(options, name) for name in ("mode", *dataset.kept)},
        [{"name": source.name, "bytes": _bytes(source)} for source in sources],
    )
    old = read_manifest(options.root)
    if old is None or not old.is_of(manifest):
        return manifest, {}
    known = {name: facts for name, facts in old.sequences.items() if is_there(options.root, name, facts, dataset)}
    if old.complete and known == old.sequences and old.sources == manifest.sources and all(map(is_archive, sources)):
        return old, known
    return manifest, known


def _work_through(
    jobs: Iterable[Job],
    known: Mapping[str, Facts],
    dataset: Dataset,
    options: argparse.Namespace,
    manifest: Manifest,
) -> list[str]:
    """Prepare what is not there; the manifest is kept on disk as it grows. Returns the problems.

    What is known stays in the manifest even if this source does not hold it: splits may be prepared one by one.
    """
    problems: list[str] = []
    written = time.monotonic()
    manifest.sequences |= known
    try:
        for job in jobs:
            if job.name in known:
                continue
            facts, found = _do(job, dataset, options)
            problems += found
            if facts is not None and not found:
                manifest.sequences[job.name] = facts
                print(f"{job.name}: {facts.frames} frames, {facts.labelled} of them with masks or depth", flush=True)
            print("\n".join(found), end="\n" if found else "", file=sys.stderr, flush=True)
            if time.monotonic() - written > SECONDS_BETWEEN_MANIFESTS:
                manifest.write(options.root)
                written = time.monotonic()
        manifest.complete = not problems
    finally:
        manifest.write(options.root)
    return problems


def _do(job: Job, dataset: Dataset, options: argparse.Namespace) -> tuple[Facts | None, list[str]]:
    """Prepare one sequence; its facts, and what is wrong with it."""
    unpacked = options.root / UNPACKED
    try:
        write_files(job, options.root, lambda source: keep if unpacked in source.parents else MODES[options.mode])
    except (ValueError, OSError) as error:
        return None, [f"{job.name}: {error}"]
    facts, problems = examine(options.root, job.name, dataset)
    return facts, problems + _wrong_count(job.name, dataset.published(options), facts)


def _folder(source: Path, root: Path) -> Path:
    """A folder as it is, an archive unpacked below the root for the time of this run."""
    if is_archive(source) and source.is_file():
        print(f"unpacking {source.name}", flush=True)
        return unpack(source, root / UNPACKED)
    if not source.is_dir():
        reason = "is neither a folder nor an archive" if source.exists() else "is not there"
        raise FileNotFoundError(f"the source {source} {reason}; name what was downloaded ({', '.join(SUFFIXES)})")
    inner, outer = sorted((source.resolve(), root.resolve()), key=lambda path: len(path.parts), reverse=True)
    if inner.is_relative_to(outer):
        raise ValueError(f"the source {source} and the root {root} lie inside each other; choose another --root")
    return source


def _bytes(source: Path) -> int | None:
    return source.stat().st_size if source.is_file() else None


def _missing(published: Mapping[str, object], present: Collection[str], options: argparse.Namespace) -> list[str]:
    """One sentence about the published sequences that are not there, unless a part is enough."""
    missing = [name for name in published if name not in present]
    if not missing or options.partial:
        return []
    count = f"{len(missing)} of {len(published)} published sequences are missing"
    return [f"{count}: {', '.join(missing)}; if a part is enough, say --partial"]


def _shown(facts: Facts) -> str:
    height, width = facts.size
    labels = f", ids {', '.join(map(str, facts.ids))}" if facts.ids else ""
    return f"{facts.frames} frames of {width}x{height}, {facts.labelled} of them labelled{labels}"


def _wrong_count(name: str, published: Mapping[str, int | None], facts: Facts | None) -> list[str]:
    expected = published.get(name)
    if expected is None or facts is None or facts.frames == expected:
        return []
    return [f"{name}: it has {facts.frames} frames, but {expected} were published"]


def _parser(dataset: Dataset) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=dataset.command,
        description=f"{dataset.title}: what was downloaded -> the layout that motion4d reads, checked.",
        epilog=f"Licence: {dataset.licence} Source: {dataset.origin}",
    )
    parser.add_argument("--source", nargs="+", type=Path, metavar="PATH", help="downloaded archives or folders")
    parser.add_argument("--root", type=Path, default=dataset.root, help=f"where it goes (default: {dataset.root})")
    parser.add_argument("--mode", choices=MODES, default="symlink", help="how files of a source folder are placed")
    parser.add_argument("--partial", action="store_true", help="a part of the published sequences, or others, will do")
    parser.add_argument("--check", action="store_true", help="check what is there; exit status 1 if anything is wrong")
    if dataset.downloads:
        files = ", ".join(f"{archive.file_name} ({archive.size})" for archive in dataset.downloads)
        parser.add_argument("--download", action="store_true", help=f"fetch {files} first")
    else:
        parser.set_defaults(download=False)
    dataset.arguments(parser)
    return parser


def _or_download(dataset: Dataset) -> str:
    return " or --download" if dataset.downloads else ""
