"""Starting the ranks of a run: one process, several from inside, or one rank of an outer launcher (torchrun, slurm).

The work is started before anything touches a GPU or torch's thread pool, since the ranks are forked.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from motion4d.engine.errors import RankFailed, can_be_mended
from motion4d.engine.interrupt import requeued_after_ranks, stop_on_requeue

_log = logging.getLogger(__name__)

_INTERRUPTED = 130  # exit code
_MENDED = "not worth another try as it is"  # second line of a rank's log


def run_ranks(
    work: Callable[..., None],
    arguments: tuple[Any, ...],
    *,
    num_processes: int,
    folder: Path,
    apart: bool = False,
) -> None:
    """Call `work(*arguments)` once, or on `num_processes` ranks; a RankFailed names the rank that failed first.

    Each rank that fails leaves its traceback in folder/rank{N}.log. apart: a single one, too, is a process of its own,
    so that this one outlives it whatever happens (memory, a crash in native code).
    """
    join_submitit()
    if has_outer_launcher() or (num_processes == 1 and not apart):
        work(*arguments)
        return
    from accelerate import notebook_launcher
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    for old in folder.glob("rank*.log"):
        old.unlink()
    if num_processes == 1:
        _run_apart(work, folder, arguments)
        return
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        with requeued_after_ranks():
            notebook_launcher(_on_rank, (work, folder, arguments), num_processes=num_processes, use_port=free_port())
    except ChildFailedError as error:
        raise _first_failure(folder) from error


def _run_apart(work: Callable[..., None], folder: Path, arguments: tuple[Any, ...]) -> None:
    """The work in one forked process; what ends this one is passed on, and waits until all is saved."""
    child = multiprocessing.get_context("fork").Process(target=_on_one_rank, args=(work, folder, arguments))
    with requeued_after_ranks():
        child.start()
        kept = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        try:
            child.join()
        except KeyboardInterrupt:  # the child heard it, too
            child.join()
        finally:
            signal.signal(signal.SIGTERM, kept)
    if child.exitcode == _INTERRUPTED:
        raise KeyboardInterrupt
    if child.exitcode:
        raise _first_failure(folder)


def _on_one_rank(work: Callable[..., None], folder: Path, arguments: tuple[Any, ...]) -> None:
    """The work; its error is written down, and shown by the process that started this one."""
    try:
        _on_rank(work, folder, arguments)
    except Exception:
        sys.exit(1)


def rank() -> int:
    """The number of this process among the ranks, 0 if it is alone."""
    return int(os.environ.get("RANK", 0))


def has_outer_launcher() -> bool:
    """Whether torchrun, accelerate or slurm already started several processes."""
    return int(os.environ.get("WORLD_SIZE", 1)) > 1


def free_port() -> str:
    """A TCP port that is free now, as text (the number 0 would hang the rendezvous)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def join_submitit() -> None:
    """Take rank and world size from submitit, where a job was started as several tasks."""
    if "SUBMITIT_EXECUTOR" not in os.environ or has_outer_launcher():
        return
    import submitit

    if submitit.JobEnvironment().num_tasks > 1:
        submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False)


def _on_rank(work: Callable[..., None], folder: Path, arguments: tuple[Any, ...]) -> None:
    """The work, with its error written down where the parent finds it."""
    stop_on_requeue()
    try:
        work(*arguments)
    except BaseException as error:
        file = folder / f"rank{rank()}.log"
        mended = _MENDED if can_be_mended(error) else ""
        text = " ".join(f"{type(error).__name__}: {error}".split())
        file.write_text(f"{text}\n{mended}\n{traceback.format_exc()}", encoding="utf-8")
        if isinstance(error, KeyboardInterrupt):
            sys.exit(
                _INTERRUPTED
            )  # torch swallows a KeyboardInterrupt, and the parent would wait for a result for ever
        raise


def _first_failure(folder: Path) -> RankFailed:
    """The error of the rank that failed by itself, not of those that lost their connection to it."""
    logs = sorted(folder.glob("rank*.log"), key=lambda file: file.stat().st_mtime)
    texts: list[tuple[Path, list[str]]] = [(file, file.read_text(encoding="utf-8").split("\n")) for file in logs]
    own = [
        item for item in texts if "closed by peer" not in item[1][0] and "Connection reset" not in item[1][0]
    ] or texts
    if not own:
        return RankFailed("a rank was killed from outside (too little memory?); see the log above")
    file, (message, mended, *_) = own[0]
    return RankFailed(f"{file.stem} failed: {message} (traceback in {file})", can_be_mended=mended == _MENDED)
