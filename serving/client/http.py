"""Owns `HttpModelClient`: a `ModelClient` over any OpenAI-compatible server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from ...agents.model import FinishReason, ModelClient, ModelDelta, ModelReply, ModelRequest, Usage
from ...runtime.errors import EngineError, ModelError
from .connection import Connection, Fault
from .shape import fault
from .sse import events
from .wire import EngineKind, finish_of, kind_of, reply_of, request_body, unwrap_choice, usage_of

_CHAT = "/chat/completions"
_MORE_ROOM_TOKENS = 256


class HttpModelClient(ModelClient):
    """Speaks to one server; safe to share among any number of tasks of one event loop.

    `base_url` ends in ``/v1`` (added where the URL has no path). `model` is asked for when a request names
    none; None means the first that the server lists. `engine_kind` is found out from the server when not
    given. `read_timeout_s` bounds the silence between two pieces of an answer, not the whole of it.

    Raises `EngineError` when the server does not answer or lacks the model, `ModelError` when its answer
    cannot be used. A constrained reply that was cut off is asked for once more with more room; `usage` then
    counts both.
    """

    def __init__(
        self,
        base_url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        engine_kind: EngineKind | None = None,
        read_timeout_s: float = 600.0,
    ) -> None:
        url = base_url.rstrip("/")
        if not urlsplit(url).path:
            url += "/v1"
        self.base_url = url
        self._connection = Connection(url, api_key=api_key, read_timeout_s=read_timeout_s)
        self._model = model
        self._kind = engine_kind
        self._names: list[str] | None = None
        self._asking = asyncio.Lock()

    async def __aenter__(self) -> HttpModelClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole reply to one request."""
        kind, model = await self._target(request)
        reply = await self._whole(request, kind, model, request.max_tokens)
        problem = fault(request, reply.text)
        if problem is not None and reply.finish_reason == "length":
            room = max(2 * request.max_tokens, request.max_tokens + _MORE_ROOM_TOKENS)
            again = await self._whole(request, kind, model, room)
            reply = replace(again, usage=reply.usage + again.usage)
            problem = fault(request, reply.text)
        if problem is not None:
            raise _unusable(model, problem, reply)
        return reply

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written; the last delta has no text of its own and carries the whole reply.

        Pieces of a constrained reply are passed on as they come and checked at the end: `ModelError` then
        says that what was shown cannot be used. A choice comes in one piece.
        """
        kind, model = await self._target(request)
        body = request_body(request, model=model, kind=kind, max_tokens=request.max_tokens, stream=True)
        pieces: list[str] = []
        usage, finish, served = Usage(), None, model
        async with self._connection.open("POST", _CHAT, body, self._missing(model)) as response:
            async for event in events(response.content.iter_any()):
                served = str(event.get("model") or served)
                usage = usage_of(event) if event.get("usage") else usage
                text, ended = _delta(event)
                finish = ended or finish
                if text:
                    pieces.append(text)
                    if not request.choices:
                        yield ModelDelta(text)
        if finish is None:
            raise EngineError(
                f"The engine at {self.base_url} broke off in the middle of its answer; look into its log."
            )
        whole = "".join(pieces)
        if request.choices:
            whole = unwrap_choice(whole, kind)
        reply = ModelReply(whole, finish, usage, served)
        if (problem := fault(request, whole)) is not None:
            raise _unusable(model, problem, reply)
        if request.choices:
            yield ModelDelta(whole)
        yield ModelDelta("", reply)

    async def models(self) -> list[str]:
        """Names of the models that the server lists; the first is the default."""
        async with self._connection.open("GET", "/models", None, self._no_api) as response:
            answer = await _json(response)
        try:
            names = [str(entry["id"]) for entry in answer["data"]]
            kind = kind_of(answer)
        except (KeyError, TypeError, AttributeError) as error:
            raise EngineError(
                f"{self.base_url}/models does not list models; "
                "check that the URL names an OpenAI-compatible server."
            ) from error
        self._names = names
        self._kind = self._kind or kind
        return [*([self._model] if self._model in names else []), *(n for n in names if n != self._model)]

    async def aclose(self) -> None:
        """Close every connection; the client cannot be used afterwards."""
        await self._connection.aclose()

    async def _target(self, request: ModelRequest) -> tuple[EngineKind, str]:
        model = request.model or self._model
        # llama.cpp answers under any model name, so only its list can tell a wrong one.
        if self._names is None and (self._kind in (None, "llamacpp") or model is None):
            async with self._asking:
                if self._names is None:
                    await self.models()
        kind = self._kind or "openai"
        if model is None:
            if not self._names:
                raise EngineError(f"The engine at {self.base_url} serves no model; start it with one.")
            model = self._names[0]
        if kind == "llamacpp" and self._names is not None and model not in self._names:
            raise await self._missing(model)(404, "")
        return kind, model

    async def _whole(
        self, request: ModelRequest, kind: EngineKind, model: str, max_tokens: int
    ) -> ModelReply:
        body = request_body(request, model=model, kind=kind, max_tokens=max_tokens, stream=False)
        async with self._connection.open("POST", _CHAT, body, self._missing(model)) as response:
            reply = reply_of(await _json(response))
        return replace(reply, text=unwrap_choice(reply.text, kind)) if request.choices else reply

    def _missing(self, model: str) -> Fault:
        async def refused(status: int, said: str) -> Exception:
            if self._names is None:
                await self.models()
            if self._names is not None and model in self._names:
                return await self._no_api(status, said)
            names = ", ".join(self._names or []) or "see 'crewgraph engine status'"
            return EngineError(
                f"The engine at {self.base_url} has no model {model!r}; it serves: {names}. "
                "Name one of these, or none to take the first."
            )

        return refused

    async def _no_api(self, status: int, said: str) -> Exception:
        return EngineError(
            f"{self.base_url} is not an OpenAI-compatible API ({status}: {said}); its URL should end in /v1."
        )


def _delta(event: dict[str, Any]) -> tuple[str, FinishReason | None]:
    if "error" in event:
        error = event["error"]
        said = error.get("message", error) if isinstance(error, dict) else error
        raise ModelError(f"The engine gave up in the middle of its answer: {said}")
    choices = event.get("choices") or []
    if not choices:
        return "", None
    reason = choices[0].get("finish_reason")
    return (choices[0].get("delta") or {}).get("content") or "", finish_of(reason) if reason else None


async def _json(response: Any) -> Any:
    try:
        return await response.json(content_type=None)
    except ValueError as error:
        raise EngineError(
            f"{response.url} answered with something other than JSON; check the URL."
        ) from error


def _unusable(model: str, problem: str, reply: ModelReply) -> ModelError:
    hint = "raise max_tokens" if reply.finish_reason == "length" else "ask again, or loosen the constraint"
    return ModelError(f"The reply of {model} cannot be used: {problem}; {hint}.")
