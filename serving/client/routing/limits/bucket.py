"""Owns how much of something may be used in a minute: a bucket that fills at an even rate. Values only, no clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests and tokens a minute; None is no limit."""

    requests: float | None = None
    tokens: float | None = None


class Bucket:
    """Holds at most a minute's worth, and is full at first. Taking more than there is, later, leaves a debt."""

    def __init__(self, a_minute: float, now: float) -> None:
        self._most = a_minute
        self._level = a_minute
        self._then = now

    def ready_at(self, amount: float, now: float) -> float:
        """When there will be that much; more than it ever holds counts as all that it holds."""
        self._fill(now)
        lacking = min(amount, self._most) - self._level
        return now if lacking <= 1e-9 else now + lacking * 60 / self._most

    def take(self, amount: float, now: float) -> None:
        """Take it, or give it back where it is negative."""
        self._fill(now)
        self._level = min(self._level - amount, self._most)

    def full(self, now: float) -> bool:
        """Whether nothing was taken for so long that it need not be remembered."""
        self._fill(now)
        return self._level >= self._most

    def _fill(self, now: float) -> None:
        if now > self._then:
            self._level = min(self._most, self._level + (now - self._then) * self._most / 60)
            self._then = now


class Buckets:
    """The two of one `Rate`: requests and tokens."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._requests = None if rate.requests is None else Bucket(rate.requests, now)
        self._tokens = None if rate.tokens is None else Bucket(rate.tokens, now)

    def ready_at(self, tokens: float, now: float) -> float:
        """When one more request of that many tokens may go."""
        ready = now
        if self._requests is not None:
            ready = max(ready, self._requests.ready_at(1, now))
        if self._tokens is not None:
            ready = max(ready, self._tokens.ready_at(tokens, now))
        return ready

    def take(self, requests: float, tokens: float, now: float) -> None:
        """Count them; negative ones are given back."""
        if self._requests is not None:
            self._requests.take(requests, now)
        if self._tokens is not None:
            self._tokens.take(tokens, now)

    def full(self, now: float) -> bool:
        """Whether there is nothing to remember."""
        return all(bucket is None or bucket.full(now) for bucket in (self._requests, self._tokens))
