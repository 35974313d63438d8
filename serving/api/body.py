"""Owns reading a request: a bounded body, JSON in it, and the chat request that it means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from ...agents.model import Message
from ..settings import MAX_REQUEST_CHARS
from .errors import ApiError

B = TypeVar("B", bound=BaseModel)

MAX_BODY_BYTES = 1_000_000


class _Part(BaseModel):
    type: str
    text: str | None = None


class _Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part] | None = None

    def text(self, place: int) -> str:
        if isinstance(self.content, str) or self.content is None:
            return self.content or ""
        for part in self.content:
            if part.type != "text":
                message = f"messages[{place}] holds {part.type!r}: a crew reads text only."
                raise ApiError(400, message, "unsupported_content", param="messages")
        return "\n".join(part.text or "" for part in self.content)


class _StreamOptions(BaseModel):
    include_usage: bool = False


class _Format(BaseModel):
    type: str = "text"


class ChatBody(BaseModel):
    """The part of the OpenAI request that a crew can honour or must refuse.

    Sampling settings (`temperature`, `top_p`, `seed`, `max_tokens`, `stop`, …) are ignored: the crew's agents
    set their own.
    """

    model_config = ConfigDict(extra="ignore")

    model: str
    messages: list[_Message]
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    n: int | None = 1
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    logprobs: bool | None = False
    audio: Any = None
    response_format: _Format | None = None


class ChatAsk(NamedTuple):
    """What is asked of the crew: the request, what was said before it, and how to send the answer."""

    model: str
    request: str
    history: tuple[Message, ...]
    stream: bool
    include_usage: bool


async def read_ask(request: Request) -> ChatAsk:
    """The chat request in an HTTP request.

    Raises:
        ApiError: it is too large, not JSON, or not a chat request that a crew can answer.
    """
    body = await read_body(request, ChatBody)
    _refuse_unsupported(body)
    return _ask(body)


async def read_body(request: Request, kind: type[B], *, may_be_empty: bool = False) -> B:
    """The JSON object in an HTTP request, as `kind` says it has to be. With `may_be_empty`, no body means ``{}``.

    Raises:
        ApiError: it is too large, not JSON, or not such an object.
    """
    raw = await bounded(request)
    if may_be_empty and not raw.strip():
        raw = b"{}"
    try:
        value = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ApiError(400, "The body is not valid JSON.", "invalid_json") from None
    if not isinstance(value, dict):
        raise ApiError(400, "The body must be a JSON object.", "invalid_json")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False)[0]) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


async def bounded(request: Request) -> bytes:
    """The body. Raises `ApiError`: it is larger than `MAX_BODY_BYTES`."""
    raw = bytearray()
    declared = request.headers.get("content-length", "")
    too_large = declared.isdigit() and int(declared) > MAX_BODY_BYTES
    if not too_large:
        async for piece in request.stream():
            raw += piece
            if len(raw) > MAX_BODY_BYTES:
                too_large = True
                break
    if too_large:
        raise ApiError(413, f"The body is larger than {MAX_BODY_BYTES:,} bytes.", "body_too_large")
    return bytes(raw)


def invalid(first: Mapping[str, Any]) -> ApiError:
    """What is told of the first thing that pydantic found wrong."""
    path = ""
    for part in first["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return ApiError(400, f"{path}: {first['msg']}.", "invalid_request", param=path)


def _refuse_unsupported(body: ChatBody) -> None:
    """Say no to what would change the answer's shape and cannot be given."""
    refusals = {
        "n": (body.n not in (None, 1), "A crew gives one answer: n must be 1."),
        "tools": (bool(body.tools), "A crew calls its own tools: leave `tools` out."),
        "functions": (bool(body.functions), "A crew calls its own tools: leave `functions` out."),
        "logprobs": (bool(body.logprobs), "A crew's answer has no log probabilities: leave `logprobs` out."),
        "audio": (body.audio is not None, "A crew answers in text: leave `audio` out."),
        "response_format": (
            body.response_format is not None and body.response_format.type != "text",
            "A crew answers in plain text: leave `response_format` out.",
        ),
    }
    for param, (refused, message) in refusals.items():
        if refused:
            raise ApiError(400, message, "unsupported_parameter", param=param)


def _ask(body: ChatBody) -> ChatAsk:
    texts = [message.text(place) for place, message in enumerate(body.messages)]
    asked = [place for place, message in enumerate(body.messages) if message.role == "user"]
    if not asked or not texts[asked[-1]].strip():
        raise ApiError(
            400,
            "The request is empty: the last user message must say what to do.",
            "empty_request",
            param="messages",
        )
    last = asked[-1]
    try:
        "".join(texts[: last + 1]).encode()
    except UnicodeEncodeError:
        raise ApiError(
            400,
            "A message holds half a surrogate pair, which is not text.",
            "invalid_request",
            param="messages",
        ) from None
    if len(texts[last]) > MAX_REQUEST_CHARS:
        message = f"The last user message is longer than {MAX_REQUEST_CHARS:,} characters."
        raise ApiError(400, message, "request_too_long", param="messages")
    history = tuple(
        Message("system" if message.role == "developer" else message.role, text)
        for message, text in zip(body.messages[:last], texts, strict=False)
        if text.strip()
    )
    options = body.stream_options
    return ChatAsk(
        body.model, texts[last], history, bool(body.stream), options is not None and options.include_usage
    )
