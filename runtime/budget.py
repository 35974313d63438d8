"""Budget: what a run, a task or a tenant may use, and the meter that counts it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

from .errors import BudgetExceeded
from .policy import Allowance


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step used, or what several used together. `money` is in the currency of the price list."""

    tokens: int = 0
    tool_calls: int = 0
    money: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.tokens + other.tokens, self.tool_calls + other.tool_calls, self.money + other.money)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.tokens - other.tokens, self.tool_calls - other.tool_calls, self.money - other.money)


_NOTHING = Cost()
NO_DEADLINE: AbstractAsyncContextManager[None] = nullcontext()
"""Stops nothing. One for all, for it keeps nothing."""
_CENT_FRACTION = 1e-9
"""Money is added up in floats: less than this beyond a limit is rounding, not spending."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits: tokens, seconds of work (a pause between crash and resume is free), tool calls, money.

    None means unlimited. Where a limit is reached the run stops cleanly and keeps all that is finished. `soft` is
    the part of a limit (0.8: four fifths) from which on the run goes the cheaper way; it is told by `BudgetLow`
    and asked for by `RunContext.frugal`. A budget only says; a `Meter` counts.
    """

    tokens: int | None = None
    seconds: float | None = None
    tool_calls: int | None = None
    money: float | None = None
    soft: float | None = None

    @classmethod
    def of_task(cls, allowance: Allowance) -> Budget:
        """The budget that a task's allowance means."""
        return cls(allowance.tokens, allowance.seconds, allowance.tool_calls, allowance.money)


class Low(NamedTuple):
    """A soft limit that has been reached: whose it is, of what, how much is used, and the limit itself."""

    of: str
    what: str
    used: float
    limit: float


class Meter:
    """Counts what has been spent of a budget, and of those above it (`within`): task in run in tenant.

    `spent` and `seconds` carry over what earlier sittings used. `clock` gives seconds. One meter may stand above
    those of many runs: a tenant's.
    """

    __slots__ = ("_began", "_clock", "_reserved", "_told_low", "budget", "of", "spent", "within")

    def __init__(
        self,
        budget: Budget,
        *,
        of: str = "run",
        within: Meter | None = None,
        spent: Cost | None = None,
        seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.budget = budget
        self.of = of
        self.within = within
        self.spent = spent or _NOTHING
        self._reserved = _NOTHING
        self._clock = clock
        self._began = clock() - seconds
        self._told_low: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Seconds of work so far, over all sittings."""
        return self._clock() - self._began

    def reserve(self, least: Cost) -> None:
        """Set aside what a step will use at least, before it begins. Give it back with `settle`.

        Tokens and money are known only afterwards, so a step may overrun them once; tool calls are never overrun.

        Raises:
            BudgetExceeded: there is not that much left, or the tokens, money or seconds are used up.
        """
        for meter in self._chain():
            meter._check(least)
        if least != _NOTHING:
            for meter in self._chain():
                meter._reserved += least

    def settle(self, least: Cost, used: Cost) -> None:
        """The step is over: free what was set aside, and count what it used."""
        if least == used == _NOTHING:
            return
        for meter in self._chain():
            meter._reserved -= least
            meter.spent += used

    def newly_low(self) -> Iterator[Low]:
        """The soft limits that have been reached since this was last asked, each told once."""
        for meter in self._chain():
            for low in meter._low():
                if low.what not in meter._told_low:
                    meter._told_low += (low.what,)
                    yield low

    @property
    def has_soft_limit(self) -> bool:
        """Whether there is a soft limit, here or above."""
        return any(meter.budget.soft is not None for meter in self._chain())

    @property
    def low(self) -> bool:
        """Whether a soft limit is reached, here or above."""
        return any(True for meter in self._chain() for _ in meter._low())

    def deadline(self) -> AbstractAsyncContextManager[None]:
        """Stop what runs inside when the seconds are used up, even in the middle of a step.

        Raises:
            BudgetExceeded: the seconds were used up.
        """
        limit = self.budget.seconds
        return NO_DEADLINE if limit is None else self._deadline(limit)

    @asynccontextmanager
    async def _deadline(self, limit: float) -> AsyncIterator[None]:
        timer = asyncio.timeout(max(0.0, limit - self.seconds))
        try:
            async with timer:
                yield
        except TimeoutError:
            if timer.expired():
                raise self._exceeded("seconds", limit, round(self.seconds, 1)) from None
            raise

    def _chain(self) -> Iterator[Meter]:
        meter: Meter | None = self
        while meter is not None:
            yield meter
            meter = meter.within

    def _check(self, least: Cost) -> None:
        limits, spent = self.budget, self.spent
        if limits.tokens is not None and spent.tokens >= limits.tokens:
            raise self._exceeded("tokens", limits.tokens, spent.tokens)
        if limits.money is not None and spent.money >= limits.money - _CENT_FRACTION:
            raise self._exceeded("money", limits.money, round(spent.money, 6))
        if limits.tool_calls is not None:
            wanted = spent.tool_calls + self._reserved.tool_calls + least.tool_calls
            if wanted > limits.tool_calls:
                raise self._exceeded("tool calls", limits.tool_calls, spent.tool_calls)
        if limits.seconds is not None and self.seconds >= limits.seconds:
            raise self._exceeded("seconds", limits.seconds, round(self.seconds, 1))

    def _low(self) -> Iterator[Low]:
        limits = self.budget
        if limits.soft is None:
            return
        for what, used, limit in (
            ("tokens", self.spent.tokens, limits.tokens),
            ("tool calls", self.spent.tool_calls, limits.tool_calls),
            ("money", self.spent.money, limits.money),
            ("seconds", self.seconds if limits.seconds is not None else 0.0, limits.seconds),
        ):
            if limit is not None and used >= limit * limits.soft - _CENT_FRACTION:
                yield Low(self.of, what, used, limit)

    def _exceeded(self, what: str, limit: float, used: float) -> BudgetExceeded:
        return BudgetExceeded(
            f"The {self.of}'s budget of {limit} {what} is used up ({used} used): "
            "what was finished is kept, resume it with a larger budget to go on.",
            self.of,
        )


class SharedMeter(Meter):
    """A meter above those of many runs: a tenant's. Its seconds are those of all its runs added up.

    They are looked at when a step begins; a running step is not stopped by them.
    """

    __slots__ = ("_at_work", "_worked")

    def __init__(self, budget: Budget, *, of: str, spent: Cost, seconds: float) -> None:
        super().__init__(budget, of=of, spent=spent)
        self._worked = seconds
        self._at_work: dict[int, tuple[Meter, float]] = {}

    @property
    def seconds(self) -> float:
        """Seconds of work of all runs, those that are over and those at work."""
        return self._worked + sum(meter.seconds - before for meter, before in self._at_work.values())

    @contextmanager
    def counting(self, run: Meter) -> Iterator[None]:
        """Inside, the seconds of this run's meter count here as well."""
        before = run.seconds
        self._at_work[id(run)] = (run, before)
        try:
            yield
        finally:
            del self._at_work[id(run)]
            self._worked += run.seconds - before
