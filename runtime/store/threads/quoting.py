"""Quoting: what a run hears of its conversation is in the inputs of each of its model calls, and is kept there as a mark.

The store has it in the conversation. Rows are chained and read as they were journalled; only what lies in the database is
shorter. So a long conversation costs what is new in it, and not its history again with every call.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import JsonValue
from pydantic_core import to_json

from ...journalling.row import EventRow
from .references import HISTORY

MARK = "\x01"
"""Stands for the history in the JSON of a row; JSON itself has no such character, for it writes it as an escape."""

_WORTH = 64
_OF_RUN = "@"


class Quoting:
    """The history of one run, as it stands in the JSON of its rows."""

    __slots__ = ("_close", "_said", "_written")

    def __init__(self, close: str, said: list[dict[str, Any]]) -> None:
        self._close = close
        self._said = said
        self._written = ""

    @property
    def _wide(self) -> str:
        """The same as large values are written."""
        if not self._written:
            self._written = ", ".join(map(_plain, self._said))
        return self._written

    @classmethod
    def of(cls, options: Mapping[str, JsonValue]) -> Quoting | None:
        """Of the options of a run that holds its history whole; None where that is too short to be worth it."""
        history: Any = options.get(HISTORY) or ()
        said = [
            {"role": one["role"], "content": one["content"]}
            for one in history
            if isinstance(one, dict) and "content" in one
        ]
        if len(said) != len(history):
            return None
        close = to_json(said).decode()[1:-1]
        return cls(close, said) if len(close) > _WORTH else None

    def shortened(self, body: str) -> str:
        """A row's body as it is kept."""
        return body.replace(self._close, MARK)

    def shortened_large(self, text: str) -> str | None:
        """A large value as it is kept for this run alone; None where it does not hold the history."""
        return text.replace(self._wide, MARK) if self._wide in text else None

    def restored(self, row: EventRow) -> EventRow:
        """A row as it was journalled."""
        if MARK not in row.body:
            return row
        return row._replace(body=row.body.replace(MARK, self._close))

    def restored_large(self, text: str) -> str:
        """A large value as it was journalled."""
        return text.replace(MARK, self._wide)


def holds_mark(rows: Iterable[EventRow]) -> bool:
    """Whether one of these rows is kept shorter than it is."""
    return any(MARK in row.body for row in rows)


def own_digest(digest: str, number: int) -> str:
    """Under what a large value is kept that only this run can read."""
    return f"{digest}{_OF_RUN}{number}"


def is_own(digest: str) -> bool:
    """Whether a large value is kept for one run alone."""
    return _OF_RUN in digest


def plain_digest(digest: str) -> str:
    """The digest itself."""
    return digest.partition(_OF_RUN)[0]


_plain = json.JSONEncoder(ensure_ascii=False).encode
