"""Owns the OpenAI chat API, as far as every server that claims it understands it; other dialects build on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from ....agents.model import Embeddings, Message, ModelReply, ModelRequest, ToolSpec
from ....runtime.errors import InvalidRequest
from .answers import error_text, listing_of, reply_of, vectors_of
from .dialect import Call, EngineKind, Served
from .stream import CompletionStream, WholeStream

CHOICE_KEY = "choice"
"""The one property of the object that carries a choice where an engine only knows JSON schemas."""

_ENCODER = msgspec.json.Encoder()


class OpenAI:
    """The `Dialect` of any OpenAI-compatible server. `extra` are body fields that go with every chat request.

    A schema goes as a strict `response_format`, never together with tools: vLLM applies only one of the two when both are
    sent. Choices go as a schema of one property. Patterns and grammars are not in this API.
    """

    kind: EngineKind = "openai"

    def __init__(self, extra: Mapping[str, Any] | None = None) -> None:
        self._extra = dict(extra or {})
        self._max_tokens = "max_tokens"

    # Chat

    def chat(self, request: ModelRequest, *, model: str, stream: bool, served: Served | None = None) -> Call:
        """The call for a chat request. Raises `InvalidRequest` or `UnknownModel`."""
        one_constraint(request)
        body: dict[str, Any] = {
            "model": model,
            "messages": [said(message) for message in request.messages],
            self._max_tokens: request.max_tokens,
            "temperature": request.temperature,
            "stream": stream,
        }
        if request.top_p != 1.0:
            body["top_p"] = request.top_p
        if request.seed is not None:
            body["seed"] = request.seed
        if request.stop:
            body["stop"] = request.stop
        if stream:
            body["stream_options"] = {"include_usage": True}
        if request.tools:
            body["tools"] = [tool(spec) for spec in request.tools]
            if request.tool_choice != "auto":
                body["tool_choice"] = request.tool_choice
        elif request.constrained:
            body |= self.constraint(request)
        if request.continue_last:
            body |= self.continued()
        if request.adapter is not None:
            body |= self.adapted(request.adapter, model, served)
        if request.hints is not None:
            body |= self.hinted(request)
        if self._extra:
            body |= self._extra
        return Call("/chat/completions", _ENCODER.encode(body), headers=self.headers(request))

    def constraint(self, request: ModelRequest) -> dict[str, Any]:
        """The body fields for what the reply has to be. Raises `InvalidRequest`: this engine cannot be told so."""
        if request.schema is not None:
            return response_format("reply", request.schema)
        if request.choices:
            schema = {
                "type": "object",
                "properties": {CHOICE_KEY: {"type": "string", "enum": request.choices}},
                "required": [CHOICE_KEY],
                "additionalProperties": False,
            }
            return response_format(CHOICE_KEY, schema)
        what = "a pattern" if request.regex is not None else "a grammar"
        raise InvalidRequest(
            f"This engine ({self.kind}) cannot be held to {what}; ask for a schema or for choices, or use vLLM."
        )

    def adapted(self, adapter: str, model: str, served: Served | None) -> dict[str, Any]:
        """The body fields for a LoRA adapter: most servers list it as a model of its own."""
        return {"model": adapter}

    def continued(self) -> dict[str, Any]:
        """The body fields by which the engine goes on with the last message. Raises `InvalidRequest`: it cannot."""
        raise InvalidRequest(
            f"This engine ({self.kind}) cannot go on with a begun message; ask for a whole one."
        )

    def hinted(self, request: ModelRequest) -> dict[str, Any]:
        """The body fields for hints; this API has none."""
        return {}

    def headers(self, request: ModelRequest) -> tuple[tuple[str, str], ...]:
        """Headers for hints; this API has none."""
        return ()

    def unwrap(self, text: str) -> str:
        """The choice inside a reply: the one property of the object that wraps it."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return str(value.get(CHOICE_KEY, text)) if isinstance(value, dict) else text

    def reply(self, body: bytes, request: ModelRequest) -> ModelReply:
        """The whole answer. Raises `ModelError` or `NotAnEngine`."""
        reply = reply_of(body)
        return replace(reply, text=self.unwrap(reply.text)) if request.choices else reply

    def reading(self, request: ModelRequest) -> CompletionStream:
        """A reader for the streamed answer; a choice comes in one piece."""
        return WholeStream(self.unwrap) if request.choices else CompletionStream()

    # Models, vectors, counts

    def listing(self) -> Call:
        """``GET /models``."""
        return Call("/models")

    def listed(self, body: bytes) -> list[Served]:
        """The models, each with its adapters where the engine says what they are adapters of."""
        entries = listing_of(body)
        names = {entry.name for entry in entries}
        return [
            Served(e.name, e.window, tuple(a.name for a in entries if a.parent == e.name and a is not e))
            for e in entries
            if e.parent not in names or e.parent == e.name
        ]

    def describing(self, model: str) -> tuple[Call, ...]:
        """Nothing: the list says all that this API has."""
        return ()

    def described(self, body: bytes, served: Served) -> Served:
        """The model as it is."""
        return served

    def embedding(self, texts: tuple[str, ...], *, model: str) -> Call | None:
        """``POST /embeddings``."""
        return Call("/embeddings", _ENCODER.encode({"model": model, "input": texts}))

    def embedded(self, body: bytes) -> Embeddings:
        """The vectors. Raises `ModelError` or `NotAnEngine`."""
        return vectors_of(body)

    def counting(self, request: ModelRequest, *, model: str) -> Call | None:
        """None: this API cannot count."""
        return None

    def counted(self, body: bytes) -> int | Call:
        """Nothing is ever counted here."""
        raise AssertionError("counting makes no call, so there is no answer to read")

    def refusal(self, status: int, body: bytes, *, model: str) -> Exception | None:
        """Nothing beyond what holds for all."""
        return None

    def learns(self, status: int, body: bytes) -> bool:
        """Some hosted models take no `max_tokens` and say which name they want."""
        if status == 400 and "'max_completion_tokens' instead" in error_text(body):
            self._max_tokens = "max_completion_tokens"
            return True
        return False


def said(message: Message) -> dict[str, Any]:
    """A message as the API has it."""
    entry: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        entry["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _ENCODER.encode(call.arguments).decode()},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        entry["tool_call_id"] = message.tool_call_id
    return entry


def tool(spec: ToolSpec) -> dict[str, Any]:
    """A tool as the API has it."""
    described = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    return {"type": "function", "function": described}


def going_on() -> dict[str, Any]:
    """The body fields of vLLM, and of those who took them over, for going on with the last message."""
    return {"continue_final_message": True, "add_generation_prompt": False}


def encoded(body: dict[str, Any]) -> bytes:
    """A body as bytes."""
    return _ENCODER.encode(body)


def response_format(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The body field that asks for JSON of a schema."""
    format_ = {"name": name, "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": format_}}


def one_constraint(request: ModelRequest) -> None:
    """Raises `InvalidRequest`: the request asks for more than one."""
    given = [
        words
        for words, there in (
            ("a schema", request.schema is not None),
            ("choices", bool(request.choices)),
            ("a pattern", request.regex is not None),
            ("a grammar", request.grammar is not None),
            ("tools", bool(request.tools)),
        )
        if there
    ]
    if len(given) > 1:
        raise InvalidRequest(
            f"A model request is constrained by {given[0]} or by {given[1]}, not by both; drop one."
        )
