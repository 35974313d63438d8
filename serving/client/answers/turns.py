"""Owns a conversation with tools, told in plain turns, for models whose template knows none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ....agents.model import Message


def speaks_of_tools(messages: Iterable[Message]) -> bool:
    """Whether any of the messages is a tool's call or its result."""
    return any(message.tool_calls or message.role == "tool" for message in messages)


def plain(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The same conversation without tool messages: calls as the model writes them, results as what it is told."""
    names: dict[str, str] = {}
    made: list[Message] = []
    for message in messages:
        if message.role == "tool":
            name = names.get(message.tool_call_id, "the tool")
            made.append(Message("user", f"Result of {name}: {message.content}"))
        elif message.tool_calls:
            names |= {call.id: call.name for call in message.tool_calls}
            calls = [call_text(call.name, call.arguments) for call in message.tool_calls]
            text = "\n".join([*([message.content] if message.content else []), *calls])
            made.append(Message("assistant", text))
        else:
            made.append(message)
    return joined(made)


def joined(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages, those of one speaker in a row made one: many templates want speakers to take turns."""
    made: list[Message] = []
    for message in messages:
        mergeable = message.role in ("user", "assistant") and not message.tool_calls
        if made and mergeable and made[-1].role == message.role and not made[-1].tool_calls:
            made[-1] = replace(made[-1], content=f"{made[-1].content}\n\n{message.content}")
        else:
            made.append(message)
    return tuple(made)


def call_text(name: str, arguments: dict[str, Any]) -> str:
    """A call as the model writes it."""
    return json.dumps({"tool": name, "arguments": arguments}, ensure_ascii=False, separators=(",", ":"))
