"""Owns Ollama's own protocol: chats as lines of JSON, schemas in `format`, and no prompt cut short in silence.

After Ollama's API documentation (docs/api.md of ollama/ollama). Its OpenAI-compatible door is not used: that one cuts
prompts which do not fit without a word (ollama/ollama#4967), while here `truncate` and `shift` say that it must not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from ....agents.model import Embeddings, FinishReason, Message, ModelReply, ModelRequest, ToolCall, Usage
from ....runtime.errors import ContextTooLong, InvalidRequest, ModelError, NotAnEngine, UnknownModel
from .answers import decoded, finish_of, listing_of
from .dialect import Call, EngineKind, Served
from .openai import encoded, one_constraint, tool

_NUM_CTX = re.compile(r"^num_ctx\s+(\d+)", re.MULTILINE)
_TOO_LONG = re.compile(r"request \((\d+) tokens\) exceeds the available context size \((\d+) tokens\)")


class _Function(msgspec.Struct):
    name: str
    arguments: dict[str, Any] = {}


class _Called(msgspec.Struct):
    function: _Function
    id: str = ""


class _Message(msgspec.Struct):
    content: str = ""
    tool_calls: list[_Called] | None = None


class _Line(msgspec.Struct):
    model: str = ""
    message: _Message | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int = 0
    eval_count: int = 0
    error: str | None = None


class _Shown(msgspec.Struct):
    capabilities: list[str] | None = None
    parameters: str = ""
    model_info: dict[str, Any] = {}


class _Vectors(msgspec.Struct):
    embeddings: list[list[float]]
    model: str = ""
    prompt_eval_count: int = 0


_LINE = msgspec.json.Decoder(_Line)
_SHOWN = msgspec.json.Decoder(_Shown)
_VECTORS = msgspec.json.Decoder(_Vectors)


class Ollama:
    """The `Dialect` of an Ollama server. Its adapters are models of their own names; a begun message is gone on with.

    `extra` are body fields that go with every chat request.
    """

    kind: EngineKind = "ollama"

    def __init__(self, extra: Mapping[str, Any] | None = None) -> None:
        self._extra = dict(extra or {})

    def chat(self, request: ModelRequest, *, model: str, stream: bool, served: Served | None = None) -> Call:
        """``POST /api/chat``. Raises `InvalidRequest`."""
        one_constraint(request)
        if request.regex is not None or request.grammar is not None:
            raise InvalidRequest(
                "Ollama follows JSON schemas and choices, and neither patterns nor grammars: ask with a schema."
            )
        options: dict[str, Any] = {"temperature": request.temperature, "num_predict": request.max_tokens}
        if request.seed is not None:
            options["seed"] = request.seed
        if request.stop:
            options["stop"] = list(request.stop)
        if request.top_p < 1:
            options["top_p"] = request.top_p
        body: dict[str, Any] = {
            "model": request.adapter or model,
            "messages": _messages(request.messages),
            "stream": stream,
            "options": options,
            "truncate": False,
            "shift": False,
        }
        if request.choices:
            body["format"] = {"type": "string", "enum": list(request.choices)}
        elif request.schema is not None:
            body["format"] = request.schema
        if request.tools and request.tool_choice != "none":
            body["tools"] = [tool(spec) for spec in request.tools]
        return Call("/api/chat", encoded(body | self._extra), at_root=True)

    def reply(self, body: bytes, request: ModelRequest) -> ModelReply:
        """The one line of an answer that is not streamed."""
        reading = OllamaReading(request)
        text = reading.feed(body + b"\n")
        if not reading.done:
            raise ModelError("Ollama's answer ends before it says that it is done; look into its log.")
        return ModelReply(
            text,
            reading.finish_reason or "stop",
            reading.usage,
            reading.model,
            reading.tool_calls(),
        )

    def reading(self, request: ModelRequest) -> OllamaReading:
        """A reader of lines of JSON."""
        return OllamaReading(request)

    def listing(self) -> Call:
        """``GET /v1/models``, by which an Ollama server is known too: what has been pulled."""
        return Call("/v1/models", at_root=True)

    def listed(self, body: bytes) -> list[Served]:
        """The names; each model is shown on its own."""
        return [Served(entry.name) for entry in listing_of(body)]

    def describing(self, model: str) -> tuple[Call, ...]:
        """``POST /api/show``: what a model can do, and its window."""
        return (Call("/api/show", encoded({"model": model}), at_root=True),)

    def described(self, body: bytes, served: Served) -> Served:
        """The window that the model is run with: its own parameter where it has one, else not known.

        What the model was trained for is no help: the server runs it with a default of its own, which it does not tell.
        """
        shown = decoded(_SHOWN, body, "a description of a model")
        window = _NUM_CTX.search(shown.parameters)
        native = None if shown.capabilities is None else "tools" in shown.capabilities
        return replace(served, context_tokens=int(window[1]) if window else None, native_tools=native)

    def embedding(self, texts: tuple[str, ...], *, model: str) -> Call | None:
        """``POST /api/embed``; a text that is too long is refused, not cut."""
        body = {"model": model, "input": list(texts), "truncate": False}
        return Call("/api/embed", encoded(body), at_root=True)

    def embedded(self, body: bytes) -> Embeddings:
        """The vectors."""
        found = decoded(_VECTORS, body, "vectors")
        vectors = tuple(tuple(vector) for vector in found.embeddings)
        return Embeddings(vectors, Usage(prompt_tokens=found.prompt_eval_count), found.model)

    def counting(self, request: ModelRequest, *, model: str) -> Call | None:
        """Ollama counts nothing before it answers."""
        return None

    def counted(self, body: bytes) -> int | Call:
        """Nothing is ever counted here."""
        raise AssertionError("counting makes no call, so there is no answer to read")

    def refusal(self, status: int, body: bytes, *, model: str) -> Exception | None:
        """A model that was not pulled, or a prompt that does not fit, in Ollama's words."""
        try:
            said = _LINE.decode(body).error or ""
        except msgspec.DecodeError:
            return None
        if status == 404 and "not found" in said:
            return UnknownModel(f"Ollama has no model {model!r}; run 'ollama pull {model}' first.")
        if found := _TOO_LONG.search(said):
            return _too_long(int(found[1]), int(found[2]))
        return None

    def learns(self, status: int, body: bytes) -> bool:
        """Nothing."""
        return False


