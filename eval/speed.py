"""python -m eval.speed: seconds and peak memory of every network and algorithm, beside a plain form of the same thing.

Every form runs in a process of its own (so that peak memory is its own), warmed up once, then timed a few times; the
minimum is kept, because a shared machine only ever adds time. Where its speed drifts from minute to minute, measure the
forms in several turns, one after the other, so that each has its share of the quiet minutes; speed.json keeps the
seconds of all turns. A calibration matrix product stands beside the rows: divide by it before comparing two machines.
Nothing here asserts a time.

    python -m eval.speed                          # every row that fits small machines
    python -m eval.speed fusion raft --frames 8 --size 224x224
    python -m eval.speed pi3 geomotion            # full size: about 4 GB and minutes on a CPU
    python -m eval.speed vggt page4d --frames 2 4 8 16 32   # how seconds and memory grow
    python -m eval.speed raft --frames 16 --size 240x424 --repeats 1 --turns 3
    python -m eval.speed raft --frames 3 --size 1080x1920 --skip-plain   # where the plain form has no place
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from eval.rows import ROWS
from eval.rows.base import Setting, calibrate


@dataclass
class Measurement:
    """One form of one row. Memory is the peak above what the process held before the first run, in MiB."""

    row: str
    form: str
    frames: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    turns: list[float] = field(default_factory=list)  # seconds of every turn, of which `seconds` is the least
    speedup: float | None = None  # seconds of the row's first form over this one's


def main(arguments: list[str] | None = None) -> int:
    """Measure the chosen rows, print a table, write JSON."""
    options = _parse(arguments)
    height, width = options.size
    settings = [Setting(frames, height, width, options.threads) for frames in options.frames]
    machine = {**describe_machine(settings[0]), "calibration_gflops": round(calibrate(settings[0]), 1)}
    print("  ".join(f"{key}: {value}" for key, value in machine.items()))
    measurements: list[Measurement] = []
    for row in options.rows or [name for name, forms in ROWS.items() if not forms.full_size]:
        forms = list(ROWS[row].forms)
        chosen = forms[1:] or forms if options.skip_plain else forms
        for setting in settings:
            measurements += _measure_row(row, chosen, setting, repeats=options.repeats, turns=options.turns)
    print(table(measurements))
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        report = {
            "machine": machine,
            "settings": [asdict(one) for one in settings],
            "rows": [asdict(one) for one in measurements],
        }
        (options.output / "speed.json").write_text(json.dumps(report, indent=2) + "\n")
        (options.output / "speed.txt").write_text(table(measurements) + "\n")
        print(f"written: {options.output / 'speed.json'}")
    return 0


def describe_machine(setting: Setting) -> dict[str, object]:
    """What a reader needs to place the numbers."""
    import torch

    model = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown CPU")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else model
    return {
        "machine": device,
        "threads": setting.threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def table(measurements: list[Measurement]) -> str:
    """An aligned table, one line per form."""
    lines = [f"{'row':<12} {'form':<36} {'frames':>6} {'seconds':>9} {'CPU s':>9} {'peak MiB':>9} {'speed-up':>9}"]
    for one in measurements:
        speedup = "" if one.speedup is None else f"{one.speedup:.2f}x"
        numbers = f"{one.seconds:>9.3f} {one.cpu_seconds:>9.3f} {one.peak_mib:>9.0f} {speedup:>9}"
        lines.append(f"{one.row:<12} {one.form:<36} {one.frames:>6} {numbers}")
    return "\n".join(lines)


def _measure_row(row: str, forms: list[str], setting: Setting, *, repeats: int, turns: int) -> list[Measurement]:
    runs: dict[str, list[Measurement]] = {form: [] for form in forms}
    for turn in range(turns):
        for form in forms:
            where = f", turn {turn + 1} of {turns}" if turns > 1 else ""
            print(f"measuring {row}: {form}, {setting.frames} frames{where} ...", file=sys.stderr, flush=True)
            runs[form].append(Measurement(row, form, setting.frames, *_in_own_process(row, form, setting, repeats)))
    measurements = [min(ours, key=lambda run: run.seconds) for ours in runs.values()]
    plain = next(iter(ROWS[row].forms))
    for one, ours in zip(measurements, runs.values(), strict=True):
        one.peak_mib = max(run.peak_mib for run in ours)
        one.turns = [run.seconds for run in ours]
        if plain in runs and one.form != plain:
            one.speedup = measurements[0].seconds / one.seconds
    return measurements


def _in_own_process(row: str, form: str, setting: Setting, repeats: int) -> tuple[float, float, float]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run_form, args=(row, form, setting, repeats, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        raise SystemExit(f"eval.speed: {row} ({form}) ended without a result; see the messages above") from None
    finally:
        process.join()


def _run_form(row: str, form: str, setting: Setting, repeats: int, pipe: Connection) -> None:
    import torch

    torch.set_num_threads(setting.threads)
    with torch.inference_mode():
        work = ROWS[row].forms[form](setting)
        before = _peak_mib()
        work()
        best = (float("inf"), float("inf"))
        for _ in range(repeats):
            start, cpu = time.perf_counter(), time.process_time()
            work()
            best = min(best, (time.perf_counter() - start, time.process_time() - cpu))
    pipe.send((*best, _peak_mib() - before))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    try:
        return int(height), int(width)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a size is HEIGHTxWIDTH, for example 224x224, not {text!r}") from None


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; default: all but the full-size ones"
    )
    parser.add_argument(
        "--frames", type=int, nargs="+", default=[8], metavar="N", help="of a clip, in turn (default 8)"
    )
    parser.add_argument("--size", type=_size, default=(224, 224), metavar="HxW", help="frame size (default 224x224)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="torch threads (default: all cores)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs, the fastest counts (default 3)")
    parser.add_argument(
        "--turns", type=int, default=1, help="how often all forms are measured, one after the other (default 1)"
    )
    parser.add_argument("--skip-plain", action="store_true", help="leave out the first form of rows that have others")
    parser.add_argument("--output", type=Path, help="folder for speed.json and speed.txt")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.rows) - set(ROWS))
    if unknown:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
