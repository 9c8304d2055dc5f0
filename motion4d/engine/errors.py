"""Errors of the engine that a user can act on; the command line shows them as one sentence."""

from __future__ import annotations


class Incomplete(RuntimeError):
    """The work was done, but parts of it failed: they are named, counted, and the exit status says so."""


class RankFailed(RuntimeError):
    """A rank of a multi-process run ended with an error; the message is that of the first rank that failed."""
