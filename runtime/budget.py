"""Budget: what a run may use, and the meter that counts it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from .errors import BudgetExceeded


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step used, or what several used together."""

    tokens: int = 0
    tool_calls: int = 0
    money: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.tokens + other.tokens, self.tool_calls + other.tool_calls, self.money + other.money
        )

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.tokens - other.tokens, self.tool_calls - other.tool_calls, self.money - other.money
        )


_NOTHING = Cost()


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one run: tokens, seconds of work (a pause between crash and resume is free), tool calls.

    None means unlimited. A budget only says; a `Meter` counts.
    """

    tokens: int | None = None
    seconds: float | None = None
    tool_calls: int | None = None


class Meter:
    """Counts what a run has spent of its budget.

    `spent` and `seconds` carry over what earlier sittings of the same run used. `clock` gives seconds.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        spent: Cost | None = None,
        seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.budget = budget
        self.spent = spent or Cost()
        self._reserved = Cost()
        self._clock = clock
        self._began = clock() - seconds

    @property
    def seconds(self) -> float:
        """Seconds of work so far, over all sittings."""
        return self._clock() - self._began

    def reserve(self, least: Cost) -> None:
        """Set aside what a step will use at least, before it begins. Give it back with `settle`.

        Tokens are known only afterwards, so a step may overrun them once; tool calls are never overrun.

        Raises:
            BudgetExceeded: there is not that much left, or the tokens or seconds are used up.
        """
        limits = self.budget
        wanted = self.spent + self._reserved + least
        if limits.tokens is not None and self.spent.tokens >= limits.tokens:
            raise _exceeded("tokens", limits.tokens, self.spent.tokens)
        if limits.tool_calls is not None and wanted.tool_calls > limits.tool_calls:
            raise _exceeded("tool calls", limits.tool_calls, self.spent.tool_calls)
        if limits.seconds is not None and self.seconds >= limits.seconds:
            raise _exceeded("seconds", limits.seconds, round(self.seconds, 1))
        if least != _NOTHING:
            self._reserved += least

    def settle(self, least: Cost, used: Cost) -> None:
        """The step is over: free what was set aside, and count what it used."""
        if least != _NOTHING:
            self._reserved -= least
        if used != _NOTHING:
            self.spent += used

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Stop what runs inside when the seconds are used up, even in the middle of a step.

        Raises:
            BudgetExceeded: the seconds were used up.
        """
        limit = self.budget.seconds
        if limit is None:
            yield
            return
        timer = asyncio.timeout(max(0.0, limit - self.seconds))
        try:
            async with timer:
                yield
        except TimeoutError:
            if timer.expired():
                raise _exceeded("seconds", limit, round(self.seconds, 1)) from None
            raise


def _exceeded(what: str, limit: float, used: float) -> BudgetExceeded:
    return BudgetExceeded(
        f"The run's budget of {limit} {what} is used up ({used} used): "
        "what was finished is kept, resume it with a larger budget to go on."
    )
