"""Owns the way of one call from replica to replica: which is next, after which pause, and when to give up."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from .....agents.model import ModelRequest
from .....runtime.errors import EngineUnreachable, InvalidRequest, KeyRefused, ModelError, UnknownModel
from ..faults import elsewhere
from .choosing import Choosing
from .moving import Unbegun
from .replica import Replica

_TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long one call is tried.

    At most `attempts` times; another replica is tried at once, and when all were, the pause before the next round is up
    to `pause_s`, then twice that, up to `longest_s`, each cut short at random. While no replica takes requests, the
    call waits up to `wait_s` for one that does.
    """

    attempts: int = 6
    pause_s: float = 0.25
    longest_s: float = 8.0
    wait_s: float = 30.0


class Openings:
    """The replicas of a router, and waiting for one of them to take requests again. No polling: they tell."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = replicas
        self.unbegun = Unbegun()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._waiters: dict[asyncio.Future[None], None] = {}  # the first to come is told first
        for replica in replicas:
            replica.listeners.append(self._tell)

    async def wait(self, seconds: float) -> None:
        """Until something has changed, or for that long."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters[waiter] = None
        try:
            async with asyncio.timeout(None if math.isinf(seconds) else max(seconds, _TICK_S)):
                await waiter
        except TimeoutError:
            pass
        finally:
            del self._waiters[waiter]

    def close(self) -> None:
        """The replicas tell this router nothing any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for replica in self.replicas:
            if self._tell in replica.listeners:
                replica.listeners.remove(self._tell)

    def _see_at(self, replica: Replica) -> None:
        """When a replica's time of being left alone is over, a stream that waits elsewhere is to see it; else the next."""
        loop = asyncio.get_running_loop()
        self._timers[replica.name] = loop.call_at(replica.free_at, self._see, replica)

    def _see(self, replica: Replica) -> None:
        del self._timers[replica.name]
        if replica.breaker.state == "open":
            self.unbegun.send_one(replica, self.replicas)

    def _tell(self, replica: Replica, back: bool) -> None:
        if back:
            self.unbegun.share(replica, self.replicas)
        elif replica.breaker.state == "open" and replica.name not in self._timers:
            self._see_at(replica)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


@dataclass
class Way:
    """One call's way. `avoid` are replicas that are taken only where there is no other."""

    openings: Openings
    choose: Choosing
    patience: Patience
    request: ModelRequest
    avoid: Collection[str] = ()
    _tried: set[str] = field(default_factory=set)
    _refused: set[str] = field(default_factory=set)
    _attempts: int = 0
    _rounds: int = 0
    _waited_s: float = 0.0
    _to: Replica | None = None

    async def next(self) -> Replica:
        """The replica to try now. Raises `EngineUnreachable`: none has taken requests for too long."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            if self._to is not None:
                to, self._to = self._to, None
                if to.free_at <= now:
                    return to
            left = [r for r in self.openings.replicas if r.name not in self._refused]
            able = [r for r in left if r.free_at <= now]
            fresh = [r for r in able if r.name not in self._tried]
            if fresh:
                kept = [r for r in fresh if r.name not in self.avoid]
                replica = self.choose(self.request, kept or fresh)
                self._tried.add(replica.name)
                self._attempts += 1
                return replica
            if able:
                await asyncio.sleep(self._pause())
                self._tried.clear()
                continue
            patient = self.patience.wait_s - self._waited_s
            if not left or patient <= 0:
                raise self._nobody(left)
            due = (min(r.free_at for r in left) - now) * random.uniform(
                1.0, 1.3
            )  # not all at the same moment
            await self.openings.wait(min(patient, due))
            self._waited_s += loop.time() - now
            self._tried.clear()

    def goes_on(self, replica: Replica, error: Exception, sent: ModelRequest) -> bool:
        """Whether, after this error of that replica, another attempt is right."""
        ours = sent.continue_last and not self.request.continue_last
        if isinstance(error, KeyRefused | UnknownModel) or (
            ours and isinstance(error, InvalidRequest | ModelError)
        ):
            self._refused.add(replica.name)  # it never will; another may
            return len(self._refused) < len(self.openings.replicas)
        return elsewhere(error, sent) and self._attempts < self.patience.attempts

    def stays(self, replica: Replica) -> bool:
        """Let it be tried again at once, for it did not fail. Whether an attempt is left."""
        self._tried.discard(replica.name)
        return self._attempts < self.patience.attempts

    def goes_to(self, replica: Replica) -> None:
        """It was moved there, which is no attempt of its own."""
        self._tried.clear()
        self._to = replica

    def _pause(self) -> float:
        self._rounds += 1
        longest = min(self.patience.pause_s * 2.0 ** (self._rounds - 1), self.patience.longest_s)
        return float(longest * random.uniform(0.5, 1.0))

    def _nobody(self, left: Sequence[Replica]) -> EngineUnreachable:
        said = "; ".join(
            f"{r.name}: {r.last_error or 'it was asked, and has not answered yet'}" for r in left
        )
        return EngineUnreachable(
            f"No engine takes requests now, and none did for {self._waited_s:.0f} s ({said.rstrip('.')})."
        )
