"""Owns the servers that differ from the OpenAI API in a word or two: SGLang and LM Studio."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from ....agents.model import ModelRequest
from .answers import decoded
from .dialect import Call, EngineKind, Served
from .openai import OpenAI, going_on, response_format

_SPECIAL = frozenset(r"\.^$*+?{}[]()|/-")


class Sglang(OpenAI):
    """The `Dialect` of SGLang: patterns and grammars in fields of their own, adapters beside the model."""

    kind: EngineKind = "sglang"

    def constraint(self, request: ModelRequest) -> dict[str, Any]:
        """The body fields for what the reply has to be."""
        if request.schema is not None:
            return response_format("reply", request.schema)
        if request.choices:
            return {"regex": "(" + "|".join(_literally(choice) for choice in request.choices) + ")"}
        return {"regex": request.regex} if request.regex is not None else {"ebnf": request.grammar}

    def adapted(self, adapter: str, model: str, served: Served | None) -> dict[str, Any]:
        """The body field for a LoRA adapter."""
        return {"lora_path": adapter}

    def continued(self) -> dict[str, Any]:
        """The body fields by which the engine goes on with the last message."""
        return going_on()

    def unwrap(self, text: str) -> str:
        """The choice itself: nothing wraps it here."""
        return text


class _Shown(msgspec.Struct):
    id: str
    loaded_context_length: int | None = None
    max_context_length: int | None = None
    capabilities: list[str] | None = None


class _ShownList(msgspec.Struct):
    data: list[_Shown]


_SHOWN = msgspec.json.Decoder(_ShownList)


class LmStudio(OpenAI):
    """The `Dialect` of LM Studio: the OpenAI API, and windows from an API of its own."""

    kind: EngineKind = "lmstudio"

    def describing(self, model: str) -> tuple[Call, ...]:
        """``/api/v0/models``."""
        return (Call("/api/v0/models", at_root=True),)

    def described(self, body: bytes, served: Served) -> Served:
        """The model with its window and tools."""
        for entry in decoded(_SHOWN, body, "a list of models").data:
            if entry.id == served.name:
                window = entry.loaded_context_length or entry.max_context_length
                tools = None if entry.capabilities is None else "tool_use" in entry.capabilities
                return replace(served, context_tokens=window, native_tools=tools)
        return served


def _literally(text: str) -> str:
    return "".join("\\n" if char == "\n" else f"\\{char}" if char in _SPECIAL else char for char in text)
