"""Errors of the engine that a user can act on; the command line shows them as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")


class Incomplete(RuntimeError):
    """The work was done, but parts of it failed: they are named, counted, and the exit status says so."""


class RankFailed(RuntimeError):
    """A process of a run ended with an error; the message is that of the first one that failed.

    can_be_mended: see the function.
    """

    def __init__(self, message: str, *, can_be_mended: bool = False) -> None:
        super().__init__(message)
        self.can_be_mended = can_be_mended


def can_be_mended(error: BaseException) -> bool:
    """Whether a user has to change something before it is worth trying again."""
    if isinstance(error, RankFailed):
        return error.can_be_mended
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return not kinds.isdisjoint({"ValueError", "OSError", "Incomplete", "InstantiationException"})


@contextmanager
def explained_memory(sentence: str) -> Iterator[None]:
    """Too little memory inside the block becomes a MemoryError that says `sentence`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and not any(text in str(error).lower() for text in _NO_MEMORY):
            raise
        raise MemoryError(sentence) from error
