"""Owns messages and tools on their way between langchain-core and ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCall as LangChainToolCall

from ....runtime.errors import ModelError
from ...model import FinishReason, Message, ModelReply, ToolCall, Usage
from ..asking import message_of, text_of

_ROLES = {"system": "system", "human": "user", "ai": "assistant", "tool": "tool", "function": "tool"}
_FINISH: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "filtered",
    "safety": "filtered",
    "cancelled": "cancelled",
}


def ours(messages: Sequence[BaseMessage]) -> list[Message]:
    """Their messages as ours. Raises `InvalidRequest`: one carries something other than text."""
    return [_ours(message, f"message {place}") for place, message in enumerate(messages, start=1)]


def _ours(message: BaseMessage, place: str) -> Message:
    if isinstance(message, ChatMessage):
        return message_of({"role": message.role, "content": message.content}, place)
    role = _ROLES.get(message.type.removesuffix("MessageChunk").lower(), message.type)
    said = message_of({"role": role, "content": text_of(message.content, place)}, place)
    if isinstance(message, AIMessage):
        calls = tuple(ToolCall(c["id"] or "", c["name"], dict(c["args"])) for c in message.tool_calls)
        return Message("assistant", said.content, calls)
    if isinstance(message, ToolMessage):
        return Message("tool", said.content, (), message.tool_call_id)
    return said


def theirs(messages: Sequence[Message]) -> list[BaseMessage]:
    """Our messages as theirs."""
    return [_theirs(message) for message in messages]


def _theirs(message: Message) -> BaseMessage:
    if message.role == "assistant":
        return AIMessage(message.content, tool_calls=[_call(call) for call in message.tool_calls])
    if message.role == "tool":
        return ToolMessage(message.content, tool_call_id=message.tool_call_id)
    return SystemMessage(message.content) if message.role == "system" else HumanMessage(message.content)


def _call(call: ToolCall) -> LangChainToolCall:
    return LangChainToolCall(name=call.name, args=call.arguments, id=call.id, type="tool_call")


def usage_metadata(usage: Usage) -> UsageMetadata:
    """Our usage as theirs."""
    return UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        input_token_details={"cache_read": usage.cached_tokens},
    )


def response_metadata(reply: ModelReply) -> dict[str, Any]:
    """What is known of a reply beside its words."""
    return {
        "model_name": reply.model,
        "finish_reason": reply.finish_reason,
        "model_provider": "crewgraph",
    }


def message_for(reply: ModelReply) -> AIMessage:
    """Our reply as their message."""
    return AIMessage(
        reply.text,
        tool_calls=[_call(call) for call in reply.tool_calls],
        usage_metadata=usage_metadata(reply.usage),
        response_metadata=response_metadata(reply),
    )


def reply_for(message: AIMessage, name: str) -> ModelReply:
    """Their message as our reply. Raises `ModelError`: a tool call in it cannot be read."""
    if message.invalid_tool_calls:
        call = message.invalid_tool_calls[0]
        raise ModelError(
            f"The arguments for {call['name']} that {name} wrote are not valid JSON: {str(call['args'])[:80]!r}."
        )
    told: Mapping[str, Any] = message.response_metadata
    calls = tuple(ToolCall(c["id"] or "", c["name"], dict(c["args"])) for c in message.tool_calls)
    reason = str(told.get("finish_reason") or told.get("stop_reason") or told.get("done_reason") or "stop")
    finish = "tool_calls" if calls else _FINISH.get(reason.lower(), "stop")
    return ModelReply(
        text_of(message.content, "the reply"),
        finish,
        _usage(message),
        str(told.get("model_name") or told.get("model") or name),
        calls,
    )


def _usage(message: AIMessage) -> Usage:
    used = message.usage_metadata
    if used is None:
        return Usage()
    cached = (used.get("input_token_details") or {}).get("cache_read") or 0
    return Usage(used["input_tokens"], used["output_tokens"], cached)
