"""Cached: a model client that gives a kept reply where the same was asked before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

from ....agents.model import ModelClient, ModelDelta, ModelReply, ModelRequest
from ....agents.wrapping import Wrapping
from ....runtime.errors import EngineError, EngineTimeout, StreamBroken
from .entry import is_whole, pack, unpack
from .flight import Emit, Flight, Flights
from .keys import determined, exact_key, place_key
from .patience import Patience
from .semantic import Semantic, Sought
from .store import ReplyStore
from .tally import Tally

_STORE_PATIENCE_S = 1.0
_SEMANTIC_PATIENCE_S = 10.0
"""The first search loads Qdrant's client, and perhaps the embedding model."""
_MOMENT_S = 0.001
"""What is left when a clock rings is not always nothing; no call is made for less."""
_LARGEST = 1_000_000
"""Bytes of a reply that is kept: no store of those there are refuses it."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request on its way: its key, the model that serves it, and when its time is up, on the loop's clock."""

    request: ModelRequest
    key: str
    model: str
    until: float | None

    def left(self) -> ModelRequest:
        """The request with the time that it has left. Raises `EngineTimeout`: none."""
        if self.until is None:
            return self.request
        left = self.until - asyncio.get_running_loop().time()
        if left <= _MOMENT_S:
            raise EngineTimeout(
                f"The reply was not whole within {self.request.timeout_s:g} s: allow more, or ask for less."
            ) from None
        return replace(self.request, timeout_s=left)


