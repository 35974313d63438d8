"""Policy: what an author may say of a task beside what it does: when, how often, how long, for how much."""

from __future__ import annotations

import random
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from .errors import TaskFailed

Test = Literal[
    "equals", "differs", "above", "at_least", "below", "at_most", "contains", "one_of", "empty", "not_empty"
]
"""How a condition compares its value with `to` (`empty` and `not_empty` need none)."""


class Condition(BaseModel):
    """The task is begun only when this holds. `value` and `to` may be references to earlier results.

    A task whose condition does not hold is passed over. Those that refer to its result are passed over with it;
    those that only wait for it (`depends_on`) go on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: JsonValue
    test: Test
    to: JsonValue = None

    def holds(self, value: JsonValue, to: JsonValue) -> bool:
        """Whether it holds of these two, which are `value` and `to` with their references resolved.

        Raises:
            TaskFailed: the two cannot be compared in this way, as a text with a number.
        """
        match self.test:
            case "equals":
                return _same(value, to)
            case "differs":
                return not _same(value, to)
            case "empty":
                return _empty(value)
            case "not_empty":
                return not _empty(value)
            case "one_of":
                if isinstance(to, list):
                    return any(_same(value, one) for one in to)
                raise self._senseless(value, to, "asks for a list to choose from")
            case "contains":
                if isinstance(value, list):
                    return any(_same(to, one) for one in value)
                if isinstance(value, str | dict) and isinstance(to, str):
                    return to in value
                raise self._senseless(
                    value, to, "looks for a text in a text, a name in an object or a value in a list"
                )
            case _:
                return self._in_order(value, to)

    def said(self, value: JsonValue, to: JsonValue) -> str:
        """The comparison in words: ``3 above 5``."""
        words = self.test.replace("_", " ")
        return f"{_short(value)} {words}" if self.test in _ALONE else f"{_short(value)} {words} {_short(to)}"

    def _in_order(self, value: JsonValue, to: JsonValue) -> bool:
        # A truth value is a number to Python and none to people.
        numbers = all(isinstance(part, int | float) and not isinstance(part, bool) for part in (value, to))
        if not numbers and not (isinstance(value, str) and isinstance(to, str)):
            raise self._senseless(value, to, "compares two numbers or two texts")
        one: Any = value
        other: Any = to
        match self.test:
            case "above":
                return bool(one > other)
            case "at_least":
                return bool(one >= other)
            case "below":
                return bool(one < other)
            case _:
                return bool(one <= other)

    def _senseless(self, value: JsonValue, to: JsonValue, takes: str) -> TaskFailed:
        return TaskFailed(
            f"its condition ({self.said(value, to)}) cannot be told, for {self.test!r} {takes}: mend `when`"
        )


class Retry(BaseModel):
    """How often a failed task is tried, and how long is waited before: `wait` seconds, then `factor` times that.

    `attempts` counts the first one. `jitter` is the part of a wait that is left to chance, so that many tasks do
    not come back at one moment. Finished steps of a failed attempt are read back, not run again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: int = Field(default=3, ge=1)
    wait: float = Field(default=1.0, ge=0)
    factor: float = Field(default=2.0, ge=1)
    longest: float = Field(default=60.0, ge=0)
    jitter: float = Field(default=0.1, ge=0, le=1)

    def seconds_after(self, attempt: int, chance: float | None = None) -> float:
        """How long to wait after this failed attempt (1 is the first). `chance` is 0 up to 1, else drawn."""
        drawn = random.random() if chance is None else chance
        base: float = min(self.longest, self.wait * self.factor ** (attempt - 1))
        return base * (1 - self.jitter * drawn)


class Allowance(BaseModel):
    """What one task may use: tokens, seconds, tool calls, money. None means as much as its run may."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, ge=0)
    tool_calls: int | None = Field(default=None, ge=0)
    money: float | None = Field(default=None, ge=0)


_ALONE = ("empty", "not_empty")
_SHOWN = 60


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Equality as JSON has it: true is not 1, and 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(part, other[name]) for name, part in one.items())
    return one == other


def _empty(value: JsonValue) -> bool:
    """Nothing, or nothing in it. A number is never empty, not even 0."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def _short(value: JsonValue) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
