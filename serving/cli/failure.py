"""Owns how a command ends when something is wrong: one sentence on stderr and an exit code."""

from __future__ import annotations

import sys
import traceback
from typing import NamedTuple

from ...runtime.errors import CrewgraphError, EngineError, TaskFailed
from .screens.text import one_line

INTERRUPTED = 130
TERMINATED = 143


class Stopped(Exception):
    """The user stopped the command (see Failure: what is told of it). Carries the exit code."""

    def __init__(self, message: str = "stopped", exit_code: int = INTERRUPTED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Failure(NamedTuple):
    """What to say, how to exit, and the word for programs."""

    sentence: str
    exit_code: int
    code: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The failure that an exception means to a user."""
        if isinstance(error, TaskFailed) and isinstance(error.__cause__, EngineError):
            return cls(one_line(str(error)), error.__cause__.exit_code, error.__cause__.code)
        if isinstance(error, CrewgraphError):
            return cls(one_line(str(error)), error.exit_code, error.code)
        if isinstance(error, Stopped):
            return cls(str(error), error.exit_code, "stopped")
        if isinstance(error, KeyboardInterrupt):
            return cls("stopped", INTERRUPTED, "stopped")
        said = getattr(error, "format_message", None)
        if callable(said):  # Typer's own complaints about the command line
            return cls(f"{one_line(str(said()))} See `crewgraph --help`.", 2, "usage")
        reason = one_line(f"{type(error).__name__}: {error}".rstrip(": "), 200)
        sentence = f"something unexpected went wrong ({reason}); run again with --debug for the details"
        return cls(sentence, 1, "internal_error")

    def tell(self, error: BaseException, *, debug: bool) -> None:
        """Write the sentence to stderr, after the traceback where that was asked for."""
        if debug:
            traceback.print_exception(error, file=sys.stderr)
        print(f"crewgraph: {self.sentence}", file=sys.stderr, flush=True)
