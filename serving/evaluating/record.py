"""Owns the record of an evaluation on disk: which runs its trials are, and what came of each; written as it happens.

A file of JSON Lines: a heading, then a line for each thing that happened. A line that a killed process left half
written is cut off by whoever goes on.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...runtime.errors import InvalidInput
from .score import Score

Ended = Literal["finished", "failed", "waiting"]
"""How a trial's run ended: with an answer, without one, or it waits for a person."""

_VERSION = 1


class Heading(BaseModel):
    """What an evaluation is of. `cases` holds the content hash of each case of the dataset by its id, in order."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["evaluation"] = "evaluation"
    version: int = _VERSION
    key: str
    crew: str
    crew_file: str
    crew_hash: str
    dataset: str
    dataset_hash: str
    planner: str = "auto"
    model: str = ""
    created: float = 0.0
    cases: dict[str, str] = Field(default_factory=dict)


class Trial(BaseModel):
    """One case, carried out once. `attempt` counts its trials from 0; `judged_in` is the run that holds its verdicts."""

    model_config = ConfigDict(frozen=True)

    case: str
    attempt: int = 0
    run_id: str = ""
    judged_in: str = ""
    ended: Ended | None = None
    request: str = ""
    answer: str = ""
    error: str = ""
    code: str = ""
    seconds: float = 0.0
    tokens: int = 0
    tool_calls: int = 0
    money: float = 0.0
    tags: tuple[str, ...] = ()
    scores: dict[str, Score] = Field(default_factory=dict)

    @property
    def passed(self) -> bool | None:
        """Whether it passed every scorer that judged it; None where none did, and its run ended well."""
        if self.ended != "finished":
            return False
        judged = [score.passed for score in self.scores.values() if score.passed is not None]
        return all(judged) if judged else None


@dataclass
class Record:
    """An evaluation as far as it has come: the heading, and the trials by case and attempt."""

    path: Path
    heading: Heading
    trials: dict[tuple[str, int], Trial] = field(default_factory=dict)
    _file: int | None = None

    def trial(self, case: str, attempt: int) -> Trial:
        """The trial, as far as it has come."""
        return self.trials.get((case, attempt)) or Trial(case=case, attempt=attempt)

    def keep(self, trial: Trial) -> Trial:
        """Write down what a trial has come to; given back for convenience.

        Raises:
            InvalidInput: the disk is full, or the file cannot be written.
        """
        self.trials[trial.case, trial.attempt] = trial
        assert self._file is not None, "a record is written only inside `writing`"
        line = json.dumps({"kind": "trial", **trial.model_dump(mode="json")}, ensure_ascii=False)
        _write(self._file, line, self.path)
        return trial


def read_record(path: str | Path) -> Record:
    """An evaluation from its record.

    Raises:
        InvalidInput: it cannot be read, or is no record of an evaluation.
    """
    file = Path(path)
    try:
        body = file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"The record {str(file)!r} cannot be read: {error.strerror or error}.") from None
    lines = body.split(b"\n")[:-1]  # what stands behind the last line's end was cut off in the middle
    try:
        heading = Heading.model_validate_json(lines[0] if lines else b"")
    except ValidationError:
        raise InvalidInput(
            f"{file} is no record of an evaluation: name a file that crewgraph eval has written."
        ) from None
    if heading.version > _VERSION:
        raise InvalidInput(f"The record {file} is of a newer crewgraph: install that one to read it.")
    record = Record(file, heading)
    for number, line in enumerate(lines[1:], 2):
        try:
            trial = Trial.model_validate_json(line)
        except ValidationError:
            raise InvalidInput(
                f"The record {file} is damaged in line {number}: remove that line, or start again with --fresh."
            ) from None
        record.trials[trial.case, trial.attempt] = trial
    return record


@contextmanager
def writing(path: Path, heading: Heading, *, fresh: bool = False) -> Iterator[Record]:
    """The record of this evaluation, taken up where it was (or begun, where there is none, or it is to be `fresh`).

    Raises:
        InvalidInput: another process is working on it, or it cannot be written or read.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput(
            f"The record {str(path)!r} cannot be written: {error.strerror or error}; name another --out."
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInput(
                f"Another process is working on {path}: wait for it, or name another --out."
            ) from None
        whole = 0 if fresh else path.read_bytes().rfind(b"\n") + 1
        os.ftruncate(descriptor, whole)
        if whole:
            record = read_record(path)
        else:
            record = Record(path, heading.model_copy(update={"created": time.time()}))
            _write(descriptor, record.heading.model_dump_json(), path)
        record._file = descriptor
        yield record
    finally:
        os.close(descriptor)


def _write(descriptor: int, line: str, path: Path) -> None:
    left: Any = memoryview(f"{line}\n".encode("utf-8", "replace"))
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError as error:
        raise InvalidInput(
            f"The record {path} cannot be written: {error.strerror or error}; free some space and go on."
        ) from None
