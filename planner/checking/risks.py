"""Risks: calls with an effect on the world that nobody has asked for in so many words.

A call with an effect is risky where

- an argument comes from text that a model writes, or from the result of another task, rather than from the request;
- an argument was written by the planner and stands nowhere in the request;
- it is made for every entry of a list that is not known before;
- what it writes is not known before, though the tool says what it depends on.

Where the tool asks a person itself (`approval`), or the author of the crew fixed the call, nothing is added.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from ...agents.crew import Crew
from ...runtime.graph import ITEM, Reference, Task, references
from ...tools.tool import Tool
from ..plan import Finding

Risky = Literal["ask", "note", "allow"]
"""What is done about a risky step: a person is asked before it, it is only said, or nothing."""

_WORD = re.compile(r"\w+")
_PLACE = re.compile(r"\{(\w+)\}")


def approved_risks(
    tasks: Sequence[Task], crew: Crew, *, risky: Risky, said: str = ""
) -> tuple[tuple[Task, ...], list[Finding]]:
    """The tasks, the risky ones marked for approval where that is wished for, and what is risky about each.

    `said` is what the user said, request and history; without it no argument counts as made up.
    """
    if risky == "allow":
        return tuple(tasks), []
    known = {task.id: task for task in tasks}
    fixed = {task.id for task in crew.tasks if task.tool is not None}
    found: list[Finding] = []
    made: list[Task] = []
    for task in tasks:
        why = [] if task.id in fixed or task.approval else list(risks(task, known, crew, said=said))
        if why:
            ask = risky == "ask"
            found.append(
                Finding(
                    task=task.id,
                    problem=f"{task.tool} has an effect, and {'; '.join(why)}",
                    mend="a person is asked before it"
                    if ask
                    else "let a person agree to it first (`approval`)",
                    severity="mended" if ask else "note",
                )
            )
            made.append(task.model_copy(update={"approval": True}) if ask else task)
        else:
            made.append(task)
    return tuple(made), found


def risks(task: Task, tasks: Mapping[str, Task], crew: Crew, *, said: str = "") -> Iterator[str]:
    """Why a person should look at a task before it begins, one reason after the other; none where nobody need."""
    tool = crew.toolset[task.tool] if task.tool is not None and task.tool in crew.toolset else None
    if tool is None or tool.effect == "read_only" or tool.approval is not False:
        return
    for name, value in task.args.items():
        refs = list(references(value))
        given = [giver for ref in refs if (giver := _giver(ref, task, tasks)) is not None]
        if any(giver.tool is None for giver in given):
            yield f"its {name} is text that a model writes"
        elif given:
            yield f"its {name} comes from the result of {given[0].id}"
        elif said and not refs and not _stands(value, name, tool, said):
            yield f"its {name} stands nowhere in the request"
    if task.each is not None and not isinstance(task.each, list):
        yield "it is called for a list that nobody has seen yet"
    open_places = {name for name, value in task.args.items() if any(True for _ in references(value))}
    for template in tool.traits.writes:
        if open_places & set(_PLACE.findall(template)):
            yield f"what it writes ({template}) is not known before"
            return


def _giver(ref: Reference, task: Task, tasks: Mapping[str, Task]) -> Task | None:
    """The task that a value comes from; of an entry, the one that gave the list."""
    if task.each is not None and ref.task == ITEM:
        inner = next(references(task.each), None)
        return tasks.get(inner.task) if inner is not None else None
    return tasks.get(ref.task)


def _stands(value: Any, name: str, tool: Tool, said: str) -> bool:
    """Whether an argument is in what was said: word for word, by a name of the option, or as it is by default."""
    if isinstance(value, list):
        return all(_stands(part, name, tool, said) for part in value)
    if isinstance(value, dict):
        return all(_stands(part, name, tool, said) for part in value.values())
    info = tool.args.model_fields.get(name)
    if value is None or isinstance(value, bool) or (info is not None and value == info.default):
        return True
    lower = said.lower()
    if isinstance(value, int | float):
        return value in _numbers(said)
    names: Collection[str] = next(
        ((option.value, *option.names) for option in tool.options.get(name, ()) if option.value == value),
        (str(value),),
    )
    return any(_plain(one) in _plain(lower) for one in names)


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


def _numbers(said: str) -> set[float]:
    from ..reading.reading import Reading

    return {float(number) for number, _ in Reading(said).numbers} | {
        float(digits) for digits in re.findall(r"\d+(?:\.\d+)?", said)
    }
