"""What the tests of checked replies share: a client that does on purpose what an engine does by accident."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from crewgraph.agents.model import Message, ModelClient, ModelDelta, ModelReply, ModelRequest, ToolCall, Usage
from crewgraph.runtime.errors import CrewgraphError

ASK = (Message("user", "What is the capital of France?"),)
PROMPT_TOKENS = 7


@dataclass(frozen=True)
class Said:
    """One reply of a `Wayward` client. `chunk` is how many characters a streamed piece has."""

    text: str = ""
    finish: str = "stop"
    calls: tuple[ToolCall, ...] = ()
    error: CrewgraphError | None = None
    chunk: int = 3


class Wayward(ModelClient):
    """A `ModelClient` that checks nothing and says what it is told to; `requests` are the calls it got.

    What it says comes in order, or from a function of the request. A reply counts as many tokens as it has pieces.
    """

    def __init__(
        self, says: Sequence[Said | str] | Callable[[ModelRequest], Said], *, window: int | None = None
    ) -> None:
        self._says = says
        self._window = window
        self.requests: list[ModelRequest] = []
        self.streams_closed = 0

    def _next(self, request: ModelRequest) -> Said:
        self.requests.append(request)
        if callable(self._says):
            return self._says(request)
        assert len(self.requests) <= len(self._says), f"call {len(self.requests)} was not expected: {request}"
        said = self._says[len(self.requests) - 1]
        return Said(said) if isinstance(said, str) else said

    async def complete(self, request: ModelRequest) -> ModelReply:
        said = self._next(request)
        if said.error is not None:
            raise said.error
        return _reply(said)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        said = self._next(request)
        try:
            for piece in _pieces(said):
                yield ModelDelta(piece)
            if said.error is not None:
                raise said.error
            yield ModelDelta("", _reply(said))
        finally:
            self.streams_closed += 1

    async def models(self) -> list[str]:
        return ["wayward"]

    async def aclose(self) -> None:
        pass

    async def context_tokens(self, model: str | None = None) -> int | None:
        return self._window


def engine_that_writes(text: str, *, chunk: int = 3) -> Callable[[ModelRequest], Said]:
    """What an engine does that always writes `text`, a token for each piece, as far as its room goes."""

    def says(request: ModelRequest) -> Said:
        room = request.max_tokens * chunk
        return Said(text[:room], "stop" if len(text) <= room else "length", chunk=chunk)

    return says


async def read(client: ModelClient, request: ModelRequest) -> tuple[list[str], ModelReply]:
    """The pieces of a stream, and the whole reply that its last delta carried."""
    pieces: list[str] = []
    reply: ModelReply | None = None
    async for delta in client.stream(request):
        pieces.append(delta.text)
        reply = delta.reply
    assert reply is not None, "the last delta carries the whole reply"
    return pieces, reply


def _pieces(said: Said) -> list[str]:
    return [said.text[at : at + said.chunk] for at in range(0, len(said.text), said.chunk)]


def _reply(said: Said) -> ModelReply:
    usage = Usage(PROMPT_TOKENS, len(_pieces(said)))
    return ModelReply(said.text, said.finish, usage, "wayward", said.calls)  # type: ignore[arg-type]  # any word
