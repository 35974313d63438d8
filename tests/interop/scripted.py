"""Models for these tests: one that also calls tools, and one that talks until it is stopped."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace

from crewgraph.agents.model import ModelClient, ModelDelta, ModelReply, ModelRequest, ToolCall, Usage

Turn = str | ToolCall | Sequence[ToolCall]


class Script(ModelClient):
    """Answers in order, with a text or with tool calls; keeps the requests and the event loops they came on."""

    def __init__(self, *turns: Turn | Callable[[ModelRequest], Turn], name: str = "script") -> None:
        self._turns = list(turns)
        self._name = name
        self.requests: list[ModelRequest] = []
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self.closed = False

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.loops.add(asyncio.get_running_loop())
        self.requests.append(request)
        assert self._turns, f"the script has no reply to call {len(self.requests)}"
        turn = self._turns.pop(0)
        said = turn if isinstance(turn, str | ToolCall | Sequence) else turn(request)
        text = said if isinstance(said, str) else ""
        calls = () if isinstance(said, str) else (said,) if isinstance(said, ToolCall) else tuple(said)
        prompt = sum(len(message.content.split()) for message in request.messages)
        used = Usage(prompt, max(1, len(text.split())), 1)
        return ModelReply(text, "tool_calls" if calls else "stop", used, self._name, calls)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        reply = await self.complete(request)
        for piece in re.findall(r"\s*\S+\s*$|\s*\S+", reply.text):
            yield ModelDelta(piece)
        yield ModelDelta("", replace(reply))

    async def models(self) -> list[str]:
        return [self._name]

    async def count_tokens(self, request: ModelRequest) -> int:
        return sum(len(message.content.split()) for message in request.messages)

    async def context_tokens(self, model: str | None = None) -> int | None:
        return 777

    async def aclose(self) -> None:
        self.closed = True


class Endless(Script):
    """Answers every call with what `say` makes of it."""

    def __init__(self, say: Callable[[ModelRequest], Turn]) -> None:
        super().__init__()
        self._say = say

    async def complete(self, request: ModelRequest) -> ModelReply:
        self._turns.append(self._say)
        return await super().complete(request)


class Talker(ModelClient):
    """Talks until it is stopped; `talking` says how many calls are under way, `begun` and `stopped` when."""

    def __init__(self) -> None:
        self.talking = 0
        self.calls = 0
        self.begun = asyncio.Event()
        self.stopped = asyncio.Event()

    async def complete(self, request: ModelRequest) -> ModelReply:
        async for _ in self.stream(request):
            pass
        raise AssertionError("it never ends by itself")

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        self.talking += 1
        self.calls += 1
        try:
            while True:
                self.begun.set()
                yield ModelDelta("and ")
                await asyncio.sleep(0.001)
        finally:
            self.talking -= 1
            self.stopped.set()

    async def models(self) -> list[str]:
        return ["talker"]

    async def aclose(self) -> None:
        pass
