"""The command line: the only file that knows Hydra. Composition, building by `_target_`, the guard around every job.

What Hydra leaves open is closed here: a failing job writes its traceback into its own log and status.json, a sweep goes
on after it, its summary and the exit code tell; what a user can mend is one sentence on the console; a run folder that
cannot be written is known before anything starts. Works with Hydra 1.3 and 1.4. No torch at import time.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from motion4d.engine.errors import Incomplete, RankFailed, can_be_mended
from motion4d.engine.ranks import has_outer_launcher, rank, run_ranks
from motion4d.engine.run_folder import RunFolder, redacted, redacted_override
from motion4d.engine.tables import aligned, markdown
from motion4d.io.files import make_folder, read_json, write_json, write_text

_log = logging.getLogger(__name__)

ALLOWED_TARGETS = ("motion4d.", "torch.optim.", "torch.nn.")
# what a user can mend: shown as one sentence; anything else is a fault of ours and shown with its traceback
EXPECTED = (ValueError, OSError, MemoryError, ImportError, Incomplete, RankFailed, InstantiationException)
SWEEP_FAILED = 3  # exit code


def main(conf: Path) -> None:
    """Compose the configuration from the folder `conf` and the command line, and run the job or the sweep."""
    register_resolvers()
    sys.argv[1:] = [quoted_path(argument) for argument in sys.argv[1:]]
    # our launcher presets carry the names of Hydra's own options on purpose
    warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/\w+' is validated against ConfigStore")
    if has_outer_launcher():
        _follow_outer_launcher(sys.argv)
    version = {} if _hydra_version() >= (1, 4) else {"version_base": "1.3"}
    try:
        hydra.main(config_path=str(conf), config_name="config", **version)(run_job)()
    except HydraException as error:  # what Hydra itself raises outside a job, such as a typo beside --help
        sys.exit(f"error: {error}")


def run_job(config: DictConfig) -> None:
    """One job: its folder, its work, its status. In a sweep it returns after a failure, so that the others go on."""
    settings = HydraConfig.get()
    folder = Path(settings.runtime.output_dir)
    with open_dict(config):
        config.output = str(folder)
    is_sweep = settings.mode == RunMode.MULTIRUN
    job = {
        "job": settings.job.num if is_sweep else 0,
        "overrides": [redacted_override(text) for text in settings.overrides.task],
    }
    code = guarded(lambda: work_through(config, folder), folder, job)
    if code and not is_sweep:
        sys.exit(code)


def work_through(config: DictConfig, folder: Path) -> None:
    """Write down what is asked for, then do it, on as many ranks as the runtime says."""
    plain = OmegaConf.to_container(config, resolve=True)
    if rank() == 0:
        write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(redacted(plain))))
        RunFolder(folder).write_environment(config.get("seed"))
    num_processes = config.runtime.num_processes
    target = hydra.utils.get_class(config.task._target_)
    if (num_processes != 1 or has_outer_launcher()) and not getattr(target, "is_distributed", False):
        raise ValueError(f"{target.__name__} runs in one process: leave runtime.num_processes at 1")
    retries = config.runtime.retries
    retried(
        lambda: run_ranks(build_and_run, (config,), num_processes=num_processes, folder=folder, apart=retries > 0),
        retries,
    )


def retried(work: Callable[[], None], retries: int) -> None:
    """Do the work, again up to `retries` times if it breaks for a reason that a user could not mend."""
    for attempt in range(retries + 1):
        try:
            return work()
        except Exception as error:
            if attempt == retries or can_be_mended(error):
                raise
            _log.warning("attempt %d failed (%s: %s); again", attempt + 1, type(error).__name__, error)
    return None


def build_and_run(config: DictConfig) -> None:
    """Build the task and run it: what happens on every rank."""
    from motion4d.engine.runtime import seed_everything

    seed_everything(config.seed)
    build(config.task).run()


def compose(conf: Path, overrides: Sequence[str]) -> DictConfig:
    """The configuration of the folder `conf` with these words of a command line, outside of a job.

    A ValueError of one sentence for a word that does not fit.
    """
    register_resolvers()
    try:
        with hydra.initialize_config_dir(str(conf), version_base="1.3"):
            return hydra.compose("config", overrides=list(overrides))
    except HydraException as error:
        raise ValueError(" ".join(str(error).split())) from error


def build(config: Any) -> Any:
    """Build the object that a config describes by `_target_`, with everything inside it.

    Only names under ALLOWED_TARGETS are built; code sees plain dicts and lists, never configs.
    """
    check_targets(config)
    keywords = {"_execution_whitelist_": list(ALLOWED_TARGETS)} if _hydra_version() >= (1, 4) else {}
    return hydra.utils.instantiate(config, _convert_="all", **keywords)


def check_targets(config: Any) -> None:
    """Raise ValueError if anything in the config would build something that is not ours or torch's."""
    plain = OmegaConf.to_container(config, resolve=True) if isinstance(config, (DictConfig, ListConfig)) else config
    if isinstance(plain, dict):
        target = plain.get("_target_")
        if target is not None and not str(target).startswith(ALLOWED_TARGETS):
            raise ValueError(f"_target_={target} is not allowed: it must begin with {', '.join(ALLOWED_TARGETS)}")
        for value in plain.values():
            check_targets(value)
    elif isinstance(plain, list):
        for value in plain:
            check_targets(value)


