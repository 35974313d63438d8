"""Owns what a regular expression must be before it is sent: one that Python reads and engines can follow."""

from __future__ import annotations

import re

from .....runtime.errors import InvalidSchema

_BEYOND = re.compile(r"\(\?(=|!|<=|<!|P=|\()|\\[1-9]")
_NAMES = {"=": "a look ahead", "!": "a look ahead", "<=": "a look behind", "<!": "a look behind"}


def compiled_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern, compiled. Raises `InvalidSchema`, which says where it is wrong."""
    try:
        made = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        at = getattr(error, "pos", None)
        where = f" at character {at + 1}" if at is not None else ""
        raise InvalidSchema(f"The regex {pattern[:80]!r} is wrong{where}: {error}; correct it.") from error
    found = _BEYOND.search(_blanked(pattern))
    if found is not None:
        what = _NAMES.get(found.group(1) or "", "a reference to a group")
        raise InvalidSchema(
            f"The regex {pattern[:80]!r} has {what} at character {found.start() + 1}, which no engine can follow "
            "while it writes; say it with alternatives."
        )
    return made


def _blanked(pattern: str) -> str:
    """The pattern with escaped backslashes and the inside of classes blanked out, place for place."""

    def blank(match: re.Match[str]) -> str:
        return " " * len(match.group())

    return re.sub(r"\\\\|\\[\[\]()]|\[\^?\]?(?:\\.|[^\]\\])*\]", blank, pattern)
