"""Owns tools offered under a schema, to models whose template knows none: the offer, the decision, the call in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ....agents.model import Message, ModelRequest, ToolCall, ToolSpec
from .forms.schemas import MANY, NAMED, ONE
from .turns import joined, plain

_ANSWER = "answer"
_NOW_ANSWER = "Answer now in plain words, without calling a tool."


def decision(request: ModelRequest) -> ModelRequest:
    """The request that has the model name a tool and its arguments, or say that it will answer in words.

    "required" leaves it no answer. The offer stands at the end of the system message, the tools in the order of their
    names: so it is the same bytes in every call of a conversation, and the engine has read it already.
    """
    return replace(
        request, messages=_offering(request), tools=(), tool_choice="auto", schema=_decision_schema(request)
    )


def answer(request: ModelRequest) -> ModelRequest:
    """The request for the answer in words, once the model has decided for one. Begins with the same bytes."""
    messages = (*_offering(request), Message("user", _NOW_ANSWER))
    return replace(request, messages=joined(messages), tools=(), tool_choice="auto")


def decided(request: ModelRequest, value: Any) -> ToolCall | None:
    """The call in a decision that keeps its schema; None where it is to answer."""
    if value["tool"] == _answer_name(request.tools):
        return None
    name, arguments = str(value["tool"]), dict(value["arguments"])
    return ToolCall(call_id(name, arguments, len(request.messages)), name, arguments)


def call_id(name: str, arguments: dict[str, Any], place: int) -> str:
    """The id of a call: the same for the same call at the same place of a conversation."""
    said = json.dumps([name, arguments, place], sort_keys=True, separators=(",", ":"))
    return "call_" + hashlib.sha256(said.encode()).hexdigest()[:16]


def _offering(request: ModelRequest) -> tuple[Message, ...]:
    messages = plain(request.messages)
    offer = _offer(request)
    if messages and messages[0].role == "system":
        return (Message("system", f"{messages[0].content}\n\n{offer}"), *messages[1:])
    return (Message("system", offer), *messages)


def _offer(request: ModelRequest) -> str:
    lines = [
        f"- {tool.name}: {' '.join(tool.description.split())} Arguments: {_json(tool.parameters)}"
        for tool in _in_order(request.tools)
    ]
    to_answer = f' To answer without a tool, reply {{"tool":"{_answer_name(request.tools)}"}}.'
    return "\n".join(
        [
            "You can call these tools:",
            *lines,
            'To call one, reply {"tool":NAME,"arguments":{...}}.'
            + (to_answer if request.tool_choice != "required" else ""),
        ]
    )


def _decision_schema(request: ModelRequest) -> dict[str, Any]:
    tools = _in_order(request.tools)
    branches = [_branch(tool.name, {"$ref": f"#/$defs/{_escaped(tool.name)}"}) for tool in tools]
    if request.tool_choice != "required":
        branches.append(_branch(_answer_name(tools), None))
    definitions = {
        tool.name: {"type": "object", **_moved(tool.parameters, f"#/$defs/{_escaped(tool.name)}")}
        for tool in tools
    }
    form = {"anyOf": branches} if len(branches) > 1 else branches[0]
    return {**form, "$defs": definitions}


def _branch(name: str, arguments: dict[str, Any] | None) -> dict[str, Any]:
    properties: dict[str, Any] = {"tool": {"const": name}}
    if arguments is not None:
        properties["arguments"] = arguments
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _moved(schema: Any, to: str) -> Any:
    """The schema with its references to itself leading to where it stands now."""
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "$ref":
            made[key] = to + value.removeprefix("#")
        elif key in NAMED and isinstance(value, dict):
            made[key] = {name: _moved(part, to) for name, part in value.items()}
        elif key in MANY and isinstance(value, list):
            made[key] = [_moved(part, to) for part in value]
        elif key not in ("$id", "$schema"):
            made[key] = _moved(value, to) if key in ONE else value
    return made


def _in_order(tools: Sequence[ToolSpec]) -> list[ToolSpec]:
    return sorted(tools, key=lambda tool: tool.name)


def _answer_name(tools: Sequence[ToolSpec]) -> str:
    """The word for "no tool", which no tool is named."""
    names = {tool.name for tool in tools}
    word = _ANSWER
    while word in names:
        word += "_"
    return word


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