class Cached(Wrapping):
    """A `ModelClient` before `inner` that makes no call whose reply is in `store`, nor one that is under way already.

    Kept are whole replies of requests whose reply is determined (temperature 0, or a seed); with `undetermined` all
    whole replies, so that what is drawn is drawn once. They are found by all that the reply depends on, the model that
    serves it, the tenant, and `space`, which keeps apart what a name does not tell (two engines whose models have one
    name). `model` is what `inner` serves where a request names none; None asks it once, which may bring an engine up.
    That the engine serves another one since then is noticed at the next call that it gets. `ttl_s` is for how many
    seconds a reply may be given; None: until it gives way to others. `semantic` also finds what was asked in other words.

    A kept reply used nothing: its `usage` says only what it saved. Of those who ask the same at the same time, the
    first pays. A store that fails or is slow costs a call a second at most, then is left alone for a while: calls
    go on without it, `tally` counts it, and the log says it once.

    Replies are kept as they are, readable by whoever can read the store: secrets are taken out on their way into the
    journal, which stands above this. A file gets mode 0600. What another of the inner client's models replied than the
    one asked for (a fallback) is given, and not kept. Safe for any number of tasks of one event loop. Closing it closes
    `inner`, the store and `semantic`.
    """

    def __init__(
        self,
        inner: ModelClient,
        store: ReplyStore,
        *,
        semantic: Semantic | None = None,
        ttl_s: float | None = None,
        model: str | None = None,
        space: str = "",
        undetermined: bool = False,
    ) -> None:
        super().__init__(inner)
        self.tally = Tally()
        self.store = store
        self._semantic = semantic
        self._ttl_s = ttl_s
        self._model = model
        self._given_model = model is not None
        self._space = space
        self._undetermined = undetermined
        self._flights = Flights()
        self._naming = asyncio.Lock()
        self._aliases: set[tuple[str, str]] = set()
        self._store_patience = Patience(
            f"The cache of replies ({store.name})", _STORE_PATIENCE_S, self._store_failed
        )
        self._semantic_patience = Patience(
            "The search for replies in other words", _SEMANTIC_PATIENCE_S, self._semantic_failed
        )

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The kept reply, or the inner client's."""
        asked = await self._asked(request)
        if asked is None:
            return await self.inner.complete(request)
        while True:
            flight, joined = self._board(asked, streamed=False)
            try:
                async with asyncio.timeout_at(asked.until if joined else None):
                    reply, free = await flight.whole()
            except TimeoutError:
                if joined:
                    asked.left()
                raise
            except EngineTimeout:
                if not joined:
                    raise
                asked.left()  # whoever asked first had less time than this one
                continue
            self._rode(reply, joined=joined, free=free)
            return reply

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The kept reply in one piece, or the inner client's as it is written."""
        asked = await self._asked(request)
        if asked is None:
            async with aclosing(self.inner.stream(request)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        given = ""
        while True:
            flight, joined = self._board(asked, streamed=True)
            seen = ""
            try:
                async with aclosing(flight.pieces(asked.until if joined else None)) as pieces:
                    async for delta, free in pieces:
                        if delta.reply is not None:
                            self._rode(delta.reply, joined=joined, free=free)
                        if joined or given:
                            seen += delta.text
                            delta = replace(delta, text=_beyond(given, seen, delta.text))
                        if delta.text or delta.reply is not None:
                            yield delta
                return
            except TimeoutError:
                if joined:
                    asked.left()
                raise
            except EngineTimeout:
                if not joined:
                    raise
                asked.left()
                given = max(given, seen, key=len)

    async def settle(self) -> None:
        """Wait until replies that were given are kept: they are given first."""
        await self._flights.settle()

    async def aclose(self) -> None:
        """Give up calls under way, write what is to be kept, and close the inner client, store and index."""
        await self._flights.aclose()
        try:
            await self.inner.aclose()
        finally:
            await self._store_patience.attempt(self.store.aclose, always=True)
            if self._semantic is not None:
                await self._semantic_patience.attempt(self._semantic.aclose, always=True)

    def _board(self, asked: _Asked, *, streamed: bool) -> tuple[Flight, bool]:
        return self._flights.board(asked.key, partial(self._answer, asked, streamed))

    def _rode(self, reply: ModelReply, *, joined: bool, free: bool) -> None:
        self.tally.joined += joined
        if free:
            self.tally.saved_tokens += reply.usage.saved_tokens

    async def _asked(self, request: ModelRequest) -> _Asked | None:
        """The request with its key; None where the cache has nothing to do with it."""
        if not (self._undetermined or determined(request)):
            self.tally.passed_by += 1
            return None
        model = request.model or self._model or await self._served()
        if model is None:
            return None
        try:
            key = exact_key(request, model=model, space=self._space)
        except (
            TypeError,
            ValueError,
            RecursionError,
        ):  # no JSON: the inner client says what is wrong with it
            return None
        until = None
        if request.timeout_s is not None:
            until = asyncio.get_running_loop().time() + request.timeout_s
        return _Asked(request, key, model, until)

    async def _served(self) -> str | None:
        async with self._naming:
            if self._model is None:
                try:
                    names = await self.inner.models()
                except EngineError:  # the call itself will say so
                    return None
                self._model = names[0] if names else None
            return self._model

    async def _answer(self, asked: _Asked, streamed: bool, emit: Emit) -> None:
        kept = await self._store_patience.attempt(lambda: self._read(asked.key))
        if kept is not None:
            self.tally.exact += 1
            return self._give(kept, emit)
        sought, place = await self._seek(asked)
        for key in sought.keys if sought else ():
            kept = await self._store_patience.attempt(partial(self._read, key))
            if kept is not None:
                self.tally.semantic += 1
                return self._give(kept, emit)
            if self._semantic is not None and sought is not None:
                await self._semantic_patience.attempt(partial(self._semantic.forget, sought, key))
        self.tally.misses += 1
        reply: ModelReply | None = None
        if streamed:
            async with aclosing(self.inner.stream(asked.left())) as deltas:
                async for delta in deltas:
                    reply = delta.reply or reply
                    emit(delta)
        else:
            reply = await self.inner.complete(asked.left())
            emit(ModelDelta(reply.text))
            emit(ModelDelta("", reply))
        if reply is not None and is_whole(reply) and await self._stands_for(asked, reply):
            await self._keep(asked, reply, sought, place)
        return None

    def _give(self, kept: ModelReply, emit: Emit) -> None:
        self.tally.saved_tokens += kept.usage.saved_tokens
        emit(ModelDelta(kept.text))
        emit(ModelDelta("", kept))

    async def _read(self, key: str) -> ModelReply | None:
        value = await self.store.get(key)
        if value is None:
            return None
        try:
            return unpack(value)
        except ValueError:
            self.tally.damaged += 1
            await self.store.delete(key)
            return None

    async def _seek(self, asked: _Asked) -> tuple[Sought | None, str]:
        semantic = self._semantic
        if semantic is None:
            return None, ""
        place = ""

        async def seek() -> Sought | None:
            nonlocal place
            if not semantic.takes(asked.request):
                return None
            place = place_key(asked.request, model=asked.model, space=self._space)
            return await semantic.seek(asked.request, place)

        return await self._semantic_patience.attempt(seek), place

    async def _stands_for(self, asked: _Asked, reply: ModelReply) -> bool:
        """Whether the model that gave this reply is the one under whose name it would be kept."""
        names = (asked.model, reply.model)
        if not reply.model or reply.model in (asked.model, asked.request.adapter) or names in self._aliases:
            return True
        try:
            served = await self.inner.models()
        except EngineError:
            return False
        if asked.request.model is None and not self._given_model and served[:1] != [asked.model]:
            self._model = None  # another one is served by now: ask again
            return False
        if reply.model in served:
            return False  # another of its models has stepped in
        self._aliases.add(names)
        return True

    async def _keep(self, asked: _Asked, reply: ModelReply, sought: Sought | None, place: str) -> None:
        try:
            value = pack(reply)
        except (TypeError, ValueError):
            return
        if len(value) > _LARGEST:
            return

        async def put() -> bool:
            await self.store.put(asked.key, value, self._ttl_s)
            self.tally.stored += 1
            return True

        if await self._store_patience.attempt(put) and self._semantic is not None and sought is not None:
            remember = partial(self._semantic.remember, sought, place, asked.key)
            await self._semantic_patience.attempt(remember)

    def _store_failed(self) -> None:
        self.tally.store_errors += 1

    def _semantic_failed(self) -> None:
        self.tally.semantic_errors += 1


def _beyond(given: str, seen: str, piece: str) -> str:
    """What of `piece`, the end of `seen`, a reader does not have who has `given`. Raises `StreamBroken`: it differs."""
    if not (seen.startswith(given) or given.startswith(seen)):
        raise StreamBroken("The reply broke off, and began otherwise when it was asked for again: ask again.")
    return piece[max(0, len(given) - (len(seen) - len(piece))) :]
