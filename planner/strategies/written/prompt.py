"""Prompts: what a model is told that is to write a plan.

What is shared comes first, and is the same byte for byte: the crew's briefing, its agents, its tools with their types.
Then requests like this one with the plans that worked for them, then the conversation, and the request last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ....agents.crew import Crew
from ....agents.model import Message
from ....runtime.graph import Task, TaskResult
from ....tools.tool import Tool
from ....tools.values import Fact
from ...asked import Asked, SoFar
from ...checking.kinds import chosen, name_of, options
from .items import as_text, first_number, item_of, written
from .offers import Offers
from .results import bare, entry

_MAX_SHOWN = 12
_MAX_RESULT = 240
_MAX_EXAMPLES = 3
_RULES = """You plan work for a crew. Break the request into the fewest tasks that together answer it. Each task calls one tool.
Tasks are called t1, t2, … in the order in which you write them, and a task starts as soon as the results that it names are
there. Where an argument is the result of an earlier task, write "$t1", or "$t1.field" for one field of it. Such a reference
is a whole argument, never a part of a text. The answer itself is written afterwards from all results: plan no task for it.
A plan is written as {"tasks":[{"tool":"its name","args":{"argument":"value"}}]}."""
_ASK = "Write the plan as JSON."


def system(crew: Crew, tools: Sequence[Tool], rules: str = _RULES) -> Message:
    """The crew's part, the same for all of its requests."""
    agents = "\n".join(f"- {agent.description}" for agent in crew.agents)
    listed = "\n".join(f"- {signature(tool)}: {' '.join(tool.description.split())}" for tool in tools)
    parts = (crew.briefing.strip(), rules, f"Agents:\n{agents}", f"Tools:\n{listed or '(none)'}")
    return Message("system", "\n\n".join(part for part in parts if part))


def signature(tool: Tool) -> str:
    """A tool with the types of what it takes and gives: ``price(item: pen|ink) -> {value}``. What has a usual value is
    marked with a question mark."""
    taken = ", ".join(
        f"{name}{'' if info.is_required() else '?'}: {_kind(info.annotation, tool, name)}"
        for name, info in tool.args.model_fields.items()
    )
    return f"{tool.name}({taken}) -> {_result(tool.returns)}"


def examples(asked: Asked, *, words: bool) -> list[Message]:
    """Requests like this one, each with its plan in exactly the form that is asked for; only what this crew can do."""
    shown: list[Message] = []
    for example in asked.examples:
        text = written(example.tasks, asked.crew, words=words) if example.tasks else None
        if text is not None and len(shown) < 2 * _MAX_EXAMPLES:
            shown += [Message("user", f"Request: {example.request}\n{_ASK}"), Message("assistant", text)]
    return shown


def question(asked: Asked, offers: Offers, *, mapping: bool, ask: str = _ASK) -> str:
    """The request itself, and what may be said of its tasks beside their calls."""
    notes = [*_notes(offers, mapping=mapping), ask]
    return f"Request: {asked.request}\n" + "\n".join(notes)


def _notes(offers: Offers, *, mapping: bool) -> list[str]:
    found: list[str] = []
    if mapping:
        found.append(
            'To do a task once for every entry of a list that an earlier task gives: "each": "$t1.field", and "$item" '
            "in its arguments."
        )
    if offers.when:
        found.append(
            'To do a task only on a condition: "when": {"value": "$t1.field", "test": "above", "to": 5}.'
        )
    if offers.approval:
        found.append('Where a person must agree first: "needs_approval": true.')
    if offers.limits:
        found.append(
            f'A task may have a "budget" ({", ".join(offers.limits)}), and be "optional": true where the answer could do '
            "without it."
        )
    if offers.words:
        found.append(
            'To call a tool for several values of one argument, best write one task: "each": ["a", "b"], and "$item" for '
            "that argument; its result is the list of results."
        )
        found.append(
            'Where no tool does it, an agent can: {"agent": …, "task": what to do, "after": ["$t1"]}; '
            "only where it is needed."
        )
    return found