def guarded(work: Callable[[], None], folder: Path, job: dict[str, Any]) -> int:
    """Do the work; leave status.json and the log in `folder`; return the exit code (0: all is well)."""
    began = time.monotonic()

    def note(status: str, error: str | None = None) -> None:
        if rank() == 0:
            seconds = round(time.monotonic() - began, 1)
            RunFolder(folder).write_status({**job, "status": status, "error": error, "seconds": seconds})

    note("running")
    try:
        work()
    except KeyboardInterrupt:
        note("interrupted")
        _log.error("interrupted; the same command with output=%s goes on from what is there", folder)
        return 130
    except SystemExit:  # submitit's way out of a job that it has put back into the queue
        note("requeued")
        _log.warning("requeued: the job will go on in %s", folder)
        raise
    except Exception as error:
        sentence = describe(error)
        note("incomplete" if isinstance(error, Incomplete) else "failed", sentence)
        if isinstance(error, InstantiationException) or isinstance(_root(error), EXPECTED):
            _log_to_file("traceback", error)
            _log.error("error: %s", sentence)
        else:
            _log.error("error: %s", sentence, exc_info=error)
        return 1
    note("done")
    if rank() == 0:
        _log.info("done: %s", folder)
    return 0


def describe(error: BaseException) -> str:
    """One sentence: the message of the error that a constructor raised, with the config key it was built for."""
    root = _root(error)
    where = str(error).rpartition("full_key: ")[2] if root is not error and "full_key: " in str(error) else ""
    text = " ".join(str(root).split()) or type(root).__name__
    if isinstance(root, (ValueError, OSError, ImportError, Incomplete, RankFailed)):
        return f"{text} (in {where})" if where else text
    if where and isinstance(root, TypeError):
        return f"a value of {where} is of the wrong kind: {text}"
    return f"{type(root).__name__}: {text}" + (f" (in {where})" if where else "")


