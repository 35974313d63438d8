"""Owns `Routed`: one model client over several replicas, which loses no call and no text when one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

from ....agents.model import Embeddings, ModelClient, ModelDelta, ModelReply, ModelRequest
from ....agents.wrapping import Wrapping
from ....runtime.errors import EngineError, InvalidInput, InvalidRequest, ModelError
from .replicas.choosing import Choosing, Policy, choosing
from .replicas.moving import Moved
from .replicas.replica import Replica
from .replicas.vigil import Vigil
from .replicas.way import Openings, Patience, Way
from .told import Deviated, Told, unfinished

T = TypeVar("T")


class Routed(ModelClient):
    """One `ModelClient` over `replicas` of one model; closing it closes them all.

    `policy` chooses the replica: "weighted" (each in turn), "least-loaded", "affine" (the one that has seen how the
    request begins, unless it is clearly busier), or a function. A replica that fails several times in a row is left
    alone for a while (`Breaker`). A call that fails for its engine's sake is tried on another replica first, as often
    as `patience` says. A stream that breaks off goes on elsewhere: its reader gets each piece of text once. One that is
    silent for `silence_s` is given up if its engine does not answer a probe. When an engine is back, streams that have
    not begun elsewhere are shared with it. Loads are read when a request comes and
    the last reading is older than `fresh_s`; the next request has the use of it.

    Raises what the last engine raised, or `StreamBroken` where a reply had begun and there was no way to go on. A
    reply's `usage` is the sum over its attempts; one that broke off was never counted by its engine, so its pieces are.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        *,
        policy: Policy | Choosing = "affine",
        patience: Patience | None = None,
        silence_s: float = 15.0,
        fresh_s: float = 1.0,
    ) -> None:
        names = {replica.name for replica in replicas}
        if not replicas or len(names) < len(replicas) or any(r.weight <= 0 for r in replicas):
            raise InvalidInput(
                "A router needs at least one engine, each with a name of its own and a weight above 0."
            )
        self.replicas = tuple(replicas)
        self._openings = Openings(self.replicas)
        self._choose = choosing(policy) if isinstance(policy, str) else policy
        self._patience = patience or Patience()
        self._silence_s = silence_s
        self._fresh_s = fresh_s
        self.second: ModelClient = _Second(self)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole reply, from whichever replica gives it."""
        return await self._complete(request)

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written, by one replica after another if need be."""
        return self._stream(request)

    async def models(self) -> list[str]:
        """The models of the first replica that answers."""
        return await self._any(lambda client: client.models())

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """Vectors from whichever replica makes them."""
        return await self._any(lambda client: client.embed(texts, model=model))

    async def count_tokens(self, request: ModelRequest) -> int:
        """The count of whichever replica can tell."""
        return await self._any(lambda client: client.count_tokens(request))

    async def context_tokens(self, model: str | None = None) -> int | None:
        """The window that the first replica tells which answers."""
        return await self._any(lambda client: client.context_tokens(model))

    async def aclose(self) -> None:
        """Close the clients of all replicas."""
        self._openings.close()
        for replica in self.replicas:
            await replica.client.aclose()

    async def _complete(self, request: ModelRequest, *, beside: bool = False) -> ModelReply:
        way = self._way(request, beside)
        looking = self._look()
        try:
            while True:
                replica = await way.next()
                vigil = Vigil(replica, self._silence_s)
                try:
                    with replica.attempt(request, request) as attempt, vigil:
                        reply = await replica.client.complete(request)
                        attempt.whole = True
                    return reply
                except EngineError as error:
                    if not way.goes_on(replica, error, request):
                        raise
                finally:
                    await vigil.aclose()
        finally:
            await _end(looking)

    async def _stream(
        self, request: ModelRequest, *, beside: bool = False
    ) -> AsyncGenerator[ModelDelta, None]:
        way = self._way(request, beside)
        told = Told(request)
        looking = self._look()
        try:
            while True:
                asking = told.ask()
                try:
                    replica = await way.next()
                except EngineError as error:
                    raise told.error(error, asking) from error
                vigil = Vigil(replica, self._silence_s)
                self._openings.unbegun.add(replica, vigil)
                try:
                    with replica.attempt(request, asking.request) as attempt:
                        await asking.measure(replica.client)
                        if (full := told.full(asking)) is not None:
                            yield ModelDelta("", full)
                            return
                        async with aclosing(replica.client.stream(asking.request)) as pieces:
                            while True:
                                with vigil:
                                    delta = await anext(pieces, None)
                                if delta is None:
                                    raise unfinished(replica.name)
                                if not attempt.begun:
                                    self._openings.unbegun.discard(replica, vigil)
                                    attempt.began()
                                attempt.whole = delta.reply is not None
                                new = asking.take(delta)
                                if new is not None:
                                    yield new
                                if delta.reply is not None:
                                    return
                except Moved as signal:
                    way.goes_to(signal.to)
                except Deviated as signal:
                    told.deviated(asking)
                    if not way.stays(replica):
                        raise told.error(signal, asking) from None
                except (EngineError, InvalidRequest) as error:
                    told.broke(asking)
                    if not way.goes_on(replica, error, asking.request):
                        raise told.error(error, asking) from error
                finally:
                    self._openings.unbegun.discard(replica, vigil)
                    await vigil.aclose()
        finally:
            await _end(looking)

    def _way(self, request: ModelRequest, beside: bool) -> Way:
        avoid = [r.name for r in self.replicas if r.carries(request)] if beside else []
        return Way(self._openings, self._choose, self._patience, request, avoid)

    async def _any(self, ask: Callable[[ModelClient], Awaitable[T]]) -> T:
        """What the first replica says that says anything; those that take requests now are asked first."""
        now = asyncio.get_running_loop().time()
        failure: EngineError | None = None
        for replica in sorted(self.replicas, key=lambda r: r.free_at > now):
            try:
                return await ask(replica.client)
            except ModelError:
                raise
            except EngineError as error:
                failure = failure or error
        assert failure is not None
        raise failure

    def _look(self) -> list[asyncio.Task[None]]:
        """Read the loads that are old, beside the call that ends with `_end`."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        stale = [replica for replica in self.replicas if replica.stale(now, self._fresh_s)]
        for replica in stale:
            replica.looks(now)
        return [loop.create_task(replica.look()) for replica in stale]


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Leave none of them behind."""
    if tasks:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Second(Wrapping):
    """The same router, for a second request beside a first: it goes to a replica that does not carry the first."""

    def __init__(self, routed: Routed) -> None:
        super().__init__(routed)
        self._routed = routed

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The reply of another replica, where there is one."""
        return await self._routed._complete(request, beside=True)

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The stream of another replica, where there is one."""
        return self._routed._stream(request, beside=True)

    async def aclose(self) -> None:
        """Nothing: the router is closed for itself."""
