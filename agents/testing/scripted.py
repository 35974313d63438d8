"""Scripted models: one that answers from a script, and one that forbids being called."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from ..model import Message, ModelClient, ModelDelta, ModelReply, ModelRequest, ToolCall, Usage

_FINISH = "finish"
OTHERS = ""
"""In a script by agents, who is meant by it: whoever has no script, and calls of no agent (planners, judges)."""


@dataclass(frozen=True)
class Act:
    """A reply that has a tool called: as a tool call where tools were offered, as an action in JSON where a schema asks for one.

    Without a name it is the end of acting.
    """

    tool: str = _FINISH
    args: Mapping[str, Any] = field(default_factory=dict)


Reply = str | Act | ModelReply | BaseModel | Mapping[str, Any] | list[Any] | BaseException
"""What a script may say: a text; a tool to call; a value, which becomes JSON; a whole reply; or an error, which is raised."""

Script = Sequence[Reply] | Callable[[ModelRequest], Reply]


class ScriptedModel(ModelClient):
    """A `ModelClient` that answers from a list, in order, or from a function of the request.

    Agents that work side by side have scripts of their own: ``ScriptedModel({"buyer": [...], "writer": [...]})``, by their
    roles; "" is for everybody else.

    It holds to the contract: a choice is one of the choices and a schema gets JSON, else AssertionError, so that a
    wrong script fails the test. `requests` are the calls it got. A list that runs out raises AssertionError. To fail on
    purpose, script an error: ``[EngineBusy("later"), "now"]``.
    """

    def __init__(self, script: Script | Mapping[str, Script] = (), *, name: str = "scripted") -> None:
        self._scripts: dict[str, Script] = dict(script) if isinstance(script, Mapping) else {OTHERS: script}
        self._used = dict.fromkeys(self._scripts, 0)
        self._name = name
        self.requests: list[ModelRequest] = []

    @property
    def left(self) -> int:
        """How many replies of its lists nobody has asked for."""
        lists = {who: s for who, s in self._scripts.items() if not callable(s)}
        return sum(len(script) - self._used[who] for who, script in lists.items())

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The next scripted reply."""
        self.requests.append(request)
        reply = self._whole(self._next(request), request)
        if request.choices:
            assert reply.text in request.choices, (
                f"the script says {reply.text!r}, and the choices are {request.choices}"
            )
        if request.schema is not None:
            json.loads(reply.text)
        return reply

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The next scripted reply, word by word."""
        reply = await self.complete(request)
        for piece in in_words(reply.text):
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

    def _next(self, request: ModelRequest) -> Reply:
        who = self._asking(request)
        script = self._scripts.get(who)
        assert script is not None, (
            f"nobody has a script for this call, whose last message is {request.messages[-1].content[:200]!r}; "
            f"there are scripts for: {', '.join(map(repr, self._scripts))}"
        )
        place = self._used[who]
        self._used[who] += 1
        if callable(script):
            return script(request)
        whose = f" of {who!r}" if who else ""
        assert place < len(script), (
            f"the script{whose} has {len(script)} replies, and this is call {place + 1}"
        )
        return script[place]

    def _asking(self, request: ModelRequest) -> str:
        """The agent whose call it is, of those that have scripts: its system message says who it is."""
        said = " ".join(message.content for message in request.messages if message.role == "system")
        named = [who for who in self._scripts if who and f"You are the {who}." in said]
        return max(named, key=len, default=OTHERS)

    def _whole(self, said: Reply, request: ModelRequest) -> ModelReply:
        if isinstance(said, BaseException):
            raise said
        if isinstance(said, ModelReply):
            return said
        if isinstance(said, Act):
            if request.tools and said.tool != _FINISH:
                call = ToolCall(f"call-{len(self.requests)}", said.tool, dict(said.args))
                return ModelReply("", "tool_calls", self._usage(request, ""), self._name, (call,))
            said = (
                {"tool": said.tool} if said.tool == _FINISH else {"tool": said.tool, "args": dict(said.args)}
            )
        if isinstance(said, BaseModel):
            said = said.model_dump_json()
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        return ModelReply(text, "stop", self._usage(request, text), self._name)

    def _usage(self, request: ModelRequest, text: str) -> Usage:
        return Usage(_count(request.messages), len(text.split()))


class ForbiddenModel(ScriptedModel):
    """A `ModelClient` that fails the test when it is called: for replays, and for work that needs no model."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Always an AssertionError that shows the call."""
        raise AssertionError(f"a model was called: {request.messages[-1].content[:200]!r}")


def _count(messages: Sequence[Message]) -> int:
    return sum(len(message.content.split()) for message in messages)


def in_words(text: str) -> list[str]:
    """A text in the pieces in which it is streamed."""
    return re.findall(r"\s*\S+\s*$|\s*\S+", text)
