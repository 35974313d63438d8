"""Owns `Replica`: one of several engines that serve the same model, and what is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .....agents.model import ModelClient, ModelRequest
from .....runtime.errors import (
    EngineBusy,
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    InvalidInput,
    ModelError,
    StreamBroken,
)
from ..faults import blamed
from .breaker import Breaker
from .load import Load, Watch

Listener = Callable[["Replica", bool], None]
"""Told that a replica may be free now, and whether it has just come back from having been left alone."""

_GONE = (TimeoutError, EngineUnreachable, EngineTimeout, StreamBroken)
_REST_S = 0.25
_LONGEST_REST_S = 8.0


class Replica:
    """One engine behind a router; `client` is best built to try each request once, for the router tries again.

    `weight` is its share of the requests beside the others'. `watch` finds out how busy it is. `probe_s` is how long
    it may take to show that it lives. A replica may stand in several routers of one event loop.
    """

    def __init__(
        self,
        name: str,
        client: ModelClient,
        weight: float = 1.0,
        watch: Watch | None = None,
        *,
        breaker: Breaker | None = None,
        probe_s: float = 5.0,
    ) -> None:
        self.name = name
        self.client = client
        self.weight = weight
        self.breaker = breaker or Breaker()
        self.in_flight = 0
        self.load = Load()
        self.last_error = ""
        self.listeners: list[Listener] = []
        self._watch = watch
        self._probe_s = probe_s
        self._probing = asyncio.Lock()
        self._probed_at = -1.0
        self._alive = True
        self._rests_until = 0.0
        self._rest_s = _REST_S
        self._carried: dict[int, int] = {}
        self._others = 0
        self._looked_at: float | None = None

    @property
    def free_at(self) -> float:
        """When a request may be sent, on the loop's clock; infinity: when the one that is under way has ended."""
        return max(self.breaker.free_at, self._rests_until)

    @property
    def busyness(self) -> float:
        """Our requests and those of others, for its weight; those that wait for a seat count twice."""
        return (self.in_flight + self._others + self.load.waiting) / self.weight

    def carries(self, request: ModelRequest) -> bool:
        """Whether this very request is under way here."""
        return id(request) in self._carried

    @contextmanager
    def attempt(self, request: ModelRequest, sent: ModelRequest) -> Iterator[Attempt]:
        """A block in which `request` is under way here, in the form `sent`. What it raises is judged."""
        trial = self.breaker.enter()
        now = asyncio.get_running_loop().time
        attempt = Attempt(self)
        self.in_flight += 1
        self._carried[id(request)] = self._carried.get(id(request), 0) + 1
        try:
            yield attempt
            self._judge(attempt, now(), trial)
        except (ModelError, InvalidInput):
            self.breaker.began()  # it answers, and that is all that this says of it
            raise
        except EngineError as error:
            self.last_error = str(error)
            if isinstance(error, EngineBusy):
                self._rest(now(), error.retry_after_s)
            if blamed(error, sent):
                self.breaker.failed(now(), trial=trial)
            else:
                self.breaker.left(now(), trial=trial)
            raise
        except BaseException:  # left by its reader, perhaps with all there is to read
            self._judge(attempt, now(), trial)
            raise
        finally:
            self.in_flight -= 1
            self._carried[id(request)] -= 1
            if not self._carried[id(request)]:
                del self._carried[id(request)]
            self.changed()

    async def answers(self) -> bool:
        """Whether it answers anything at all, within its `probe_s`. Those that ask at the same time ask once."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        async with self._probing:
            if self._probed_at < asked:
                try:
                    async with asyncio.timeout(self._probe_s):
                        await self.client.models()
                    self._alive = True
                except _GONE:
                    self._alive = False
                except EngineError:
                    self._alive = True  # it refuses, so it is there
                self._probed_at = loop.time()
            return self._alive

    def stale(self, now: float, fresh_s: float) -> bool:
        """Whether its load was read longer ago than `fresh_s`, and can be read."""
        return self._watch is not None and (self._looked_at is None or now - self._looked_at > fresh_s)

    def looks(self, now: float) -> None:
        """Somebody is about to read its load, so that nobody else does."""
        self._looked_at = now

    async def look(self) -> None:
        """Read its load. Where that fails, only our own requests count."""
        assert self._watch is not None
        try:
            self.load = await self._watch()
        except (OSError, TimeoutError, ValueError, EngineError):
            self.load = Load()
        except asyncio.CancelledError:
            self._looked_at = None  # the call was shorter than the reading; the next one reads
            raise
        self._others = max(0, self.load.running + self.load.waiting - self.in_flight)

    def changed(self, *, back: bool = False) -> None:
        """Tell the routers that it may be free now; `back`: that it lives again."""
        for listener in self.listeners:
            listener(self, back)

    def _judge(self, attempt: Attempt, now: float, trial: bool) -> None:
        if attempt.whole:
            attempt.began()
            self._rest_s = _REST_S
            self.breaker.succeeded()
        else:
            self.breaker.left(now, trial=trial)

    def _rest(self, now: float, retry_after_s: float) -> None:
        """A busy engine is left alone for as long as it says, or a little longer each time."""
        if now >= self._rests_until and not retry_after_s:
            self._rest_s = min(2 * self._rest_s, _LONGEST_REST_S)
        self._rests_until = max(self._rests_until, now + (retry_after_s or self._rest_s))


class Attempt:
    """One request under way at a replica; told when its answer begins, and when it is `whole`."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.begun = False
        self.whole = False

    def began(self) -> None:
        """The first piece of an answer is there."""
        if not self.begun:
            self.begun = True
            if self._replica.breaker.began():
                self._replica.changed(back=True)
