"""Owns messages on their way between AutoGen and ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

# AutoGen is an extra: where it is not installed, checkers take its names for Any.
from autogen_core import FunctionCall  # pyright: ignore[reportMissingImports]  # an extra
from autogen_core.models import (  # pyright: ignore[reportMissingImports]  # an extra
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    SystemMessage,
    UserMessage,
)

from ....runtime.errors import InvalidRequest
from ...model import Message, ToolCall
from ..asking import arguments_of, text_of


def ours(messages: Sequence[Any], name_speakers: bool = False) -> list[Message]:
    """Their messages as ours. Raises `InvalidRequest`: one carries an image, or a call that cannot be read."""
    return [
        one for place, message in enumerate(messages, start=1) for one in _ours(message, place, name_speakers)
    ]


def _ours(message: Any, place: int, name_speakers: bool) -> list[Message]:
    content = message.content
    if isinstance(message, FunctionExecutionResultMessage):
        return [Message("tool", result.content, (), result.call_id) for result in content]
    if isinstance(message, AssistantMessage) and isinstance(content, list):
        calls = (
            ToolCall(call.id, call.name, arguments_of(call.arguments, call.name, InvalidRequest))
            for call in content
        )
        return [Message("assistant", message.thought or "", tuple(calls))]
    text = text_of(content, f"message {place}")
    if isinstance(message, SystemMessage):
        return [Message("system", text)]
    if isinstance(message, AssistantMessage):
        return [Message("assistant", text)]
    return [Message("user", f"{message.source}: {text}" if name_speakers else text)]


def theirs(messages: Sequence[Message]) -> list[Any]:
    """Our messages as theirs; results of one call of several tools come together, as AutoGen has them."""
    said: list[Any] = []
    names: dict[str, str] = {}
    for message in messages:
        if message.role == "system":
            said.append(SystemMessage(content=message.content))
        elif message.role == "user":
            said.append(UserMessage(content=message.content, source="user"))
        elif message.role == "assistant":
            names |= {call.id: call.name for call in message.tool_calls}
            said.append(_answer(message))
        else:
            result = FunctionExecutionResult(
                content=message.content,
                name=names.get(message.tool_call_id, ""),
                call_id=message.tool_call_id,
                is_error=False,
            )
            if said and isinstance(said[-1], FunctionExecutionResultMessage):
                said[-1].content.append(result)
            else:
                said.append(FunctionExecutionResultMessage(content=[result]))
    return said


def _answer(message: Message) -> Any:
    if not message.tool_calls:
        return AssistantMessage(content=message.content, source="assistant")
    calls = [
        FunctionCall(id=call.id, name=call.name, arguments=json.dumps(call.arguments, ensure_ascii=False))
        for call in message.tool_calls
    ]
    return AssistantMessage(content=calls, thought=message.content or None, source="assistant")
