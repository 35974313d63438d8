"""Models for tests: a scripted one that answers from a script, and one that forbids being called.

They are shipped so that crew authors test their crews with them.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Sequence

from .model import Message, ModelClient, ModelDelta, ModelReply, ModelRequest, Usage

Script = Sequence[str] | Callable[[ModelRequest], str]


class ScriptedModel(ModelClient):
    """A `ModelClient` that answers from a list, in order, or from a function of the request.

    It holds to the contract: a choice is one of the choices and a schema gets JSON, else AssertionError, so that a
    wrong script fails the test. `requests` are the calls it got. A list that runs out raises AssertionError.
    """

    def __init__(self, script: Script = (), *, name: str = "scripted") -> None:
        self._script = script
        self._name = name
        self.requests: list[ModelRequest] = []

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The next scripted reply."""
        self.requests.append(request)
        if callable(self._script):
            text = self._script(request)
        else:
            place = len(self.requests) - 1
            assert place < len(self._script), (
                f"the script has {len(self._script)} replies, and this is call {place + 1}"
            )
            text = self._script[place]
        if request.choices:
            assert text in request.choices, f"the script says {text!r}, and the choices are {request.choices}"
        if request.schema is not None:
            json.loads(text)
        return ModelReply(text, "stop", Usage(_count(request.messages), len(text.split())), self._name)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The next scripted reply, word by word."""
        reply = await self.complete(request)
        for piece in re.findall(r"\s*\S+\s*$|\s*\S+", reply.text):
            yield ModelDelta(piece)
        yield ModelDelta("", reply)

    async def models(self) -> list[str]:
        """Its one name."""
        return [self._name]

    async def count_tokens(self, request: ModelRequest) -> int:
        """Words, as its `Usage` counts them."""
        return _count(request.messages)

    async def aclose(self) -> None:
        """Nothing to give back."""


class ForbiddenModel(ScriptedModel):
    """A `ModelClient` that fails the test when it is called: for replays, and for work that needs no model."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Always an AssertionError that shows the call."""
        raise AssertionError(f"a model was called: {request.messages[-1].content[:200]!r}")


def _count(messages: Sequence[Message]) -> int:
    return sum(len(message.content.split()) for message in messages)
