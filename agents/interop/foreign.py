"""Owns `ForeignModel`: what is the same of every other framework's model taken as a `ModelClient`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from ...runtime.errors import (
    ContextTooLong,
    CrewgraphError,
    EngineBusy,
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    InvalidRequest,
    KeyRefused,
    ModelError,
    ReplyTruncated,
    UnknownModel,
)
from ..live import require_live
from ..model import ModelClient, ModelDelta, ModelReply, ModelRequest

_CHOICE = "choice"
_TOO_LONG = re.compile(r"context.?(length|window|size)|too many tokens|input is too long", re.IGNORECASE)


class ForeignModel(ModelClient):
    """Another framework's model; subclasses write `ask` and `tell`.

    Settings named in `keep` stay as the model was made with, whatever a request says. A choice is asked for by a
    schema, a pattern or a grammar is refused. What a constrained reply is must be JSON, or one of the choices; whether
    it keeps to the whole schema is for a checking client around this one. Closing it leaves the model to its owner.
    """

    def __init__(self, name: str, keep: Collection[str] = ()) -> None:
        self.name = name
        self._keep = frozenset(keep)

    @abstractmethod
    async def ask(self, request: ModelRequest) -> ModelReply:
        """The whole reply of the framework's model; `request` has no choices, pattern or grammar."""

    @abstractmethod
    def tell(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as the framework's model writes it; the last delta carries the whole."""

    def settings(self, request: ModelRequest) -> dict[str, Any]:
        """The sampling settings that the request makes and that are not kept, by name."""
        said = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "top_p": None if request.top_p == 1.0 else request.top_p,
            "stop": list(request.stop) or None,
        }
        return {name: value for name, value in said.items() if value is not None and name not in self._keep}

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The model's whole reply."""
        require_live(f"{self.name} was to be asked")
        put = self._put(request)
        async with self._until(_deadline(request), request):
            reply = await self.ask(put)
        return _checked(request, reply)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written; a constrained one comes whole."""
        require_live(f"{self.name} was to be asked")
        put = self._put(request)
        if request.constrained:
            reply = await self.complete(request)
            yield ModelDelta(reply.text)
            yield ModelDelta("", reply)
            return
        deadline = _deadline(request)
        async with aclosing(self.tell(put)) as deltas:
            while True:
                # Around each piece and not around all: what the reader does between two is not the model's time.
                async with self._until(deadline, request):
                    delta = await anext(deltas, None)
                if delta is None:
                    return
                if delta.reply is not None:
                    _checked(request, delta.reply)
                yield delta

    async def models(self) -> list[str]:
        """Its one name."""
        return [self.name]

    async def aclose(self) -> None:
        """Nothing: the model is its owner's."""

    def _put(self, request: ModelRequest) -> ModelRequest:
        if request.regex is not None or request.grammar is not None:
            what = "pattern" if request.regex is not None else "grammar"
            raise InvalidRequest(
                f"{self.name} cannot be held to a {what}; ask with a schema, or another engine."
            )
        if request.adapter is not None:
            raise InvalidRequest(f"{self.name} takes no LoRA adapter; ask an engine of crewgraph's.")
        if not request.choices:
            return request
        schema = {
            "title": "Choice",
            "description": "One of the choices.",
            "type": "object",
            "properties": {_CHOICE: {"type": "string", "enum": list(request.choices)}},
            "required": [_CHOICE],
            "additionalProperties": False,
        }
        return replace(request, choices=(), schema=schema)

    @contextlib.asynccontextmanager
    async def _until(self, deadline: float | None, request: ModelRequest) -> AsyncIterator[None]:
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                yield
        except CrewgraphError:
            raise
        except TimeoutError as error:
            if limit.expired():
                raise EngineTimeout(
                    f"{self.name} did not reply whole within {request.timeout_s:g} s; give it more time."
                ) from error
            raise _ours(self.name, error) from error
        except Exception as error:
            raise _ours(self.name, error) from error


def _deadline(request: ModelRequest) -> float | None:
    return None if request.timeout_s is None else asyncio.get_running_loop().time() + request.timeout_s


def _checked(request: ModelRequest, reply: ModelReply) -> ModelReply:
    if request.tools and request.tool_choice == "required" and not reply.tool_calls:
        raise ModelError(f"{reply.model} was to call a tool and called none; ask again.")
    if not request.choices and request.schema is None:
        return reply
    try:
        value = json.loads(reply.text)
    except ValueError:
        if reply.finish_reason == "length":
            raise ReplyTruncated(
                f"The reply of {reply.model} ran out of tokens before its JSON was whole; raise max_tokens.",
                reply,
            ) from None
        raise ModelError(f"The reply of {reply.model} is not JSON: {reply.text[:80]!r}; ask again.") from None
    if not request.choices:
        return reply
    choice = value.get(_CHOICE) if isinstance(value, dict) else None
    if choice not in request.choices:
        raise ModelError(f"The reply of {reply.model}, {choice!r}, is not one of the choices; ask again.")
    return replace(reply, text=str(choice))


def _ours(name: str, error: Exception) -> EngineError:
    """The framework's error as one of ours, told by its HTTP status and class, as their SDKs have them in common."""
    said = f"{name} failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    status = getattr(error, "status_code", None)
    kind = type(error).__name__
    if "ContextOverflow" in kind or _TOO_LONG.search(str(error)):
        return ContextTooLong(f"{said}; shorten the prompt.")
    if status in (401, 403) or "Authentication" in kind:
        return KeyRefused(f"{said}; check its key.")
    if status == 404:
        return UnknownModel(f"{said}; name a model that it has.")
    if status == 429 or "RateLimit" in kind:
        return EngineBusy(f"{said}; try again later.")
    if "Connect" in kind:
        return EngineUnreachable(f"{said}; check its address.")
    return EngineError(f"{said}; look into its own settings and log.")
