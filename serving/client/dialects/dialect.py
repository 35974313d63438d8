"""Owns `Dialect`: what a client has to know of one kind of engine. Values only; nothing here touches a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from ....agents.model import Embeddings, FinishReason, ModelReply, ModelRequest, ToolCall, Usage

EngineKind = Literal["openai", "vllm", "llamacpp", "sglang", "lmstudio", "tgi", "ollama"]
"""The engines that are told apart; "openai" is what every OpenAI-compatible server understands."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request: `path` below the client's base URL, or below the server's root where `at_root` says so."""

    path: str
    body: bytes | None = None
    at_root: bool = False
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def method(self) -> Literal["GET", "POST"]:
        """GET without a body, POST with one."""
        return "GET" if self.body is None else "POST"


@dataclass(frozen=True, slots=True)
class Served:
    """One model that an engine serves, as far as the engine tells.

    `context_tokens` is how many tokens prompt and reply may have together. `adapters` are LoRA adapters on it.
    `native_tools`: whether its chat template takes tools; None where nobody says.
    """

    name: str
    context_tokens: int | None = None
    adapters: tuple[str, ...] = ()
    native_tools: bool | None = None


class Reading(Protocol):
    """One streamed answer being read. Fed with bytes as they arrive, it gives the text that they bring.

    After each `feed`, the attributes say what is known so far. `done` is true when the answer said that it is whole: a
    stream that ends before is broken. What comes after that (the usage, most often) is still read.
    """

    done: bool
    finish_reason: FinishReason | None
    usage: Usage
    model: str

    def feed(self, data: bytes) -> str:
        """The text in these bytes, "" where there is none.

        Raises:
            ModelError: the engine says that it gave up.
            NotAnEngine: this is no stream of this protocol.
        """
        ...

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls that came in pieces, whole; asked for when `done`.

        Raises:
            ModelError: the arguments of one are no JSON object.
        """
        ...


class Dialect(Protocol):
    """The protocol of one kind of engine: requests as bytes, and what its bytes mean.

    A `Call` that is None stands for a question that this engine cannot answer. Each client has one of its own, because a
    dialect may learn what its engine does not take (`learns`).
    """

    @property
    def kind(self) -> EngineKind:
        """Whose protocol it is."""
        ...

    def chat(self, request: ModelRequest, *, model: str, stream: bool, served: Served | None = None) -> Call:
        """The call for a chat request: constraint, tools, adapter and hints as this engine takes them.

        `served` is what is known of the model; it is always given where the request names an adapter.

        Raises:
            InvalidRequest: the request asks for more than one constraint, or for one that this engine does not have.
            UnknownModel: the model has no adapter of that name.
        """
        ...

    def reply(self, body: bytes, request: ModelRequest) -> ModelReply:
        """The whole answer. Raises `ModelError` or `NotAnEngine`: it is none."""
        ...

    def reading(self, request: ModelRequest) -> Reading:
        """A reader for the streamed answer to this request."""
        ...

    def listing(self) -> Call:
        """The call for the models that it serves."""
        ...

    def listed(self, body: bytes) -> list[Served]:
        """The models in its answer. Raises `NotAnEngine`: it is no list of models."""
        ...

    def describing(self, model: str) -> tuple[Call, ...]:
        """Calls for what `listing` left open about one model: its window, its adapters, its tools."""
        ...

    def described(self, body: bytes, served: Served) -> Served:
        """That model, with what the answer to one of these calls adds."""
        ...

    def embedding(self, texts: tuple[str, ...], *, model: str) -> Call | None:
        """The call for vectors."""
        ...

    def embedded(self, body: bytes) -> Embeddings:
        """The vectors in its answer. Raises `ModelError`: there are none."""
        ...

    def counting(self, request: ModelRequest, *, model: str) -> Call | None:
        """The call that counts the tokens of a request's messages."""
        ...

    def counted(self, body: bytes) -> int | Call:
        """The count in its answer, or the call that is to be made next. Raises `NotAnEngine`: it is neither."""
        ...

    def refusal(self, status: int, body: bytes, *, model: str) -> Exception | None:
        """The error that a refusal means in this protocol alone; None leaves it to what holds for all of them."""
        ...

    def learns(self, status: int, body: bytes) -> bool:
        """Whether a refusal teaches it to ask otherwise: then the request is put together and sent anew, once."""
        ...
