"""The model contract: what agents ask of a model and what they get back.

One protocol, `ModelClient`, stands between every agent and every engine. Messages follow the roles of the
OpenAI chat format; `serving/` holds the clients that speak to real engines, `agents/testing.py` the scripted one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol, runtime_checkable

from ..runtime.errors import EngineError

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "filtered", "cancelled"]
ToolChoice = Literal["auto", "required", "none"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants to be called. `id` ties the result to it; `arguments` are read from its JSON."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message: who says it, and the text.

    An assistant's message may carry the `tool_calls` that it asked for; a message of the role "tool" is the result
    of the one named by `tool_call_id`.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it; `parameters` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one call used, as the engine counted them; `cached_tokens` is the part of the prompt it had.

    `money` is what they cost, in the currency of the price that the client was given. A reply that came from a
    cache of ours used nothing: `saved_tokens` is what it would have.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    money: float = 0.0
    saved_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.money + other.money,
            self.saved_tokens + other.saved_tokens,
        )


@dataclass(frozen=True, slots=True)
class Hints:
    """What an engine may be told of a call beside its content; the reply is the same without it.

    `run` names the run, for request ids and for routers that keep a run on one replica. `priority` orders calls that
    wait for a seat: the lower goes first. `expected_tokens` is how long the reply will likely be. Calls of one `tenant`
    share the engine's prefix cache with each other and with nobody else ("" shares with all who name none).
    """

    run: str = ""
    priority: int = 0
    expected_tokens: int | None = None
    tenant: str = ""


_FIRST_FIELDS = ("model", "max_tokens", "temperature", "seed", "stop", "schema", "choices")
_LATER_FIELDS = ("top_p", "regex", "grammar", "tool_choice", "adapter", "continue_last")


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call to a model.

    At most one of these constrains decoding: `schema` (a JSON schema), `choices` (the reply is exactly one of these),
    `regex`, `grammar` (in GBNF), `tools`. `max_tokens` bounds the reply. `model` names one of the engine's models, or is
    None for the one it serves; `adapter` names a LoRA adapter on it. `timeout_s` is how many seconds the whole call may
    take, however often it is tried. With `continue_last` the last message is an assistant's that was begun, and the engine
    goes on with it: the reply is only what is new. Not every engine can; those that cannot raise `InvalidRequest`.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int | None = 0
    stop: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    choices: tuple[str, ...] = ()
    top_p: float = 1.0
    regex: str | None = None
    grammar: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = "auto"
    adapter: str | None = None
    timeout_s: float | None = None
    hints: Hints | None = None
    continue_last: bool = False

    @property
    def constrained(self) -> bool:
        """Whether the reply has to have a form that can be checked."""
        return (
            self.schema is not None
            or bool(self.choices)
            or self.regex is not None
            or self.grammar is not None
        )

    def identity(self) -> dict[str, Any]:
        """All that the reply depends on, as plain JSON: what steps, caches and fixtures are keyed by.

        Neither `timeout_s` nor `hints` is in it. A field that a later release added is in it only where it is set, so
        that the keys of earlier releases stay.
        """
        said: dict[str, Any] = {"messages": [_said(message) for message in self.messages]}
        for name in _FIRST_FIELDS:
            value = getattr(self, name)
            said[name] = list(value) if isinstance(value, tuple) else value
        for name in _LATER_FIELDS:
            value = getattr(self, name)
            if value != _DEFAULTS[name]:
                said[name] = value
        if self.tools:
            said["tools"] = [
                {"name": t.name, "description": t.description, "parameters": t.parameters} for t in self.tools
            ]
        return said


_DEFAULTS = {one.name: one.default for one in fields(ModelRequest)}


def _said(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        said["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls
        ]
    if message.tool_call_id:
        said["tool_call_id"] = message.tool_call_id
    return said


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A whole reply: its text, why it ended, what it cost, which model gave it, and which tools it wants called."""

    text: str
    finish_reason: FinishReason = "stop"
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelDelta:
    """A piece of a streamed reply. The last one carries `reply`, the whole."""

    text: str
    reply: ModelReply | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each text, in the order in which the texts were given."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage = field(default_factory=Usage)
    model: str = ""


@runtime_checkable
class ModelClient(Protocol):
    """The only door to a model.

    Raises `EngineError` when the engine does not answer and `ModelError` when its answer cannot be used (the tree in
    `runtime.errors` names the kinds): a constrained reply that breaks its constraint is an error and never passed on.
    Closing a stream, or cancelling a call, frees the engine. Classes that inherit from this one have to write only
    `complete`, `stream`, `models` and `aclose`.
    """

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole reply to one request."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written; the last delta carries the whole reply."""
        ...

    async def models(self) -> list[str]:
        """Names of the models that the engine serves; the first is the default."""
        ...

    async def aclose(self) -> None:
        """Give back connections. The client cannot be used afterwards."""
        ...

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """A vector for each text. Raises `EngineError`: this engine or model makes none."""
        raise EngineError(f"{type(self).__name__} makes no embeddings; ask a model that does.")

    async def count_tokens(self, request: ModelRequest) -> int:
        """How many tokens the request's messages are to the engine, with its chat template.

        Raises `EngineError`: this engine cannot tell.
        """
        raise EngineError(f"{type(self).__name__} cannot count tokens.")

    async def context_tokens(self, model: str | None = None) -> int | None:
        """How many tokens prompt and reply may have together, where the engine tells it; else None."""
        return None
