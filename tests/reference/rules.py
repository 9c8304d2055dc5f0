"""RULE -> value: how a case says what an input or a weight is.

- {"uniform" | "normal": NAME, "shape", "seed", "scale", "shift", "greater_than", "dtype"}: seeded values; float32
  unless `dtype` says otherwise; `greater_than` makes a 0/1 mask.
- {"file", "entry", "dtype"}: an entry of a safetensors (or JSON) file, its own dtype unless `dtype` is there.
- {"value": JSON, "dtype"}: numbers become an array (float32 unless `dtype`; null = NaN); anything else stays as it is.
- {"png": "folder/*.png"}: stored values, natural order, [T, H, W] or [T, H, W, C]. {"path": P}: the Path itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors import safe_open

from tests.reference.seeded import seeded_normal, seeded_uniform

Find = Callable[[str], Path]  # a name in a case -> the file or folder it means


def resolve(rule: Mapping[str, Any], find: Find) -> Any:
    """The value that `rule` describes; `find` locates the files it names."""
    if "uniform" in rule or "normal" in rule:
        return _seeded(rule)
    if "value" in rule:
        return plain_value(rule["value"], rule.get("dtype", "float32"))
    if "file" in rule:
        return _cast(read_entry(find(rule["file"]), rule["entry"]), rule.get("dtype"))
    if "png" in rule:
        return _cast(_images(find, rule["png"]), rule.get("dtype"))
    if "path" in rule:
        return find(rule["path"])
    raise ValueError(f"unknown rule {json.dumps(rule)[:100]}")


def plain_value(value: Any, dtype: str) -> Any:
    """Numbers (nested lists of them; null = NaN) as an array of `dtype`; text and dictionaries unchanged."""
    array = numeric_array(value)
    return value if array is None else array.astype(dtype)


def numeric_array(value: Any) -> np.ndarray | None:
    """JSON numbers as an array of their natural dtype (null = NaN), None for anything else; ValueError if ragged."""
    if not _is_numeric(value):
        return None
    return np.array(value, dtype=np.float64 if _has_null(value) else None)


def read_entry(path: Path, entry: str) -> Any:
    """An entry of a safetensors file, or what a '/' path in a JSON file leads to."""
    if path.suffix != ".json":
        with safe_open(path, framework="np") as file:
            return file.get_tensor(entry)
    return walk(read_json(path), entry)


@lru_cache(maxsize=64)
def read_json(path: Path) -> Any:
    """The parsed file, read once."""
    return json.loads(path.read_text(encoding="utf-8"))


def walk(tree: Any, path: str) -> Any:
    """Follow 'a/0/b' through dictionaries and lists; keys that contain '/' themselves are found too."""
    found = list(_walk(tree, path.split("/")))
    if not found:
        raise KeyError(f"no entry {path!r} in the expected values")
    return found[0]


def _walk(tree: Any, parts: list[str]) -> Any:
    if not parts:
        yield tree
    elif isinstance(tree, list):
        if parts[0].isdecimal() and int(parts[0]) < len(tree):
            yield from _walk(tree[int(parts[0])], parts[1:])
    elif isinstance(tree, dict):
        for count in range(1, len(parts) + 1):
            key = "/".join(parts[:count])
            if key in tree:
                yield from _walk(tree[key], parts[count:])


def _seeded(rule: Mapping[str, Any]) -> np.ndarray:
    make, name = (seeded_uniform, rule["uniform"]) if "uniform" in rule else (seeded_normal, rule["normal"])
    values = make(name, rule["shape"], rule.get("seed", 0)) * rule.get("scale", 1.0) + rule.get("shift", 0.0)
    if "greater_than" in rule:
        values = values > rule["greater_than"]
    return np.asarray(values).astype(rule.get("dtype", "float32"))


def _cast(values: Any, dtype: str | None) -> Any:
    return values if dtype is None else np.asarray(values).astype(dtype)


def _images(find: Find, pattern: str) -> np.ndarray:
    folder, _, name = pattern.rpartition("/")
    files = sorted(find(folder or ".").glob(name), key=lambda file: _natural(file.name))
    if not files:
        raise FileNotFoundError(f"no image matches {pattern}")
    images = []
    for file in files:
        with Image.open(file) as image:
            images.append(np.array(image))
    return np.stack(images)


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name)]


def _is_numeric(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_numeric(item) for item in value)
    return value is None or isinstance(value, (bool, int, float))


def _has_null(value: Any) -> bool:
    return any(_has_null(item) for item in value) if isinstance(value, list) else value is None
