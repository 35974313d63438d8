"""Owns the dialect of text-generation-inference: its messages API, its own form of constraints, its tokenizer.

After the API description of huggingface/text-generation-inference 3 (docs/openapi.json).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import msgspec

from ....agents.model import ModelRequest
from ....runtime.errors import ContextTooLong, InvalidRequest
from .answers import decoded, error_text
from .dialect import Call, EngineKind, Served
from .openai import OpenAI, encoded, said

_TOO_LONG = re.compile(
    r"must be <= (?P<most>\d+)\. Given: (?P<given>\d+) `inputs` tokens and (?P<reply>\d+) `max_new_tokens`"
    r"|must have less than (?P<below>\d+) tokens\. Given: (?P<long>\d+)"
)


class _Info(msgspec.Struct):
    max_total_tokens: int | None = None


class _Tokens(msgspec.Struct):
    tokenize_response: list[msgspec.Raw]


_INFO = msgspec.json.Decoder(_Info)
_TOKENS = msgspec.json.Decoder(_Tokens)


class Tgi(OpenAI):
    """The `Dialect` of TGI: schemas and patterns go as a `response_format` with a `value`."""

    kind: EngineKind = "tgi"

    def constraint(self, request: ModelRequest) -> dict[str, Any]:
        """The body fields for what the reply has to be."""
        if request.grammar is not None:
            raise InvalidRequest("TGI cannot be held to a grammar; ask for a schema, choices or a pattern.")
        if request.regex is not None:
            return {"response_format": {"type": "regex", "value": request.regex}}
        asked = super().constraint(request)["response_format"]["json_schema"]["schema"]
        return {"response_format": {"type": "json", "value": asked}}

    def describing(self, model: str) -> tuple[Call, ...]:
        """``GET /info``: the window."""
        return (Call("/info", at_root=True),)

    def described(self, body: bytes, served: Served) -> Served:
        """The model with its window."""
        return replace(served, context_tokens=decoded(_INFO, body, "a description").max_total_tokens)

    def embedding(self, texts: tuple[str, ...], *, model: str) -> Call | None:
        """None: TGI makes no vectors."""
        return None

    def counting(self, request: ModelRequest, *, model: str) -> Call | None:
        """``POST /chat_tokenize``."""
        messages = [said(message) for message in request.messages]
        return Call("/chat_tokenize", encoded({"model": model, "messages": messages}), at_root=True)

    def counted(self, body: bytes) -> int | Call:
        """The count."""
        return len(decoded(_TOKENS, body, "a list of tokens").tokenize_response)

    def refusal(self, status: int, body: bytes, *, model: str) -> Exception | None:
        """A request that does not fit, in TGI's words."""
        found = _TOO_LONG.search(error_text(body))
        if found is None:
            return None
        if found["most"]:
            over = int(found["given"]) + int(found["reply"]) - int(found["most"])
        else:
            over = int(found["long"]) - int(found["below"]) + 1
        return ContextTooLong(
            f"The prompt and its reply are {over} tokens more than {model} has room for; shorten the messages or lower "
            "max_tokens.",
            over,
        )
