"""Items: tasks as a model writes them, and the two ways between those and the tasks of a graph."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ....agents.crew import Crew
from ....runtime.graph import ITEM, Reference, Task
from ....tools.text import tokens
from ....tools.tool import Tool
from ....tools.toolset import Toolset
from ...plan import ANSWER, Finding

_NUMBERED = re.compile(r"t(\d+)")


def first_number(stands: Iterable[Task]) -> int:
    """The number of the first task behind these: ids of tasks that a model writes are t1, t2, …."""
    numbers = [int(found[1]) for task in stands if (found := _NUMBERED.fullmatch(task.id))]
    return max(numbers, default=0) + 1


class Unreadable(Exception):
    """What a model wrote is no task; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


def items_of(text: str) -> list[Any]:
    """The tasks in a whole reply. Raises `Unreadable`."""
    try:
        written = json.loads(text)
    except (ValueError, RecursionError):
        written = None
    found = written.get("tasks") if isinstance(written, dict) else None
    if not isinstance(found, list):
        said = 'write one JSON object of the form {"tasks": [...]}'
        raise Unreadable(Finding(task="-", problem="it is not a plan in JSON", mend=said))
    return found


def task_of(item: Any, number: int, crew: Crew, known: Iterable[str] = ()) -> Task:
    """One written task as a task of a graph, called t and its number. `known` are the ids that there are besides.

    Raises:
        Unreadable: it is none.
    """
    task_id = f"t{number}"
    try:
        return _task(item, task_id, crew, frozenset(known))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        problem = f"{where} cannot be read ({first['msg']})"
    except (TypeError, KeyError, AttributeError, ValueError):
        problem = f"it is written in another form: {json.dumps(item, ensure_ascii=False)[:120]}"
    raise Unreadable(Finding(task=task_id, problem=problem, mend="write the task in the form that was shown"))


def _task(item: Mapping[str, Any], task_id: str, crew: Crew, known: frozenset[str]) -> Task:
    if "tool" not in item:
        after = [ref.task for text in item.get("after", ()) if (ref := Reference.parse(text)) is not None]
        return Task(id=task_id, description=item["task"], agent=item["agent"], depends_on=tuple(after))
    name = item["tool"]
    args = {key: _escaped(value, known) for key, value in item.get("args", {}).items()}
    said: dict[str, Any] = {
        "id": task_id,
        "description": f"{name}: {', '.join(map(str, item.get('args', {}).values()))}",
        "agent": item.get("agent") or (doer(crew, crew.toolset[name]) if name in crew.toolset else None),
        "tool": name,
        "args": args,
        "each": item.get("each"),
        "when": item.get("when"),
        "approval": item.get("needs_approval", False),
        "allowance": item.get("budget"),
        "optional": item.get("optional", False),
    }
    return Task.model_validate(said)


def item_of(task: Task, crew: Crew, names: Mapping[str, str]) -> dict[str, Any] | None:
    """A task as a model would write it, `names` telling how those it refers to are called; None where it could not."""
    if any(need not in names for need in task.needs):
        return None
    if task.tool is None:
        after = [f"${names[need]}" for need in task.needs]
        return {"agent": task.agent, "task": task.description} | ({"after": after} if after else {})
    if task.tool not in crew.toolset:
        return None
    item: dict[str, Any] = {"tool": task.tool}
    if task.agent is not None and task.agent != doer(crew, crew.toolset[task.tool]):
        item["agent"] = task.agent
    if task.each is not None:
        item["each"] = _renamed(task.each, names)
    item["args"] = _renamed(task.args, names)
    if task.when is not None:
        item["when"] = _renamed(task.when.model_dump(mode="json", exclude_none=True), names)
    if task.approval:
        item["needs_approval"] = True
    if task.allowance is not None:
        item["budget"] = task.allowance.model_dump(mode="json", exclude_none=True)
    if task.optional:
        item["optional"] = True
    return item


def written(tasks: Sequence[Task], crew: Crew, *, words: bool = False) -> str | None:
    """A plan as a model would write it, without the task that answers; None where this crew could not carry it out.

    With `words`, plans may have tasks that agents work out by themselves.
    """
    names: dict[str, str] = {}
    items: list[dict[str, Any]] = []
    for task in tasks:
        if task is tasks[-1] and task.tool is None:
            continue
        item = item_of(task, crew, names) if words or task.tool is not None else None
        if item is None:
            return None
        names[task.id] = f"t{len(items) + 1}"
        items.append(item)
    return as_text(items)


def as_text(items: Sequence[Mapping[str, Any]]) -> str:
    """Written tasks as the JSON that a model writes: without whitespace, as engines have it write."""
    return json.dumps({"tasks": list(items)}, ensure_ascii=False, separators=(",", ":"))


def answer_task(crew: Crew, request: str, tasks: Sequence[Task], *, without: Iterable[str] = ()) -> Task:
    """The task that answers from all ends of these; those in `without` have no result."""
    lost = frozenset(without)
    kept = [task for task in tasks if task.id not in lost]
    needed = {need for task in kept for need in task.needs}
    ends = tuple(task.id for task in kept if task.id not in needed)
    said = f"Answer the request: {request[:200]}"
    return Task(id=ANSWER, description=said, agent=crew.agents[-1].role, depends_on=ends)


def doer(crew: Crew, tool: Tool) -> str:
    """The agent for a tool: of those that hold it as their own, else of all that may use it, the one whose goal is
    nearest."""
    may = list(crew.holders(tool))
    own = [a for a in may if tool.name in Toolset(a.tools)] or may or [crew.agents[-1]]
    about = set(tokens(f"{tool.name} {tool.description}"))
    return max(own, key=lambda a: len(about & set(tokens(a.description)))).role


def _escaped(value: Any, known: frozenset[str]) -> Any:
    """Texts that only look like references (``$100``) as the texts they are."""
    if isinstance(value, dict):
        return {key: _escaped(part, known) for key, part in value.items()}
    if isinstance(value, list):
        return [_escaped(part, known) for part in value]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    ref = Reference.parse(value)
    meant = ref is not None and (ref.task in known or ref.task == ITEM or _NUMBERED.fullmatch(ref.task))
    return value if meant else f"${value}"


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part, names) for part in value]
    ref = Reference.parse(value)
    if ref is not None and ref.task in names:
        return "$" + ".".join((names[ref.task], *ref.path))
    return value[1:] if isinstance(value, str) and value.startswith("$$") else value
