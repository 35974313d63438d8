"""Owns vLLM's dialect: every constraint, priorities, salted caches, adapters, and a tokenizer to ask."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from itertools import count
from typing import Any
from urllib.parse import quote

import msgspec

from ....agents.model import ModelRequest
from .answers import decoded, error_text
from .dialect import Call, EngineKind
from .openai import OpenAI, encoded, going_on, response_format, said, tool


class _Count(msgspec.Struct):
    count: int


_COUNT = msgspec.json.Decoder(_Count)


class Vllm(OpenAI):
    """The `Dialect` of vLLM.

    Hints become `priority` (until the server says that it schedules without; then it is never sent again), `cache_salt`
    (only where a tenant is named: a salt splits the prefix cache), an ``X-Request-Id`` that begins with the run, and the
    ``x-session-id`` by which vLLM's router keeps a run on one replica.
    """

    kind: EngineKind = "vllm"

    def __init__(self, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(extra)
        self._takes_priority = True
        self._mine = secrets.token_hex(4)  # two clients of one run must not give two requests one id
        self._numbers = count(1)

    def constraint(self, request: ModelRequest) -> dict[str, Any]:
        """The body fields for what the reply has to be."""
        if request.schema is not None:
            return response_format("reply", request.schema)
        if request.choices:
            return {"structured_outputs": {"choice": request.choices}}
        if request.regex is not None:
            return {"structured_outputs": {"regex": request.regex}}
        return {"structured_outputs": {"grammar": request.grammar}}

    def hinted(self, request: ModelRequest) -> dict[str, Any]:
        """The body fields for hints."""
        hints = request.hints
        fields: dict[str, Any] = {}
        if hints is not None and hints.priority and self._takes_priority:
            fields["priority"] = hints.priority
        if hints is not None and hints.tenant:
            fields["cache_salt"] = hints.tenant
        return fields

    def headers(self, request: ModelRequest) -> tuple[tuple[str, str], ...]:
        """The headers for hints."""
        if request.hints is None or not request.hints.run:
            return ()
        run = quote(request.hints.run, safe="/:@+=,~")
        return (("X-Request-Id", f"{run}-{self._mine}-{next(self._numbers)}"), ("x-session-id", run))

    def continued(self) -> dict[str, Any]:
        """The body fields by which the engine goes on with the last message."""
        return going_on()

    def unwrap(self, text: str) -> str:
        """The choice itself: nothing wraps it here."""
        return text

    def counting(self, request: ModelRequest, *, model: str) -> Call | None:
        """``POST /tokenize``, with the chat template."""
        body: dict[str, Any] = {"model": model, "messages": [said(message) for message in request.messages]}
        if request.tools:
            body["tools"] = [tool(spec) for spec in request.tools]
        if request.continue_last:
            body |= going_on()
        return Call("/tokenize", encoded(body), at_root=True)

    def counted(self, body: bytes) -> int | Call:
        """The count. Raises `ModelError` or `NotAnEngine`."""
        return decoded(_COUNT, body, "a count of tokens").count

    def learns(self, status: int, body: bytes) -> bool:
        """A server without ``--scheduling-policy priority`` refuses priorities."""
        if status == 400 and "priority" in error_text(body).lower():
            self._takes_priority = False
            return True
        return super().learns(status, body)
