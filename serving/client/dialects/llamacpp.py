"""Owns llama.cpp's dialect: grammars instead of choices and patterns, adapters by number, windows from ``/props``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import Any

import msgspec

from ....agents.model import ModelReply, ModelRequest
from ....runtime.errors import ContextTooLong, UnknownModel
from .answers import decoded, error_text
from .dialect import Call, EngineKind, Served
from .gbnf import choice_grammar, pattern_grammar
from .openai import OpenAI, encoded, going_on, response_format, said, tool


class _Slot(msgspec.Struct):
    n_ctx: int | None = None


class _Caps(msgspec.Struct):
    supports_tools: bool | None = None


class _Props(msgspec.Struct):
    default_generation_settings: _Slot | None = None
    chat_template_caps: _Caps | None = None


class _Adapter(msgspec.Struct):
    id: int
    path: str = ""


class _Refused(msgspec.Struct):
    type: str | None = None
    n_prompt_tokens: int | None = None
    n_ctx: int | None = None


class _Refusal(msgspec.Struct):
    error: _Refused


class _Counting(msgspec.Struct):
    prompt: str | None = None
    tokens: list[Any] | None = None


_DESCRIBED = msgspec.json.Decoder(_Props | list[_Adapter])
_REFUSAL = msgspec.json.Decoder(_Refusal)
_COUNTING = msgspec.json.Decoder(_Counting)


class LlamaCpp(OpenAI):
    """The `Dialect` of llama.cpp's server, which is also the embedded engine.

    An adapter's name is that of its file without the ending; the server knows it by its place in the list that `served`
    keeps.
    """

    kind: EngineKind = "llamacpp"

    def constraint(self, request: ModelRequest) -> dict[str, Any]:
        """The body fields for what the reply has to be. Raises `InvalidRequest`: a pattern that no grammar can follow."""
        if request.schema is not None:
            return response_format("reply", request.schema)
        if request.choices:
            return {"grammar": choice_grammar(request.choices)}
        return {"grammar": request.grammar if request.regex is None else pattern_grammar(request.regex)}

    def adapted(self, adapter: str, model: str, served: Served | None) -> dict[str, Any]:
        """The body field for a LoRA adapter: its number, and all others at rest."""
        names = served.adapters if served is not None else ()
        if adapter not in names:
            there = ", ".join(names) or "none"
            raise UnknownModel(f"The engine has no adapter {adapter!r} on {model}; it has: {there}.")
        return {"lora": [{"id": names.index(adapter), "scale": 1.0}]}

    def continued(self) -> dict[str, Any]:
        """The body fields by which the engine goes on with the last message."""
        return going_on()

    def unwrap(self, text: str) -> str:
        """The choice itself: nothing wraps it here."""
        return text

    def reply(self, body: bytes, request: ModelRequest) -> ModelReply:
        """The whole answer. Where it went on with a message, what had been there is repeated in it (not in a stream)."""
        reply = super().reply(body, request)
        if request.continue_last:
            return replace(reply, text=reply.text.removeprefix(request.messages[-1].content))
        return reply

    def describing(self, model: str) -> tuple[Call, ...]:
        """``/props`` and ``/lora-adapters``."""
        return Call("/props", at_root=True), Call("/lora-adapters", at_root=True)

    def described(self, body: bytes, served: Served) -> Served:
        """The model with its window and tools, or with its adapters."""
        answer = decoded(_DESCRIBED, body, "a description of the model")
        if isinstance(answer, list):
            ordered = sorted(answer, key=lambda adapter: adapter.id)
            return replace(served, adapters=tuple(PurePath(adapter.path).stem for adapter in ordered))
        slot, caps = answer.default_generation_settings, answer.chat_template_caps
        return replace(
            served,
            context_tokens=(slot.n_ctx if slot is not None else None) or served.context_tokens,
            native_tools=caps.supports_tools if caps is not None else served.native_tools,
        )

    def counting(self, request: ModelRequest, *, model: str) -> Call | None:
        """``POST /apply-template``; its prompt is then counted by ``/tokenize``."""
        body: dict[str, Any] = {"messages": [said(message) for message in request.messages]}
        if request.tools:
            body["tools"] = [tool(spec) for spec in request.tools]
        if request.continue_last:
            body |= going_on()
        return Call("/apply-template", encoded(body), at_root=True)

    def counted(self, body: bytes) -> int | Call:
        """The call that counts the prompt, then the count."""
        answer = decoded(_COUNTING, body, "a count of tokens")
        if answer.tokens is not None:
            return len(answer.tokens)
        asked = {"content": answer.prompt or "", "add_special": True, "parse_special": True}
        return Call("/tokenize", encoded(asked), at_root=True)

    def refusal(self, status: int, body: bytes, *, model: str) -> Exception | None:
        """A prompt that is too long is refused with both numbers."""
        try:
            refused = _REFUSAL.decode(body).error
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        if refused.type != "exceed_context_size_error":
            return None
        over = refused.n_prompt_tokens - refused.n_ctx if refused.n_prompt_tokens and refused.n_ctx else None
        return ContextTooLong(
            f"The engine refused a prompt that does not fit the window of {model} ({error_text(body)}); "
            "shorten the messages.",
            over,
        )
