"""Actions: what an agent with tools may do next, as a model is told of it and as it is held to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...tools.toolset import Toolset

FINISH = "finish"


def offer(toolset: Toolset, end: str = FINISH) -> str:
    """The tools, those that the whole crew has first: so agents' prompts begin alike."""
    listed = "\n".join(
        f"- {t.name}({', '.join(t.args.model_fields)}): {t.description}"
        for t in toolset.values()
        if not t.combines
    )
    until = f"; {end} when you know enough" if end else ""
    return f"You may use these tools, one at a time{until}:\n{listed}"


def action_schema(toolset: Toolset, end: str = FINISH) -> dict[str, Any]:
    """The JSON schema of one action: a tool with its arguments, or the `end`. Empty where there are no tools."""
    actions: list[dict[str, Any]] = []
    definitions: dict[str, Any] = {}
    for tool in toolset.values():
        if tool.combines:
            continue
        schema = tool.parameters
        definitions |= schema.pop("$defs", {})
        schema.pop("title", None)
        actions.append(closed({"tool": {"const": tool.name}, "args": schema}))
    if not actions:
        return {}
    actions.append(closed({"tool": {"const": end}}))
    return {"anyOf": actions} | ({"$defs": definitions} if definitions else {})


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
