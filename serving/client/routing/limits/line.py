"""Owns the line of requests that wait for one model's limits, and whose turn it is."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .bucket import Buckets, Rate


@dataclass(eq=False)
class Waiter:
    """One request in the line. `start` orders tenants: where its tenant's share stood when it came."""

    tokens: float
    start: float
    turn: asyncio.Future[None]


class Line:
    """Requests for one model: first come, first served within a tenant; among tenants, equal shares.

    This is start-time fair queueing: each request begins, in virtual time, where its tenant's one before it ended, and
    the earliest beginning goes first. So a tenant that sends a thousand requests at once holds up its own. One whose
    tenant's limit is used up is passed by others; one for which only the model's is, is not: else large ones never go.
    The one timer stands only while somebody waits.
    """

    def __init__(self, rate: Rate, rate_of: Callable[[str], Rate]) -> None:
        self._loop = asyncio.get_running_loop()
        self._model = Buckets(rate, self._loop.time())
        self._rate_of = rate_of
        self._tenants: dict[str, Buckets] = {}
        self._lines: dict[str, deque[Waiter]] = {}
        self._ends: dict[str, float] = {}
        self._virtual = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def earliest(self, tenant: str, tokens: float) -> float:
        """How many seconds a request waits at least, with nobody before it."""
        now = self._loop.time()
        return max(self._model.ready_at(tokens, now), self._tenant(tenant).ready_at(tokens, now)) - now

    async def turn(self, tenant: str, tokens: float) -> None:
        """Wait for the request's turn, and count it. Cancelled, it is as if it had not come."""
        start = max(self._virtual, self._ends.get(tenant, 0.0))
        self._ends[tenant] = start + max(tokens, 1.0)
        waiter = Waiter(tokens, start, self._loop.create_future())
        self._lines.setdefault(tenant, deque()).append(waiter)
        self._serve()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled():
                self.give_back(tenant, 1, tokens)
            else:
                self._leave(tenant, waiter)
            raise

    def give_back(self, tenant: str, requests: float, tokens: float) -> None:
        """Settle: what was counted and not used (negative: used and not counted)."""
        now = self._loop.time()
        self._model.take(-requests, -tokens, now)
        self._tenant(tenant).take(-requests, -tokens, now)
        self._serve()

    def idle(self) -> bool:
        """Whether nobody waits and nothing is to be remembered; forgets tenants of whom nothing is."""
        now = self._loop.time()
        for name in [n for n, b in self._tenants.items() if n not in self._lines and b.full(now)]:
            del self._tenants[name]
            self._ends.pop(name, None)
        return not self._lines and not self._tenants and self._model.full(now)

    def _serve(self) -> None:
        """Let everybody go whose turn it is, and set the timer for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        while self._lines:
            tenant, wake = self._next(now)
            if tenant is None:
                self._timer = self._loop.call_at(wake, self._serve)
                return
            waiter = self._lines[tenant].popleft()
            if not self._lines[tenant]:
                del self._lines[tenant]
            self._virtual = max(self._virtual, waiter.start)
            self._model.take(1, waiter.tokens, now)
            self._tenant(tenant).take(1, waiter.tokens, now)
            waiter.turn.set_result(None)

    def _next(self, now: float) -> tuple[str | None, float]:
        """The tenant whose turn it is; or None, and when somebody's may be."""
        wake = math.inf
        for tenant in sorted(self._lines, key=lambda name: self._lines[name][0].start):
            tokens = self._lines[tenant][0].tokens
            own = self._tenant(tenant).ready_at(tokens, now)
            if own > now:
                wake = min(wake, own)
                continue
            ready = self._model.ready_at(tokens, now)
            return (tenant, now) if ready <= now else (None, min(wake, ready))
        return None, wake

    def _leave(self, tenant: str, waiter: Waiter) -> None:
        line = self._lines[tenant]
        place = line.index(waiter)
        del line[place]
        cost = max(waiter.tokens, 1.0)
        self._ends[tenant] -= cost
        for later in list(line)[place:]:
            later.start -= cost
        if not line:
            del self._lines[tenant]
        self._serve()

    def _tenant(self, name: str) -> Buckets:
        if name not in self._tenants:
            self._tenants[name] = Buckets(self._rate_of(name), self._loop.time())
        return self._tenants[name]
