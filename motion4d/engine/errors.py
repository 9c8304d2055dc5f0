"""Errors of the engine that a user can act on; the command line shows them as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")


class Incomplete(RuntimeError):
    """The work was done, but parts of it failed: they are named, counted, and the exit status says so."""


class RankFailed(RuntimeError):
    """A rank of a multi-process run ended with an error; the message is that of the first rank that failed."""


@contextmanager
def explained_memory(sentence: str) -> Iterator[None]:
    """Too little memory inside the block becomes a MemoryError that says `sentence`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and not any(text in str(error).lower() for text in _NO_MEMORY):
            raise
        raise MemoryError(sentence) from error
