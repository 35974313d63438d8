"""Owns what a command is asked: the request, from the command line or from stdin when it is `-`, and its limits."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .....runtime.errors import InvalidInput, InvalidRequest
from ....settings import MAX_REQUEST_CHARS

if TYPE_CHECKING:
    from .....runtime.budget import Budget


def read_request(given: str) -> str:
    """The request's text.

    Raises:
        InvalidRequest: it is empty, longer than any local model could read, or not text.
    """
    try:
        text = _stdin() if given == "-" else given
        text.encode()
    except UnicodeError:
        raise InvalidRequest("The request is not UTF-8 text.") from None
    if len(text) > MAX_REQUEST_CHARS:
        raise InvalidRequest(
            f"The request is longer than {MAX_REQUEST_CHARS:,} characters: shorten it, or put the text into "
            "a document that the crew can search."
        )
    if not text.strip():
        raise InvalidRequest("The request is empty: say what the crew should do.")
    return text


def _stdin() -> str:
    """What stands on stdin; of something far too long no more than shows that it is."""
    raw = sys.stdin.buffer.read(MAX_REQUEST_CHARS * 4 + 1)
    return "x" * (MAX_REQUEST_CHARS + 1) if len(raw) > MAX_REQUEST_CHARS * 4 else raw.decode()


def budget_of(
    tokens: int | None,
    seconds: float | None,
    tool_calls: int | None,
    money: float | None,
    soft: float | None,
) -> Budget | None:
    """The budget that was asked for, or None where no limit was given.

    Raises:
        InvalidInput: `soft` is a part of no limit.
    """
    limits = (tokens, seconds, tool_calls, money)
    if all(limit is None for limit in limits):
        if soft is not None:
            raise InvalidInput(
                "--soft is a part of a limit: give --tokens, --seconds, --tool-calls or --money."
            )
        return None
    from .....runtime.budget import Budget

    return Budget(tokens=tokens, seconds=seconds, tool_calls=tool_calls, money=money, soft=soft)
