"""Owns asking whoever sits at the terminal what a run wants to know, right there."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ....runtime.events import Answer
from ..pictures.questions import question_lines
from .lines import typed_lines

if TYPE_CHECKING:
    from ....runtime.reading.questions import Question

_WORDS = {"approve": "yes, do it", "edit": "do it otherwise", "answer": "give the result", "reject": "no"}


class _Later(Exception):
    """The person does not want to say now."""


def can_ask() -> bool:
    """Whether a person sits there: what is asked can be seen and something can be typed."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def ask_person(run_id: str, questions: Sequence[Question], by: str) -> list[tuple[Question, Answer]]:
    """What the person says to these questions, one after the other; nothing to those left for later."""
    given: list[tuple[Question, Answer]] = []
    _say("")
    _say(f"Run {run_id} waits for you.")
    for question in questions:
        for line in question_lines(question):
            _say(f"  {line}")
        try:
            given.append((question, await _ask(question, by)))
        except _Later:
            continue
    return given


async def _ask(question: Question, by: str) -> Answer:
    if question.in_doubt:
        said = await _choose({"yes": "it happened", "no": "it did not, run it", "later": "leave it open"})
        if said == "no":
            return Answer(decision="reject", by=by)
        return Answer(
            decision="answer", value=await _value("What came of it (JSON, or nothing)", True), by=by
        )
    choices: dict[str, str] = {choice: _WORDS[choice] for choice in question.choices}
    said = await _choose({**choices, "later": "leave it open"})
    if said == "approve":
        return Answer(decision="approve", by=by)
    if said == "edit":
        return Answer(decision="edit", value=await _value("What to do it with instead (JSON)", False), by=by)
    if said == "answer":
        return Answer(decision="answer", value=await _value("The result (JSON, or text)", True), by=by)
    return Answer(decision="reject", note=(await _line("Why (or nothing): ")).strip(), by=by)


async def _choose(choices: dict[str, str]) -> str:
    """One of these words, typed whole or by its first letters."""
    offered = ", ".join(f"{word} ({said})" for word, said in choices.items())
    _say(f"  {offered}")
    while True:
        typed = (await _line("answer> ")).strip().lower()
        found = [word for word in choices if typed and word.startswith(typed)]
        if len(found) == 1:
            if found[0] == "later":
                raise _Later
            return found[0]
        _say(f"  Say one of: {', '.join(choices)}.")


async def _value(prompt: str, text_too: bool) -> Any:
    while True:
        typed = (await _line(f"{prompt}: ")).strip()
        if not typed and text_too:
            return None
        try:
            return json.loads(typed)
        except ValueError as error:
            if typed and text_too and typed[0] not in '{["':
                return typed
            _say(f"  That is not JSON ({error}).")


async def _line(prompt: str) -> str:
    """One typed line. At the end of input it is left for later."""
    typed = await typed_line(prompt)
    if typed is None:
        raise _Later
    return typed


async def typed_line(prompt: str) -> str | None:
    """One line typed at the terminal; None at the end of input."""
    if not sys.stdout.isatty():  # the prompt of `input` would go into the pipe
        print(prompt, end="", file=sys.stderr, flush=True)
        prompt = ""
    async with aclosing(typed_lines(prompt)) as lines:
        async for line in lines:
            return line
    return None


def _say(line: str) -> None:
    """A line on stderr, wrapped between words under its own indentation."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    indent = len(line) - len(line.lstrip(" "))
    Console(stderr=True, highlight=False).print(
        Padding(Text(line.strip(" ")), (0, 0, 0, indent), expand=False)
    )
