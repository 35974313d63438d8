"""Options: what can be done in the place of one failed task without asking anybody, cheapest first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from ...runtime.graph import Task
from ...tools.tool import Tool
from ..asked import call_key
from .alternatives import doer, other_agents, same_tools, singular
from .failure import Failure, undone
from .state import State
from .wiring import Change, fresh, literal, reads

MOST_PARTS = 12
"""A call about more things than this is not split into one call for each."""

_LETTERS = 5
_MANY_LETTERS = 8
_NAMED = re.compile(
    r"(?P<name>\w+)=(?P<said>'(?:[^'\\]|\\.)*'|\"[^\"]*\"|\S+) is not known; did you mean (?P<right>[^?]+)\?"
)
_MEANT = re.compile(r"did you mean:? ['\"“]?(?P<right>[^?'\"”]+)['\"”]?\?", re.IGNORECASE)
_TELLING = ("passing", "failed", "arguments")


def options(state: State, task: Task, failure: Failure) -> Iterator[Change]:
    """Changes that may do instead of a failed task.

    The same call once more, where the error may pass and nobody has said how often to try; the arguments that the error
    says would be right; another tool that tells the same, another agent; one call for each of several things (after
    Prasad et al., "ADaPT", 2023: what fails is broken down, and only then). What may have changed something, or a
    person has said no to, is not done in another way.
    """
    tool = state.tool(task)
    if failure.kind in ("rejected", "allowance") or not undone(failure, tool):
        return
    if failure.kind == "pressed" or _once_more(state, task, tool, failure):
        yield _renamed(state, task, "" if failure.kind == "pressed" else f"{task.id} is tried once more.")
        if failure.kind == "pressed":
            return
    if tool is None:
        yield from _by_another_agent(state, task)
        return
    parts = _one_by_one(state, task, tool) if failure.kind in _TELLING else ()
    for change in (*_corrected(state, task, tool, failure), *_elsewhere(state, task, tool), *parts):
        if not any(call_key(one) in state.failed_calls for one in change.tasks):
            yield change


def _once_more(state: State, task: Task, tool: Tool | None, failure: Failure) -> bool:
    said = task.retry is not None or (tool is not None and tool.retry is not None)
    return failure.kind == "passing" and not said and call_key(task) not in state.tried


def _renamed(state: State, task: Task, note: str, **update: object) -> Change:
    name = fresh(task.id, state.number, state.taken)
    made = task.model_copy(update={"id": name, **update})
    return Change((made,), (name,), f"${name}", note)


def _corrected(state: State, task: Task, tool: Tool, failure: Failure) -> Iterator[Change]:
    """The arguments that the error names, where they are what was said but for a slip of the pen."""
    for name, right in _right(task, tool, failure):
        old = task.args.get(name)
        args: Mapping[str, JsonValue] = {**task.args, name: literal(right)}
        made = task.model_copy(update={"args": dict(args)})
        lost = tuple(need for need in task.needs if need not in made.needs)
        note = f"{task.id}: {tool.name} is asked about {right!r}, for it does not know {old!r}."
        yield _renamed(state, task, note, args=dict(args), depends_on=(*task.depends_on, *lost))


def _right(task: Task, tool: Tool, failure: Failure) -> Iterator[tuple[str, str]]:
    found = _NAMED.search(failure.why)
    if found is not None and found["name"] in tool.args.model_fields:
        said, right = found["said"].strip("'\""), found["right"].strip()
        if " or " not in right and slip(said, right):
            yield found["name"], right
        return
    meant = _MEANT.search(failure.why)
    if meant is not None:
        right = meant["right"].strip()
        near = [name for name, value in task.args.items() if isinstance(value, str) and slip(value, right)]
        if len(near) == 1:
            yield near[0], right


def slip(said: str, right: str) -> bool:
    """Whether two texts are one name but for case, marks, or one slip of the pen.

    A slip is two letters that changed places, one too many or one too few, in five letters or more; in eight or more also
    another letter. Less is too little to go by: there are names, and codes, that differ in no more.
    """
    one, other = (re.sub(r"[\W_]+", "", text).casefold() for text in (said, right))
    if one == other:
        return bool(one)
    if min(len(one), len(other)) < _LETTERS or any(c.isdigit() for c in one + other):
        return False
    if len(one) == len(other):
        places = [n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        if len(places) == 2 and places[1] == places[0] + 1:
            return one[places[0]] == other[places[1]] and one[places[1]] == other[places[0]]
        return len(places) == 1 and len(one) >= _MANY_LETTERS
    short, long = sorted((one, other), key=len)
    return any(long[:n] + long[n + 1 :] == short for n in range(len(long)))


def _elsewhere(state: State, task: Task, tool: Tool) -> Iterator[Change]:
    for other in same_tools(tool, state.crew):
        role = doer(task, other, state.crew)
        if role is not None:
            note = f"{task.id}: {other.name} is asked in the place of {tool.name}."
            yield _renamed(state, task, note, tool=other.name, agent=role)


def _by_another_agent(state: State, task: Task) -> Iterator[Change]:
    if call_key(task) in state.tried:  # it went round already
        return
    for role in other_agents(task, state.crew):
        yield _renamed(state, task, f"{task.id}: {role} does it in the place of {task.agent}.", agent=role)


def _one_by_one(state: State, task: Task, tool: Tool) -> Iterator[Change]:
    """A call about several things as one call about each: by the same tool where nobody reads the list, else by one that
    tells the same of one thing."""
    if tool.effect != "read_only" or task.each is not None or tool.combines:
        return
    for name, value in task.args.items():
        if not isinstance(value, list) or not 2 <= len(value) <= MOST_PARTS:
            continue
        for other, parameter in singular(tool, name, state.crew):
            rest = {key: part for key, part in task.args.items() if key != name}
            yield _parts(state, task, other, [{**rest, parameter: one} for one in value], read=True)
        if not any(reads(one, task.id) for one in state.tasks):
            yield _parts(state, task, tool, [{**task.args, name: [one]} for one in value], read=False)


def _parts(state: State, task: Task, tool: Tool, args: list[dict[str, JsonValue]], *, read: bool) -> Change:
    taken, made = state.taken, list[Task]()
    role = doer(task, tool, state.crew) or task.agent
    for one in args:
        name = fresh(task.id, state.number, taken)
        taken.add(name)
        told = f"{task.description} [{', '.join(str(v) for k, v in one.items() if task.args.get(k) != v)}]"
        update = {"id": name, "description": told, "tool": tool.name, "agent": role, "args": one}
        made.append(task.model_copy(update=update))
    ends = tuple(one.id for one in made)
    value: JsonValue = [f"${end}" for end in ends] if read else None
    note = f"{task.id} is done in {len(made)} parts, one for each thing it is about."
    return Change(tuple(made), ends, value, note)
