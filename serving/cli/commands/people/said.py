"""Owns what a person says on the command line: one thing, with its value, their note and their name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .....runtime.errors import InvalidInput
from ....answering import Word
from ..asking.going_on import login_name


@dataclass(frozen=True)
class Said:
    """One word to a question, and what goes with it."""

    word: Word
    value: Any
    note: str
    by: str


def read_said(
    *,
    approve: bool,
    edit: str | None,
    answer: str | None,
    reject: bool,
    happened: bool,
    again: bool,
    note: str,
    by: str | None,
) -> Said:
    """The one thing that these options say; of a step that happened, `answer` is what it gave.

    Raises:
        InvalidInput: they say nothing or several things, or a value is not JSON.
    """
    given: dict[Word, bool] = {
        "approve": approve,
        "edit": edit is not None,
        "answer": answer is not None and not happened,
        "reject": reject,
        "happened": happened,
        "again": again,
    }
    chosen = [word for word, there in given.items() if there]
    if len(chosen) != 1:
        raise InvalidInput(
            f"Say one thing{f', not {len(chosen)}' if chosen else ''}: --approve, --edit JSON, --answer JSON or "
            "--reject; of a step in doubt --happened or --again."
        )
    value = None
    if edit is not None:
        value = _json("--edit", edit)
    elif answer is not None:
        value = _json_or_words("--answer", answer)
    return Said(chosen[0], value, note, login_name() if by is None else by)


def _json(option: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{option} {text[:60]!r} is not JSON: {error}.") from None


def _json_or_words(option: str, text: str) -> Any:
    """JSON, or plain words. What begins like JSON has to be JSON, for an answer cannot be taken back."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _json(option, text) if text[:1] in tuple('{["') else text
