"""Approval: what a person is asked before a task begins, and what may be said to it."""

from __future__ import annotations

import json

from pydantic import JsonValue

from ..context import RunContext
from ..errors import Rejected
from ..events import Answer
from ..graph import Task, TaskResult

_NAME = "approve"


async def approved(ctx: RunContext, task: Task, args: JsonValue) -> Answer:
    """A person's word on whether this task may begin with these arguments (of a map: a list, one for each entry).

    An edit gives arguments of the same form instead; one that does not is asked for again, saying so. An answer is
    the task's result, and nothing is begun.

    Raises:
        Suspended: nobody has answered yet.
        Rejected: somebody said no.
    """
    whole = task.each is not None
    question = f"May task {task.id!r} begin? It is to: {task.description}"
    about = {"agent": task.agent, "tool": task.tool, "args": args, "description": task.description}
    answer = await ctx.ask(question, about=about, choices=("approve", "edit", "answer", "reject"), name=_NAME)
    while answer.decision == "edit" and not _usable(answer.value, whole):
        wanted = "a list of objects, the arguments of each entry" if whole else "an object with all arguments"
        again = f"That edit cannot be used: it has to be {wanted}. {question}"
        answer = await ctx.ask(
            again, about=about, choices=("approve", "edit", "answer", "reject"), name=_NAME
        )
    if answer.decision == "reject":
        by = answer.by or "a person"
        raise Rejected(f"{by} said no" + (f": {answer.note}" if answer.note else ""))
    return answer


def answered(value: JsonValue) -> TaskResult:
    """What a person gave as a task's result."""
    return TaskResult(
        value=value, text=value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    )


def _usable(value: JsonValue, whole: bool) -> bool:
    if whole:
        return isinstance(value, list) and all(isinstance(part, dict) for part in value)
    return isinstance(value, dict)
