"""Doubling: what happens once and is asked for twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import combinations

from ....agents.crew import Crew
from ....runtime.errors import ToolArgumentError
from ....runtime.graph import ITEM, Task, references, resolve
from ....tools.tool import Tool
from ...plan import Finding
from ..sources import refers
from .passing import Case


def doubled_calls(tasks: Sequence[Task], crew: Crew, ways: Sequence[Case]) -> Iterator[Finding]:
    """Two calls of a `once` tool with the same arguments, unless conditions begin only one of them."""
    calls: dict[str, list[Task]] = {}
    for task in tasks:
        tool = crew.toolset[task.tool] if task.tool is not None and task.tool in crew.toolset else None
        if tool is None or tool.effect != "once":
            continue
        calls.setdefault(_call(task, tool), []).append(task)
        yield from _entries(task, tool)
    for alike in calls.values():
        for one, other in combinations(alike, 2):
            if not ways or any(one.id not in case and other.id not in case for case in ways):
                yield Finding(
                    task=other.id,
                    problem=f"it calls {other.tool} as {one.id} does, and what that does would happen twice",
                    mend=f"drop it, or let its arguments differ from those of {one.id}",
                )


def _entries(task: Task, tool: Tool) -> Iterator[Finding]:
    """A task that makes the same call for several entries of its list."""
    if task.each is None:
        return
    if not any(ref.task == ITEM for ref in references(task.args)):
        if not isinstance(task.each, list) or len(task.each) > 1:
            yield Finding(
                task=task.id,
                problem=f"it calls {tool.name} with the same arguments for each entry, and it would happen every time",
                mend=f'let an argument be "${ITEM}", or leave `each` out',
            )
        return
    if isinstance(task.each, list):
        said = [json.dumps(entry, sort_keys=True) for entry in task.each]
        twice = next((entry for entry in said if said.count(entry) > 1), None)
        if twice is not None:
            yield Finding(
                task=task.id,
                problem=f"{twice} stands twice in what it calls {tool.name} for, and it would happen twice",
                mend="name each entry once",
            )


def _call(task: Task, tool: Tool) -> str:
    """Equal for calls that are the same, defaults and spellings of one value counted in."""
    args: object = task.args
    if not refers(task.args) and task.each is None:
        try:
            args = tool.check(resolve(task.args, {})).model_dump(mode="json")
        except ToolArgumentError:
            pass  # said where arguments are looked at
        except Exception:  # its own serializer breaks; what is written is compared then
            args = task.args
    return json.dumps([tool.name, args, task.each], sort_keys=True, default=repr)
