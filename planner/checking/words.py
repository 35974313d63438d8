"""Words: how a finding says what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 8


def choose(said: object, names: Iterable[str]) -> str:
    """The nearest name first, where one is near: "choose price, or one of ink, pen"."""
    every = list(names)
    if not every:
        return "leave it out"
    near = difflib.get_close_matches(str(said).lower(), [name.lower() for name in every], n=1, cutoff=0.6)
    first = next((name for name in every if near and name.lower() == near[0]), None)
    rest = [name for name in every if name != first]
    shown = ", ".join(rest[:_SHOWN]) + (", …" if len(rest) > _SHOWN else "")
    if first is None:
        return f"choose one of {shown}"
    return f"did you mean {first}?" + (f" Else choose one of {shown}" if rest else "")


def several(number: int, what: str) -> str:
    """ "1 time", "5 times"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def short(value: object, most: int = 200) -> str:
    """A value as it is written in Python, cut where it is long."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"
