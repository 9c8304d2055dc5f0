"""layouts, metrics, prepare and eval work without torch, which is slow to import; the exceptions are named here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("motion4d/layouts", "motion4d/metrics", "prepare", "eval")
WITH_TORCH = (
    "eval.speed",
    "eval.rows",
    "prepare.dynamic_replica",
    "prepare.export",
    "prepare.flow",
    "prepare.procedural",
)


def test_nothing_but_the_exceptions_imports_torch() -> None:
    files = [file.relative_to(ROOT).with_suffix("") for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    modules = [".".join(file.parts) for file in files if file.name != "__init__"]
    assert len(modules) > 60
    plain = [name for name in modules if not name.startswith(WITH_TORCH)]
    code = (
        f"import importlib, sys\nfor name in {plain}:\n    importlib.import_module(name)\n"
        "    if 'torch' in sys.modules:\n        sys.exit(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
