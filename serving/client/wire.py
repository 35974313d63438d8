"""Owns what goes over the wire: request bodies for each kind of engine, and what their answers mean."""

from __future__ import annotations

import json
from typing import Any, Literal

from ...agents.model import FinishReason, ModelReply, ModelRequest, Usage
from ...runtime.errors import InvalidRequest, ModelError

EngineKind = Literal["llamacpp", "vllm", "openai"]
"""Dialects of the OpenAI chat API; "openai" is the part that every server understands."""

CHOICE_KEY = "choice"
"""The one property of the object that carries a choice where an engine only knows JSON schemas."""

_FINISH: dict[str, FinishReason] = {"length": "length", "abort": "cancelled", "cancelled": "cancelled"}


def kind_of(models_answer: dict[str, Any]) -> EngineKind:
    """Which dialect a server speaks, from its answer to ``GET /v1/models``."""
    owners = {str(entry.get("owned_by", "")).lower() for entry in models_answer.get("data") or []}
    if "llamacpp" in owners or "llama.cpp" in owners:
        return "llamacpp"
    return "vllm" if "vllm" in owners else "openai"


def request_body(
    request: ModelRequest, *, model: str, kind: EngineKind, max_tokens: int, stream: bool
) -> dict[str, Any]:
    """The JSON body of one chat completion.

    Carries `response_format` or the engine's own choice constraint, never tools: vLLM applies only one of the
    two when both are sent. Raises `InvalidRequest` when both `schema` and `choices` are given.
    """
    if request.schema is not None and request.choices:
        raise InvalidRequest(
            "A model request is constrained by a schema or by choices, not by both; drop one."
        )
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "max_tokens": max_tokens,
        "temperature": request.temperature,
        "stream": stream,
    }
    if request.seed is not None:
        body["seed"] = request.seed
    if request.stop:
        body["stop"] = list(request.stop)
    if stream:
        body["stream_options"] = {"include_usage": True}
    if request.schema is not None:
        body["response_format"] = _response_format("reply", request.schema)
    elif request.choices:
        body |= _choice_constraint(request.choices, kind)
    return body


def _response_format(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


def _choice_constraint(choices: tuple[str, ...], kind: EngineKind) -> dict[str, Any]:
    if kind == "vllm":
        return {"structured_outputs": {"choice": list(choices)}}
    if kind == "llamacpp":
        return {"grammar": choice_grammar(choices)}
    schema = {
        "type": "object",
        "properties": {CHOICE_KEY: {"type": "string", "enum": list(choices)}},
        "required": [CHOICE_KEY],
        "additionalProperties": False,
    }
    return {"response_format": _response_format(CHOICE_KEY, schema)}


def choice_grammar(choices: tuple[str, ...]) -> str:
    """GBNF (llama.cpp's grammar notation) that accepts exactly the given texts."""
    return "root ::= " + " | ".join(_literal(choice) for choice in choices)


def _literal(text: str) -> str:
    special = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(special.get(char, char) for char in text) + '"'


def unwrap_choice(text: str, kind: EngineKind) -> str:
    """The choice inside a reply: the text itself, or the one property of the object that wraps it."""
    if kind != "openai":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return str(value.get(CHOICE_KEY, text)) if isinstance(value, dict) else text


def usage_of(answer: dict[str, Any]) -> Usage:
    """Tokens as the engine counted them; zeros where it did not say."""
    usage = answer.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
        cached_tokens=int(details.get("cached_tokens") or 0),
    )


def finish_of(reason: str | None) -> FinishReason:
    """An engine's word for why a reply ended, in ours."""
    return _FINISH.get(reason or "stop", "stop")


def reply_of(answer: Any) -> ModelReply:
    """The reply in a whole chat completion. Raises `ModelError` when it is not one."""
    try:
        choice = answer["choices"][0]
        text = choice["message"].get("content") or ""
        return ModelReply(
            text=text,
            finish_reason=finish_of(choice.get("finish_reason")),
            usage=usage_of(answer),
            model=str(answer.get("model") or ""),
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The engine's answer is not a chat completion ({str(answer)[:120]}); "
            "check that the URL names an OpenAI-compatible server."
        ) from error


def error_text(body: str) -> str:
    """The message inside an engine's error answer, cut to one short line."""
    text = body
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if isinstance(value, dict):
        error = value.get("error", value)
        inner = error.get("message", error) if isinstance(error, dict) else error
        text = str(inner if inner is not value else value.get("detail", value))
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:297] + "..."
