"""Approval: a person is asked before a tool is called, and may say yes, say otherwise, or say no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..runtime.errors import Rejected, ToolArgumentError, ToolError
from .effects import given

if TYPE_CHECKING:
    from ..runtime.context import RunContext
    from .tool import Tool


def needs_approval(tool: Tool, arguments: Mapping[str, Any]) -> bool:
    """Whether a person is asked before this call.

    Raises:
        ToolError: the author's rule failed; nothing was called.
    """
    if not callable(tool.approval):
        return tool.approval
    try:
        return bool(tool.approval(**given(tool.approval, tool.values(arguments))))
    except Exception as error:
        raise ToolError(
            f"The approval rule of the tool {tool.name} failed ({type(error).__name__}: {error}): nothing was called."
        ) from error


async def approved(
    tool: Tool, arguments: Mapping[str, Any], ctx: RunContext, agent: str = ""
) -> Mapping[str, Any]:
    """The arguments to call the tool with, once whoever has to agree has agreed to them.

    They stand in what the question is about, not in its words: there, secrets among them are found and taken out.
    An edit takes the place of all the arguments. One that does not fit is asked about again, with the correction.

    Raises:
        Rejected: a person said no; the message holds their words.
        Suspended: nobody has answered yet.
        ToolError: the author's rule failed.
    """
    if not needs_approval(tool, arguments):
        return arguments
    who = agent or (f"task {ctx.task_id}" if ctx.task_id else "the run")
    question = f"May {who} call the tool {tool.name}?"
    while True:
        answer = await ctx.ask(
            question,
            about={"tool": tool.name, "arguments": dict(arguments), "agent": agent},
            choices=("approve", "edit", "reject"),
            name=f"approve:{tool.name}",
        )
        if answer.decision == "approve":
            return arguments
        if answer.decision == "reject":
            by = f" by {answer.by}" if answer.by else ""
            raise Rejected(
                f"The call of {tool.name} was rejected{by}{f': {answer.note}' if answer.note else '.'}"
            )
        if not isinstance(answer.value, Mapping):
            question = f"An edit gives all arguments of {tool.name} as one object: {answer.value!r} is none. What are they?"
            continue
        try:
            tool.check(answer.value)
        except ToolArgumentError as error:
            question = f"The edited arguments do not fit ({error}). What are they?"
            continue
        return dict(answer.value)