def changing(before: SoFar, stands: Sequence[Task]) -> str:
    """What came of a plan that has to be changed: what is done, what went wrong, and what is left to be planned."""
    lines = [f"An earlier plan could not be carried out. {before.reason}".strip()]
    if stands:
        lines.append("Done, and kept; refer to these results as they are called here:")
        lines += results(stands, before.results)
    lost = [task for task in before.tasks if task.id in before.failures]
    if lost:
        lines.append("What failed; do not plan the same call again:")
        lines += [f"- {call(task)}: {before.failures[task.id]}" for task in lost]
    if before.tried:
        lines.append(f"Given up before: {'; '.join(sorted(before.tried))[:1000]}")
    lines.append(f"Plan only what is still needed. The next task is t{first_number(stands)}.")
    return "\n".join(lines)


def standing(stands: Sequence[Task], crew: Crew) -> str:
    """Tasks that are under way and cannot be planned otherwise any more."""
    names = {task.id: task.id for task in stands}
    items = [item for task in stands if (item := item_of(task, crew, names)) is not None]
    return (
        f"These tasks are under way and stand as they are: {as_text(items)}\n"
        f"Write only the tasks that come behind them, the next one is t{first_number(stands)}; none where nothing is missing."
    )


def results(tasks: Iterable[Task], found: Mapping[str, TaskResult]) -> list[str]:
    """Results, each in one short line."""
    return [f"- {task.id} = {call(task)}: {short(found[task.id])}" for task in tasks if task.id in found]


def call(task: Task) -> str:
    """A task in one line: its call, or what it is about."""
    if task.tool is None:
        return task.description
    args = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in task.args.items())
    over = f" for each of {task.each}" if task.each is not None else ""
    return f"{task.tool}({args}){over}"


def short(result: TaskResult) -> str:
    """A result as a model is shown it: its JSON where that is short, else the words for it, cut where they are long."""
    text = json.dumps(result.value, ensure_ascii=False)
    if len(text) > _MAX_RESULT:
        text = " ".join(result.text.split()) or text
    return text if len(text) <= _MAX_RESULT else text[: _MAX_RESULT - 1] + "…"


def _kind(kind: Any, tool: Tool, name: str) -> str:
    if name in tool.options:
        values = [option.value for option in tool.options[name]]
        shown = "|".join(values[:_MAX_SHOWN]) + (
            f"|… {len(values)} values" if len(values) > _MAX_SHOWN else ""
        )
        return f"list of {shown}" if entry(kind) is not None else shown
    return _type(kind)


def _type(kind: Any) -> str:
    kind = bare(kind)
    plain = {str: "text", int: "whole number", float: "number", bool: "true|false", Any: "anything"}
    if isinstance(kind, type) and kind in plain:
        return plain[kind]
    if kind is Any:
        return "anything"
    if parts := [part for part in options(kind) if part is not type(None)]:
        return " or ".join(dict.fromkeys(map(_type, parts)))
    if (values := chosen(kind)) is not None:
        return "|".join(map(str, values[:_MAX_SHOWN]))
    inner = entry(kind)
    if inner is not None:
        return f"list of {_type(inner)}"
    if isinstance(kind, type) and issubclass(kind, Fact):
        return "a figure or text"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _fields(kind)
    return name_of(kind)


def _result(kind: Any) -> str:
    kind = bare(kind)
    if isinstance(kind, type) and issubclass(kind, Fact):
        return "{value: number or text}"
    return _type(kind)


def _fields(kind: type[BaseModel]) -> str:
    shown = [f"{name}: {_short_type(info.annotation)}" for name, info in kind.model_fields.items()]
    return f"{{{', '.join(shown[:_MAX_SHOWN])}}}"


def _short_type(kind: Any) -> str:
    """A field's type, without the fields inside of it."""
    kind = bare(kind)
    inner = entry(kind)
    if inner is not None:
        return f"list of {_short_type(inner)}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.__name__
    return _type(kind)
