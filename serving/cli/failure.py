"""Owns how a command ends when something is wrong: one sentence on stderr and an exit code."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ...runtime.errors import (
    CrewgraphError,
    EngineError,
    InvalidInput,
    ReplayDiverged,
    RunWaiting,
    TaskFailed,
)
from .screens.text import one_line

INTERRUPTED = 130
TERMINATED = 143


class Stopped(Exception):
    """The user stopped the command (see Failure: what is told of it). Carries the exit code."""

    def __init__(self, message: str = "stopped", exit_code: int = INTERRUPTED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Waiting(RunWaiting):
    """The run waits for a person, and its sentence says how to answer. `questions` are told to programs."""

    def __init__(self, message: str, run_id: str, questions: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.questions = list(questions)


_NOTHING: Mapping[str, Any] = MappingProxyType({})
_CUT = 2_000


class Failure(NamedTuple):
    """What to say, how to exit, the word for programs, what else they are told, and lines below the sentence."""

    sentence: str
    exit_code: int
    code: str
    told: Mapping[str, Any] = _NOTHING
    below: Sequence[str] = ()

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The failure that an exception means to a user."""
        if isinstance(error, CrewgraphError):
            cause = error.__cause__
            kind: CrewgraphError = error
            if isinstance(error, TaskFailed) and isinstance(cause, EngineError | InvalidInput):
                kind = cause
            told: dict[str, Any] = {"run_id": error.run_id} if error.run_id else {}
            below: list[str] = []
            if isinstance(error, Waiting):
                told["questions"] = error.questions
            if isinstance(error, ReplayDiverged) and error.step is not None:
                task_id, step = error.step
                told |= {"task": task_id, "step": step, "journal": error.held, "asked": error.asked}
                if error.held is not None:
                    below = [f"  the journal: {_shown(error.held)}", f"  the code:    {_shown(error.asked)}"]
            return cls(one_line(str(error)), kind.exit_code, kind.code, told, below)
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
        print("\n".join([f"crewgraph: {self.sentence}", *self.below]), file=sys.stderr, flush=True)


def _shown(inputs: object) -> str:
    return one_line(json.dumps(inputs, ensure_ascii=False, default=str), _CUT)