class WritableFolder(Callback):
    """Before anything starts: the run folder can be written, or one sentence says that it cannot."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check the folder of a single run."""
        self._check(Path(config.hydra.run.dir))

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Check the folder of a sweep."""
        self._check(Path(config.hydra.sweep.dir))

    @staticmethod
    def _check(folder: Path) -> None:
        try:
            make_folder(folder)
            probe = folder / f".probe_{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            reason = error if "choose another" in str(error) else f"cannot write into {folder}: {error.strerror}"
            sys.exit(f"error: {reason}")  # Hydra would only warn about any other exception of a callback


class SweepSummary(Callback):
    """After a sweep: one row per job in summary.json, summary.md and on the console; exit code 3 if any job failed."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Make sure that there is a summary even if a killed job ends the sweep early."""
        self.folder = Path(config.hydra.sweep.dir).absolute()
        atexit.register(self.summarise)
        if "submitit" in config.hydra.launcher._target_:
            _outlive_killed_jobs(self.folder)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Summarise and exit."""
        atexit.unregister(self.summarise)
        if self.summarise():
            raise SystemExit(SWEEP_FAILED)

    def summarise(self) -> list[int]:
        """Write the summary; returns the numbers of the jobs that are not done."""
        rows = sweep_rows(self.folder)
        failed = [row["job"] for row in rows if row["status"] != "done"]
        verdict = f"{len(rows)} jobs, {len(failed)} failed" + (f": {', '.join(map(str, failed))}" if failed else "")
        first = rows[0]["overrides"] if rows else []
        shared = [text for text in first if all(text in row["overrides"] for row in rows)]
        shown = [{**row, "overrides": " ".join(t for t in row["overrides"] if t not in shared)} for row in rows]
        title = f"all jobs: {' '.join(shared)}"
        write_json(self.folder / "summary.json", rows)
        write_text(self.folder / "summary.md", f"{title}\n\n{markdown(shown)}\n\n{verdict}\n")
        _log.info("\n%s\n\n%s\n\n%s (%s)", title, aligned(shown), verdict, self.folder / "summary.md")
        return failed


def _outlive_killed_jobs(folder: Path) -> None:
    """Let the sweep in `folder` go on when one of submitit's jobs is killed.

    Hydra's launcher stops at the first job that left no result, and takes no other class in its place. So the jobs that
    submitit hands it are wrapped: one that was killed gets its status written, and answers like one that returned.
    """
    from submitit import AutoExecutor

    submit = getattr(AutoExecutor.map_array, "__wrapped__", AutoExecutor.map_array)

    @functools.wraps(submit)
    def map_array(executor: Any, launcher: Any, overrides: Any, keys: Any, numbers: Any, *others: Any) -> Any:
        jobs = submit(executor, launcher, overrides, keys, numbers, *others)
        return [_LastingJob(*one, folder) for one in zip(jobs, numbers, overrides, strict=True)]

    AutoExecutor.map_array = map_array  # type: ignore[method-assign, assignment]


class _LastingJob:
    """A job of submitit whose end is known, whatever it was."""

    def __init__(self, job: Any, number: int, overrides: list[str], folder: Path) -> None:
        self.job = job
        self.number = number
        self.overrides = overrides
        self.folder = RunFolder(folder / str(number))

    def results(self) -> list[Any]:
        """What the job returned, or what a job returns that has written its failure down."""
        from hydra.core.utils import JobReturn, JobStatus
        from submitit.core.utils import FailedJobError, UncompletedJobError

        try:
            return self.job.results()
        except FailedJobError as failure:  # before the guard around our work: its message is a traceback
            error = str(failure).strip().splitlines()[-1]
        except UncompletedJobError:
            error = f"killed from outside (too little memory? out of time?); its last words: {self.job.paths.stderr}"
        words = [redacted_override(text) for text in self.overrides if not text.startswith("hydra")]
        status = {"job": self.number, "overrides": words, "status": "failed", "error": error, "seconds": None}
        self.folder.write_status(status)
        _log.error("job %d: %s", self.number, error)
        return [JobReturn(status=JobStatus.COMPLETED)]


def sweep_rows(folder: Path) -> list[dict[str, Any]]:
    """One row per job of the sweep in `folder`: number, overrides, status, main metrics, seconds, error."""
    rows = []
    for status in sorted((read_json(file) for file in folder.glob("*/status.json")), key=lambda one: one["job"]):
        row = {name: status[name] for name in ("job", "overrides", "status")}
        row.update(RunFolder(folder / str(status["job"])).metrics().get("main", {}))
        row["seconds"] = status["seconds"]
        rows.append({**row, "error": status["error"]} if status["error"] else row)
    return rows


def quoted_path(argument: str) -> str:
    """`input=my clip (1).mp4` in the quotes that Hydra wants, if there is such a file; anything else as it is."""
    name, _, value = argument.partition("=")
    if re.fullmatch(r"[\w./\-~ ]*", value) or value[0] in "'\"" or not os.path.exists(value):
        return argument
    return f"{name}='{value.replace(chr(39), chr(92) + chr(39))}'"


def register_resolvers() -> None:
    """The resolvers that conf/ uses: ${gpu_count:}."""
    OmegaConf.register_new_resolver("gpu_count", gpu_count, replace=True)


def gpu_count() -> int:
    """Visible GPUs, counted without initialising CUDA (a process that did could not start ranks)."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([part for part in visible.split(",") if part.strip() not in ("", "-1")])
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listed.splitlines())


def _follow_outer_launcher(arguments: list[str]) -> None:
    """As one rank of torchrun or slurm: all ranks need one folder, and only rank 0 writes Hydra's log."""
    if not any(argument.startswith("output=") for argument in arguments[1:]):
        sys.exit("error: under torchrun or slurm every rank needs the same run folder: give output=FOLDER")
    if rank() > 0:
        arguments += ["hydra/job_logging=none", "hydra/hydra_logging=none"]


def _root(error: BaseException) -> BaseException:
    """What a constructor raised, beneath Hydra's wrapping."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _log_to_file(message: str, error: BaseException) -> None:
    """A record with traceback for the log files only."""
    record = _log.makeRecord(
        _log.name, logging.ERROR, __file__, 0, message, (), (type(error), error, error.__traceback__)
    )
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)


def _hydra_version() -> tuple[int, int]:
    major, minor = hydra.__version__.split(".")[:2]
    return int(major), int(minor)