class OllamaReading:
    """Lines of JSON as they arrive. A constrained choice is given when it is whole, without its quotation marks."""

    def __init__(self, request: ModelRequest) -> None:
        self.done = False
        self.finish_reason: FinishReason | None = None
        self.usage = Usage()
        self.model = ""
        self._quoted = bool(request.choices)
        self._held = ""
        self._rest = b""
        self._calls: list[_Called] = []

    def feed(self, data: bytes) -> str:
        """The text in these bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        text = "".join([self._read(line) for line in lines if line.strip()])
        if not self._quoted:
            return text
        self._held += text
        if not self.done:
            return ""
        whole, self._held = self._held, ""
        return _unquoted(whole)

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls; those that Ollama gave no id are numbered."""
        return tuple(
            ToolCall(call.id or f"call_{number}", call.function.name, call.function.arguments)
            for number, call in enumerate(self._calls)
        )

    def _read(self, line: bytes) -> str:
        try:
            said = _LINE.decode(line)
        except msgspec.DecodeError as error:
            raise NotAnEngine(
                f"The server sent a line that is none of Ollama's ({line[:80]!r}: {error}); check the URL."
            ) from None
        if said.error is not None:
            raise _gave_up(said.error)
        self.model = said.model or self.model
        message = said.message or _Message()
        if message.tool_calls:
            self._calls += message.tool_calls
        if said.done:
            self.done = True
            self.finish_reason = finish_of(said.done_reason, called=bool(self._calls))
            self.usage = Usage(said.prompt_eval_count, said.eval_count)
        return message.content


def _gave_up(said: str) -> Exception:
    if found := _TOO_LONG.search(said):
        return _too_long(int(found[1]), int(found[2]))
    return ModelError(f"The engine gave up in the middle of its answer: {said}")


def _too_long(prompt: int, window: int) -> ContextTooLong:
    over = prompt - window
    return ContextTooLong(
        f"The prompt has {prompt:,} tokens, {over:,} more than the {window:,} that Ollama runs this model with: shorten "
        "it, or give the model a larger num_ctx.",
        over,
    )


def _unquoted(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    said: list[dict[str, Any]] = []
    for message in messages:
        one: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.tool_calls:
            one["tool_calls"] = [
                {"function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
            ]
        if message.tool_call_id in names:
            one["tool_name"] = names[message.tool_call_id]
        said.append(one)
    return said
