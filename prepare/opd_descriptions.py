"""Sentences for OPDReal and OPDMulti: python -m prepare.opd_descriptions --root data/opdreal --descriptions FILE

FILE holds what somebody wrote: JSON or JSON lines of {"split", "id", "description"}, {split: {id: description}}, or a
MotionNet annotation file with descriptions, each possibly with .gz. Annotations without any get one of our own
templates, drawn with --seed. What was described before stays, unless --replace. The annotations say in
info.description_source where their sentences are from.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from motion4d.io.files import read_json, write_json
from motion4d.layouts.opd import DESCRIBE, FILTERED, PREPARE, SPLITS, annotation_file
from motion4d.layouts.opd_annotations import KINDS
from prepare.opd_sentences import SOURCE, template

Sentences = dict[tuple[str, int], str]  # by split and number of the annotation


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        files = _annotation_files(options.root)
        if options.check:
            return _check(files)
        given: Sentences = {}
        for path in options.descriptions:
            given |= read_sentences(path)
        for split, file in files.items():
            _describe(split, file, given, options)
        _report_strangers(given, files)
    except (ValueError, OSError) as error:
        print(f"prepare.opd_descriptions: {error}", file=sys.stderr)
        return 1
    return 0


def read_sentences(path: Path) -> Sentences:
    """What a file says of which annotation. A ValueError names the file and the first entry that is none."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
        name = path.name.removesuffix(".gz")
        content = [json.loads(line) for line in text.splitlines() if line.strip()] if name.endswith("l") else None
        return dict(_entries(json.loads(text) if content is None else content, name))
    except FileNotFoundError:
        raise FileNotFoundError(f"there are no descriptions {path}") from None
    except (gzip.BadGzipFile, EOFError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a JSON file or JSON lines ({error}); restore it") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: an entry has no split, id and description ({error})") from error


def _entries(content: Any, name: str) -> Iterator[tuple[tuple[str, int], str]]:
    if isinstance(content, Mapping) and "annotations" in content:
        split = name.removesuffix(".json").rpartition("_")[2]
        content = [{"split": split, **entry} for entry in content["annotations"] if entry.get("description")]
    elif isinstance(content, Mapping):
        content = [
            {"split": split, "id": number, "description": text}
            for split, texts in content.items()
            for number, text in texts.items()
        ]
    for entry in content:
        if entry["split"] not in SPLITS or not str(entry["description"]).strip():
            raise ValueError(f"{entry}")
        yield (entry["split"], int(entry["id"])), str(entry["description"])


def _describe(split: str, file: Path, given: Sentences, options: argparse.Namespace) -> None:
    """Write the sentences of one split into its annotations."""
    content = read_json(file)
    counts = {"given": 0, "kept": 0, SOURCE: 0}
    try:
        names = {entry["id"]: entry["name"] for entry in content["categories"]}
        for entry in content["annotations"]:
            number, motion = entry["id"], entry["motion"]["type"]
            if motion not in KINDS:
                raise ValueError(f"{file}: annotation {number} has the motion {motion!r}; known are {', '.join(KINDS)}")
            if (split, number) in given:
                entry["description"] = given[split, number]
                counts["given"] += 1
            elif not options.replace and entry.get("description", "").strip():
                counts["kept"] += 1
            else:
                part = names[entry["category_id"]]
                entry["description"] = template(part, motion, split=split, number=number, seed=options.seed)
                counts[SOURCE] += 1
    except (KeyError, TypeError) as error:
        raise ValueError(f"{file} lacks the entry {error}; it is not a MotionNet annotation file") from error
    content["info"] = {**content.get("info", {}), "description_source": _source(content, counts, options)}
    write_json(file, content)
    print(f"{file}: {counts['given']} given, {counts['kept']} kept, {counts[SOURCE]} from templates")


def _source(content: Mapping[str, Any], counts: Mapping[str, int], options: argparse.Namespace) -> str:
    """Where the sentences are from, each origin with its number."""
    before = content.get("info", {}).get("description_source", "as published")
    if counts["kept"] == sum(counts.values()):
        return str(before)
    said = []
    if counts["given"]:
        said.append(f"{counts['given']} of {', '.join(path.name for path in options.descriptions)}")
    if counts["kept"]:
        said.append(f"{counts['kept']} kept ({before})")
    if counts[SOURCE]:
        said.append(f"{counts[SOURCE]} {SOURCE}, seed {options.seed}")
    return "; ".join(said)


def _check(files: Mapping[str, Path]) -> int:
    """Say what lacks a sentence; 1 if anything does."""
    missing = 0
    for file in files.values():
        content = read_json(file)
        silent = [entry.get("id") for entry in content["annotations"] if not entry.get("description", "").strip()]
        missing += len(silent)
        source = content.get("info", {}).get("description_source", "as published")
        verdict = f"{len(silent)} without (the first: {silent[0]})" if silent else f"all described: {source}"
        print(f"{file}: {len(content['annotations'])} annotations, {verdict}")
    return 1 if missing else 0


def _report_strangers(given: Sentences, files: Mapping[str, Path]) -> None:
    """Say how many sentences no annotation took."""
    known = {(split, entry["id"]) for split, file in files.items() for entry in read_json(file)["annotations"]}
    strangers = [key for key in given if key not in known]
    if strangers:
        split, number = strangers[0]
        print(f"{len(strangers)} descriptions are of annotations that are not there (the first: {split} {number})")


def _annotation_files(root: Path) -> dict[str, Path]:
    files = {split: root / FILTERED / annotation_file(split) for split in SPLITS}
    found = {split: file for split, file in files.items() if file.is_file()}
    if not found:
        raise FileNotFoundError(f"there are no annotations in {root / FILTERED}; run: {PREPARE} --root {root}")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=DESCRIBE, description="Give every annotation of OPD a sentence.")
    parser.add_argument("--root", type=Path, default=Path("data/opdreal"), help="as prepared by prepare.opd")
    parser.add_argument("--descriptions", nargs="+", type=Path, default=[], metavar="FILE", help="what somebody wrote")
    parser.add_argument("--seed", type=int, default=0, help="of the choice among templates (default: 0)")
    parser.add_argument("--replace", action="store_true", help="forget the sentences that are there")
    parser.add_argument("--check", action="store_true", help="only say what has no sentence; exit status 1 if any")
    return parser


if __name__ == "__main__":
    sys.exit(main())
