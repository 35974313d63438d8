"""Owns `TaskModel`: the model of whichever task the code that asks it works on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from ...model import Embeddings, ModelClient, ModelDelta, ModelReply, ModelRequest
from .seat import Seat, current_seat


class TaskModel(ModelClient):
    """A `ModelClient` whose every call is a step of a task: of `seat`'s, or of the one that the asking code works on.

    The task's agent says which model and adapter it is, and how long a reply may be, where a request does not. `client`
    is asked in place of the agent's. It tells nothing that would need an engine outside of a step: neither counts of
    tokens nor the model's window.
    """

    def __init__(self, seat: Seat | None = None, client: ModelClient | None = None) -> None:
        self._seat = seat
        self._client = client

    def home(self) -> asyncio.AbstractEventLoop:
        """The loop of the task: there its steps are carried out, whichever thread asks."""
        return self._at().loop

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The reply, or the one that the journal holds."""
        return await self._at().ask(request, client=self._client)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written; one that the journal holds comes in one piece."""
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        asked = self._at().ask(request, say=pieces.put_nowait, client=self._client)
        work = asyncio.create_task(asked)
        work.add_done_callback(lambda _: pieces.put_nowait(None))
        told = False
        try:
            while (piece := await pieces.get()) is not None:
                told = True
                yield ModelDelta(piece)
            reply = await work
            if reply.text and not told:
                yield ModelDelta(reply.text)
            yield ModelDelta("", reply)
        finally:
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # it was raised above, or its reader has gone

    async def models(self) -> list[str]:
        """The name of the agent's model."""
        return [self._at().desk.agent.model or "default"]

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """The vectors, as a step of the task."""
        seat = self._at()
        client = self._client or seat.desk.client
        inputs = {"texts": list(texts), "model": model}
        return await seat.effect(
            inputs,
            lambda: seat.ctx.step(
                "embed", lambda: client.embed(texts, model=model), inputs=inputs, returns=Embeddings
            ),
        )

    async def aclose(self) -> None:
        """Nothing: the model is the house's."""

    def _at(self) -> Seat:
        return self._seat or current_seat()


def task_model() -> ModelClient:
    """The model of the task that the asking code works on, as a `ModelClient` for the doors of other frameworks.

    ``as_langchain(task_model())`` in a graph, ``as_crewai(task_model())`` in a crew and ``as_autogen(task_model())`` in a
    team answer with the model of the agent whose `architecture` they are, each call a step of its task; one graph so
    serves any number of tasks and runs. Asked outside of a task it raises `InvalidRequest`.
    """
    return TaskModel()
