"""Owns open questions as people see them: what is asked, about what, since when, and the command that answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from ...telling import short_keys
from ..screens.text import clean, one_line
from .console import make_console, when

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ....runtime.reading.questions import Question
    from ....runtime.store import RunRecord

_OPTIONS = {"approve": "--approve", "edit": "--edit JSON", "answer": "--answer JSON", "reject": "--reject"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def how_to_answer(run_id: str, question: Question, key: str = "") -> str:
    """The command that answers, and the other choices."""
    options = ["--happened", "--again"] if question.in_doubt else [_OPTIONS[one] for one in question.choices]
    other = f" (or {', '.join(options[1:])})" if options[1:] else ""
    return f"crewgraph answer {run_id}{f' {key}' if key else ''} {options[0]}{other}"


def waiting_sentence(run_id: str, questions: Sequence[Question]) -> str:
    """That a run waits, for what, and how to answer: one sentence."""
    if not questions:
        return f"Run {run_id} waits for a person: see crewgraph show {run_id}."
    first = questions[0]
    asked = one_line(first.question, 300)
    if asked[-1:] not in tuple(".?!。？！"):
        asked += "."
    if len(questions) == 1:
        return f"Run {run_id} waits for an answer to: {asked} Give it with {how_to_answer(run_id, first)}."
    key = short_keys(questions)[first.key]
    return (
        f"Run {run_id} waits for {len(questions)} answers, the first to: {asked} "
        f"Give it with {how_to_answer(run_id, first, key)}; see them all with crewgraph questions {run_id}."
    )


def question_lines(question: Question, *, full: bool = False) -> Iterator[str]:
    """What is asked and what it is about, line by line."""
    yield f"{question.task_id or 'planning'}: {one_line(question.question)}"
    if isinstance(question.about, dict):
        for name, value in question.about.items():
            if value not in (None, "", [], {}):
                yield f"  {one_line(name)}: {shown(value, full=full)}"
    elif question.about is not None:
        yield f"  about: {shown(question.about, full=full)}"


def shown(value: JsonValue, *, full: bool = False) -> str:
    """A JSON value on one line, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(clean(text).split()) if full else one_line(text, 400)


def ago(since: float, now: float | None = None) -> str:
    """How long ago: `just now`, `5 min ago`, `3 h ago`, `12 days ago`."""
    passed = max(0.0, (time.time() if now is None else now) - since)
    if passed < _MINUTE:
        return "just now"
    if passed < _HOUR:
        return f"{passed // _MINUTE:.0f} min ago"
    if passed < 2 * _DAY:
        return f"{passed // _HOUR:.0f} h ago"
    return f"{passed // _DAY:.0f} days ago"


def print_questions(record: RunRecord, questions: Sequence[Question], *, full: bool = False) -> None:
    """The open questions of one run, each with its key and the command that answers it."""
    console = make_console()
    console.print(
        Text.assemble(
            (f"run {record.id}", "bold"),
            (f"  {one_line(record.crew)}: {one_line(record.request, 200)}", "dim"),
        )
    )
    keys = short_keys(questions)
    for question in questions:
        key = keys[question.key]
        asked, *about = question_lines(question, full=full)
        console.print(Text.assemble(("  ? ", "bold yellow"), (key, "cyan"), (f"  {asked}", "")))
        for line in about:
            console.print(Padding(Text(line.strip()), (0, 0, 0, 6), expand=False))
        command = how_to_answer(record.id, question, key if len(questions) > 1 else "")
        console.print(
            Padding(
                Text(f"since {when(question.since)} ({ago(question.since)})", "dim"),
                (0, 0, 0, 6),
                expand=False,
            )
        )
        console.print(Padding(Text(command, "dim"), (0, 0, 0, 6), expand=False))
