"""Owns `Fallback`: a chain of models, of which the next is asked when one cannot be had."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from ....agents.model import ModelClient, ModelDelta, ModelReply, ModelRequest
from ....agents.wrapping import Wrapping
from ....runtime.errors import (
    ContextTooLong,
    CrewgraphError,
    EngineError,
    InvalidInput,
    InvalidRequest,
    ModelError,
)
from .faults import elsewhere
from .told import Told, unfinished


class Fallback(Wrapping):
    """Asks the first (client, model) of `chain`, and the next one when it fails for its engine's sake.

    A model of None is the one that the request names. A prompt that does not fit goes to the next with a larger window.
    A request that is wrong is wrong everywhere; a constrained reply that cannot be used goes on to the next only with
    `unusable=True`. When a stream breaks off after its reader has text, the next model goes on with that text, or, where
    it cannot (a constrained reply, an engine without that), the stream ends with `StreamBroken`. All else (models,
    embeddings, counting) is the first client's. Closing closes all clients.
    """

    def __init__(self, chain: Sequence[tuple[ModelClient, str | None]], *, unusable: bool = False) -> None:
        if not chain:
            raise InvalidInput("A fallback chain needs at least one model.")
        super().__init__(chain[0][0])
        self._chain = tuple(chain)
        self._unusable = unusable

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The reply of the first model that gives one."""
        place = 0
        while True:
            client, model = self._chain[place]
            try:
                return await client.complete(_for(model, request))
            except EngineError as error:
                place = await self._next(place, error, request)
                if place == len(self._chain):
                    raise

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The stream of the first model that gives one; what broke off is gone on with by the next."""
        told = Told(request)
        place = 0
        while True:
            client, model = self._chain[place]
            asking = told.ask(other_model=place > 0)
            await asking.measure(client, model)
            if (full := told.full(asking)) is not None:
                yield ModelDelta("", full)
                return
            try:
                async with aclosing(client.stream(_for(model, asking.request))) as pieces:
                    async for delta in pieces:
                        new = asking.take(delta)
                        if new is not None:
                            yield new
                        if delta.reply is not None:
                            return
                raise unfinished(asking.request.model or "the model")
            except (EngineError, InvalidRequest) as error:
                told.broke(asking)
                place = (
                    place + 1 if asking.on and _refuses(error) else await self._next(place, error, request)
                )
                if place == len(self._chain) or (told.begun and told.bound):
                    raise told.error(error, asking) from error

    async def aclose(self) -> None:
        """Close every client of the chain."""
        for client in {id(client): client for client, _ in self._chain}.values():
            await client.aclose()

    async def _next(self, place: int, error: CrewgraphError, request: ModelRequest) -> int:
        """The place in the chain that comes after this error; the chain's length where none does."""
        if isinstance(error, ContextTooLong):
            return await self._larger(place, request)
        goes = elsewhere(error, request) or (
            self._unusable and request.constrained and isinstance(error, ModelError)
        )
        return place + 1 if goes else len(self._chain)

    async def _larger(self, place: int, request: ModelRequest) -> int:
        window = await self._window(place, request)
        for later in range(place + 1, len(self._chain)):
            other = await self._window(later, request)
            if window is not None and other is not None and other > window:
                return later
        return len(self._chain)

    async def _window(self, place: int, request: ModelRequest) -> int | None:
        client, model = self._chain[place]
        try:
            return await client.context_tokens(model or request.model)
        except EngineError:
            return None


def _for(model: str | None, request: ModelRequest) -> ModelRequest:
    return request if model is None or model == request.model else replace(request, model=model)


def _refuses(error: Exception) -> bool:
    return isinstance(error, InvalidRequest | ModelError)
