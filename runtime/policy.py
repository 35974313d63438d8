"""Policy: what an author may say of a task beside what it does: when, how often, how long, for how much."""

from __future__ import annotations

import random
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

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
