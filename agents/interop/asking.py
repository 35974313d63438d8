"""Owns the way between a call as other frameworks put it (OpenAI's shapes, settings by name) and a `ModelRequest`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from ...runtime.errors import InvalidRequest, ModelError
from ..model import Message, ModelRequest, Role, ToolCall, ToolChoice, ToolSpec

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "tool": "tool",
    "function": "tool",
}
_WORDLESS = ("tool_use", "tool_call", "function_call", "reasoning", "thinking", "redacted_thinking")
_NOT_SETTINGS = ("messages", "tools", "tool_choice")


def request_of(
    messages: Sequence[Message],
    *settings: Mapping[str, Any],
    tools: tuple[ToolSpec, ...] = (),
    tool_choice: ToolChoice = "auto",
) -> ModelRequest:
    """The request for these messages; later `settings` (fields of `ModelRequest`) win, those that are None count for nothing.

    Raises `InvalidRequest`: there is no setting of that name, or there are no messages.
    """
    if not messages:
        raise InvalidRequest("A model call needs at least one message; there is none.")
    said = {name: value for given in settings for name, value in given.items() if value is not None}
    known = [field.name for field in fields(ModelRequest) if field.name not in _NOT_SETTINGS]
    if unknown := [name for name in said if name not in known]:
        raise InvalidRequest(
            f"{', '.join(unknown)}: not a setting of a model call; there are {', '.join(known)}."
        )
    for name in ("stop", "choices"):
        if name in said:
            said[name] = (said[name],) if isinstance(said[name], str) else tuple(said[name])
    if tools and tool_choice != "none":
        said |= {"tools": tools, "tool_choice": tool_choice}
    return ModelRequest(tuple(messages), **said)


def text_of(content: object, place: str) -> str:
    """The words in a message's content, be it a text or a list of blocks.

    Raises `InvalidRequest`: it carries an image, a sound or a file.
    """
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, Iterable):
        return str(content)
    pieces: list[str] = []
    for block in content:
        if isinstance(block, str):
            pieces.append(block)
        elif isinstance(block, Mapping) and isinstance(block.get("text"), str):
            pieces.append(block["text"])
        elif not (isinstance(block, Mapping) and block.get("type") in _WORDLESS):
            kind = block.get("type", "block") if isinstance(block, Mapping) else type(block).__name__
            raise InvalidRequest(
                f"{place} carries something other than text ({kind}); this client sends text only."
            )
    return "".join(pieces)


def message_of(said: Mapping[str, Any], place: str = "a message") -> Message:
    """A message in OpenAI's shape as ours. Raises `InvalidRequest`: its role or its tool calls cannot be read."""
    role = _ROLES.get(str(said.get("role")))
    if role is None:
        raise InvalidRequest(
            f"{place} has the role {said.get('role')!r}; there are system, user, assistant and tool."
        )
    calls = tuple(tool_call_of(call, InvalidRequest) for call in said.get("tool_calls") or ())
    return Message(role, text_of(said.get("content"), place), calls, str(said.get("tool_call_id") or ""))


def said_of(message: Message) -> dict[str, Any]:
    """Our message in OpenAI's shape."""
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        said["tool_calls"] = [said_call(call) for call in message.tool_calls]
    if message.tool_call_id:
        said["tool_call_id"] = message.tool_call_id
    return said


def tool_call_of(said: Any, error: type[Exception] = ModelError) -> ToolCall:
    """A tool call in OpenAI's shape, as a dictionary or an object, as ours; `error` is raised where it is none."""
    function = _get(said, "function") or said
    name = _get(function, "name")
    if not name:
        raise error(f"A tool call names no tool: {str(said)[:120]}.")
    given = _get(function, "arguments")
    return ToolCall(str(_get(said, "id") or ""), str(name), arguments_of(given, str(name), error))


def arguments_of(given: object, tool: str, error: type[Exception] = ModelError) -> dict[str, Any]:
    """A tool call's arguments, read from JSON where they are text; `error` is raised where they are no object."""
    value: Any = given
    if isinstance(given, str):
        try:
            value = json.loads(given) if given.strip() else {}
        except ValueError as problem:
            raise error(f"The arguments for {tool} are not valid JSON ({problem}): {given[:80]!r}.") from None
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise error(f"The arguments for {tool} are no JSON object: {str(given)[:80]!r}.")
    return dict(value)


def said_call(call: ToolCall) -> dict[str, Any]:
    """Our tool call in OpenAI's shape."""
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def tool_of(said: Mapping[str, Any]) -> ToolSpec:
    """A tool in OpenAI's shape, with or without the "function" around it, as ours."""
    function = said.get("function", said)
    parameters = dict(function.get("parameters") or {"type": "object", "properties": {}})
    return ToolSpec(str(function["name"]), str(function.get("description") or ""), parameters)


def said_tool(tool: ToolSpec) -> dict[str, Any]:
    """Our tool in OpenAI's shape."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def chosen(tools: tuple[ToolSpec, ...], choice: object) -> tuple[tuple[ToolSpec, ...], ToolChoice]:
    """The tools that may be called, and whether one must be, from the words that frameworks have for it.

    A tool's name, or OpenAI's object that names one, leaves only that tool. Raises `InvalidRequest`: there is none
    of that name.
    """
    if isinstance(choice, Mapping):
        choice = choice.get("function", choice).get("name") or choice.get("type")
    if choice is None or choice == "auto":
        return tools, "auto"
    if choice is False or choice == "none":
        return tools, "none"
    if choice is True or choice in ("any", "required"):
        return tools, "required"
    named = tuple(tool for tool in tools if tool.name == choice)
    if not named:
        raise InvalidRequest(
            f"There is no tool {choice!r} to be called; there are {', '.join(t.name for t in tools) or 'none'}."
        )
    return named, "required"


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
