"""Owns what the answers of the OpenAI API mean: replies, tool calls, usage, lists of models, vectors, errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from ....agents.model import Embeddings, FinishReason, ModelReply, ToolCall, Usage
from ....runtime.errors import ModelError, NotAnEngine, ReplyTruncated

_T = TypeVar("_T")


class Details(msgspec.Struct, gc=False):
    """Of the prompt's tokens, those that the engine had already."""

    cached_tokens: int | None = 0


class UsageSaid(msgspec.Struct, gc=False):
    """Tokens, as the engine counted them."""

    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    prompt_tokens_details: Details | None = None


class Timings(msgspec.Struct, gc=False):
    """llama.cpp's own figures; `cache_n` are prompt tokens that it had already."""

    cache_n: int | None = 0


class Function(msgspec.Struct):
    """A tool's name and its arguments: JSON in a string, in a stream in pieces; some servers send the object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CallSaid(msgspec.Struct):
    """A tool call, or in a stream a piece of one."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[CallSaid] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: UsageSaid | None = None
    timings: Timings | None = None
    model: str | None = None


class _Listed(msgspec.Struct):
    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    parent: str | None = None
    meta: dict[str, Any] | None = None


class _Listing(msgspec.Struct):
    data: list[_Listed]


class _Vector(msgspec.Struct):
    embedding: tuple[float, ...]
    index: int = 0


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: UsageSaid | None = None
    model: str | None = None


_COMPLETION = msgspec.json.Decoder(_Completion)
_LISTING = msgspec.json.Decoder(_Listing)
_VECTORS = msgspec.json.Decoder(_Vectors)

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "filtered",
    "abort": "cancelled",
    "cancelled": "cancelled",
}


def finish_of(reason: str | None, *, called: bool = False) -> FinishReason:
    """An engine's word for why a reply ended, in ours; some say "stop" after a tool call."""
    finish = _FINISH.get(reason or "stop", "stop")
    return "tool_calls" if called and finish == "stop" else finish


def usage_of(said: UsageSaid | None, timings: Timings | None = None) -> Usage:
    """Tokens as the engine counted them; zeros where it did not say."""
    if said is None:
        return Usage()
    details = said.prompt_tokens_details
    cached = details.cached_tokens if details is not None else timings.cache_n if timings is not None else 0
    return Usage(said.prompt_tokens or 0, said.completion_tokens or 0, cached or 0)


def reply_of(body: bytes) -> ModelReply:
    """The reply in a whole chat completion.

    Raises:
        NotAnEngine: it is not JSON.
        ModelError: it is no completion, or its tool calls cannot be read.
        ReplyTruncated: it was cut off in the middle of a tool call.
    """
    answer = decoded(_COMPLETION, body, "a chat completion")
    if not answer.choices:
        raise _not("a chat completion", body)
    choice = answer.choices[0]
    calls = choice.message.tool_calls or []
    reply = ModelReply(
        choice.message.content or "",
        finish_of(choice.finish_reason, called=bool(calls)),
        usage_of(answer.usage, answer.timings),
        answer.model or "",
    )
    if not calls:
        return reply
    gathered = Gathered()
    for number, call in enumerate(calls):
        call.index = number
        gathered.add(call)
    return replace(reply, tool_calls=gathered.calls(reply))


class Gathered:
    """The pieces of tool calls, put together by their index."""

    def __init__(self) -> None:
        self._calls: list[tuple[str, str, list[str | dict[str, Any]]]] = []
        self._at: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, piece: CallSaid) -> None:
        """One piece; the first of a call names the tool."""
        index = piece.index or 0
        function = piece.function or Function()
        place = self._at.get(index)
        # Some servers give every call the index 0; a new id tells them apart.
        if place is None or (piece.id and self._calls[place][0] not in ("", piece.id)):
            place = self._at[index] = len(self._calls)
            self._calls.append((piece.id or "", function.name or "", []))
        id_, name, arguments = self._calls[place]
        if (piece.id and not id_) or (function.name and not name):
            self._calls[place] = (id_ or piece.id or "", name or function.name or "", arguments)
        if function.arguments:
            arguments.append(function.arguments)

    def calls(self, reply: ModelReply) -> tuple[ToolCall, ...]:
        """The whole calls of a reply. Raises `ModelError`: the arguments of one are no JSON object."""
        return tuple(
            ToolCall(id_ or f"call_{number}", name, _arguments(name, said, reply))
            for number, (id_, name, said) in enumerate(self._calls)
        )


def _arguments(name: str, said: list[str | dict[str, Any]], reply: ModelReply) -> dict[str, Any]:
    if len(said) == 1 and isinstance(said[0], dict):
        return said[0]
    text = "".join(part for part in said if isinstance(part, str))
    try:
        value = msgspec.json.decode(text or "{}")
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    if reply.finish_reason == "length":
        raise ReplyTruncated(
            f"The model ran out of tokens in the middle of a call of the tool {name!r}; raise max_tokens.",
            reply,
        )
    raise ModelError(
        f"The model called the tool {name!r} with arguments that are not a JSON object ({text[:80]!r}); ask again."
    )


class ListedModel(msgspec.Struct):
    """An entry of ``/v1/models``: whose it is, its window, and the model that it is an adapter of."""

    name: str
    owner: str
    window: int | None
    parent: str | None


def listing_of(body: bytes) -> list[ListedModel]:
    """The entries of ``/v1/models``. Raises `NotAnEngine`: it lists no models."""
    try:
        entries = _LISTING.decode(body).data
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotAnEngine(
            "The answer to /models does not list models; check that the URL names an OpenAI-compatible server."
        ) from error
    return [
        ListedModel(e.id, (e.owned_by or "").lower(), e.max_model_len or _meta_window(e), e.parent)
        for e in entries
    ]


def _meta_window(entry: _Listed) -> int | None:
    window = (entry.meta or {}).get("n_ctx")
    return window if isinstance(window, int) else None


def vectors_of(body: bytes) -> Embeddings:
    """The vectors, in the order of the texts. Raises `ModelError` or `NotAnEngine`."""
    answer = decoded(_VECTORS, body, "a list of vectors")
    ordered = sorted(answer.data, key=lambda vector: vector.index)
    return Embeddings(tuple(v.embedding for v in ordered), usage_of(answer.usage), answer.model or "")


def decoded(decoder: msgspec.json.Decoder[_T], body: bytes, what: str) -> _T:
    """The answer as this type.

    Raises:
        NotAnEngine: it is not JSON.
        ModelError: it is JSON of another form: what the engine says of it, if it is an error.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _not(what, body) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotAnEngine(
            f"The server answered with something other than JSON ({shown(body)}); check the URL."
        ) from error


def _not(what: str, body: bytes) -> ModelError:
    return ModelError(
        f"The engine's answer is not {what} ({shown(body)}); check that the URL names an OpenAI-compatible server."
    )


def shown(body: bytes) -> str:
    """The beginning of an answer, for an error."""
    text = " ".join(body[:200].decode("utf-8", "replace").split())
    return (text if len(text) <= 120 else text[:117] + "...") or "it is empty"


def error_text(body: bytes) -> str:
    """The message inside an engine's error answer, cut to one short line."""
    text = body[:4096].decode("utf-8", "replace")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        value = None
    if isinstance(value, dict):
        text = said_of(value.get("error", value)) if "error" in value or "message" in value else text
        text = str(value["detail"]) if "detail" in value else text
    line = " ".join(text.split())
    if line[:1] == "<":
        return "a web page"
    return line if len(line) <= 300 else line[:297] + "..."


def said_of(error: Any) -> str:
    """What an error object says."""
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)
