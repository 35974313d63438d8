"""A model client that fails on purpose, for the tests of what stands above it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from crewgraph.agents.model import Hints, Message, ModelClient, ModelDelta, ModelReply, ModelRequest, Usage
from crewgraph.runtime.errors import EngineUnreachable, StreamBroken

Writes = Callable[[ModelRequest], Sequence[str]]
"""What an engine writes in answer to a request, piece by piece."""


@dataclass(frozen=True)
class Act:
    """One answer of a `Faulty` client: after `pieces` of them it fails with `error`, or hangs; None is a whole one.

    `wait_s` goes by before each piece. `ends` False leaves out the last delta.
    """

    pieces: int | None = None
    error: Exception | None = None
    wait_s: float = 0.0
    ends: bool = True


WHOLE = Act()
HANGS = Act(pieces=0)


def breaks(pieces: int) -> Act:
    return Act(pieces, StreamBroken("It broke off.") if pieces else EngineUnreachable("Nobody is there."))


def fails(error: Exception) -> Act:
    return Act(0, error)


class Faulty(ModelClient):
    """Plays one act for each call, and the last one for all that come after. `open` counts calls under way."""

    def __init__(
        self, writes: Writes | str, *acts: Act, alive: bool = True, window: int | None = None
    ) -> None:
        self._writes: Writes = writes if callable(writes) else lambda _: [writes]
        self._acts = list(acts) or [WHOLE]
        self._window = window
        self.alive = alive
        self.requests: list[ModelRequest] = []
        self.probes = 0
        self.open = 0
        self.closed = False

    async def complete(self, request: ModelRequest) -> ModelReply:
        reply = None
        async for delta in self.stream(request):
            reply = delta.reply
        assert reply is not None
        return reply

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
        self.requests.append(request)
        self.open += 1
        try:
            written = list(self._writes(request))[: request.max_tokens]
            for piece in written[: act.pieces]:
                await asyncio.sleep(act.wait_s)
                yield ModelDelta(piece)
            if act.pieces is not None:
                if act.error is None:
                    await asyncio.Event().wait()
                assert act.error is not None
                raise act.error
            await asyncio.sleep(act.wait_s)
            if act.ends:
                usage = Usage(sum(len(m.content) for m in request.messages), len(written))
                yield ModelDelta("", ModelReply("".join(written), "stop", usage, "faulty"))
        finally:
            self.open -= 1

    async def models(self) -> list[str]:
        self.probes += 1
        if not self.alive:
            await asyncio.Event().wait()
        return ["faulty"]

    async def context_tokens(self, model: str | None = None) -> int | None:
        return self._window

    async def aclose(self) -> None:
        self.closed = True


def asked(text: str = "Go on.", *, tenant: str = "", run: str = "", **fields: object) -> ModelRequest:
    hints = Hints(run=run, tenant=tenant) if tenant or run else None
    return ModelRequest((Message("user", text),), hints=hints, **fields)  # type: ignore[arg-type]  # any field


async def read(client: ModelClient, request: ModelRequest) -> tuple[str, ModelReply]:
    """The pieces of a stream, joined, and its reply, which must be the same text."""
    pieces: list[str] = []
    reply = None
    async for delta in client.stream(request):
        assert reply is None, "nothing comes after the reply"
        pieces.append(delta.text)
        reply = delta.reply
    assert reply is not None
    assert reply.text == "".join(pieces)
    return reply.text, reply
