"""The model contract: what agents ask of a model and what they get back.

One protocol, `ModelClient`, stands between every agent and every engine. Messages follow the roles of the
OpenAI chat format; `serving/` holds the clients that speak to real engines, `agents/testing.py` the scripted one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message: who says it, and the text."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one call used, as the engine counted them; `cached_tokens` is the part of the prompt it had.

    `money` is what they cost, in the currency of the price that the client was given.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    money: float = 0.0

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
        )


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call to a model.

    `schema` (a JSON schema) and `choices` (the reply is exactly one of these) constrain decoding; at most one
    of them is given. `max_tokens` bounds the reply. `model` names one of the engine's models, or is None for
    the one it serves.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int | None = 0
    stop: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A whole reply: its text, why it ended, what it cost, and which model gave it."""

    text: str
    finish_reason: FinishReason = "stop"
    usage: Usage = field(default_factory=Usage)
    model: str = ""


@dataclass(frozen=True, slots=True)
class ModelDelta:
    """A piece of a streamed reply. The last one carries `reply`, the whole."""

    text: str
    reply: ModelReply | None = None


@runtime_checkable
class ModelClient(Protocol):
    """The only door to a model.

    Raises `EngineError` when the engine does not answer and `ModelError` when its answer cannot be used: a
    constrained reply that is not valid JSON, or not one of the choices, is an error and never passed on.
    Closing a stream, or cancelling a call, frees the engine.
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
