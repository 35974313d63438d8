"""A second opinion on plans, which shares nothing with the plan checker: it tries them out.

Made of the crews' pydantic models alone: results are made up from the types of the tools, arguments are filled in with
them and held against the tools, conditions are asked. What fits in none of many tries does not fit. Slow, naive, and
lenient: it takes what a run would take.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from crewgraph import Condition, Crew, Task, Tool
from crewgraph.runtime.budget import Budget
from crewgraph.runtime.errors import TaskFailed
from crewgraph.tools.builtin.figures import COMBINERS

from .values import ANYTHING, adapter_of, made_up

TRIES = 24
_REFERENCE = re.compile(r"^\$([A-Za-z0-9_][A-Za-z0-9_\-]*)((?:\.[A-Za-z0-9_]+)*)$")


class Missing(Exception):
    """A reference that leads nowhere."""


class Limits(NamedTuple):
    """What a plan has to keep to beside its crew."""

    budget: Budget = Budget()
    forbidden: Collection[str] = ()


NO_LIMITS = Limits()


def verdict(tasks: Sequence[Task], crew: Crew, limits: Limits = NO_LIMITS, seed: int = 0) -> str | None:
    """Why a plan cannot be carried out; None where it can."""
    return (
        _form(tasks)
        or _crew(tasks, crew, limits)
        or _limits(tasks, crew, limits)
        or _tries(tasks, crew, seed)
    )


def side_by_side(tasks: Sequence[Task], crew: Crew) -> str | None:
    """Two tasks that may change one thing at the same time; None where there are none. What a task refers to may come to
    anything."""
    ahead: dict[str, set[str]] = {task.id: waits(task) for task in tasks}
    for _ in tasks:
        ahead = {name: own.union(*(ahead[other] for other in own)) for name, own in ahead.items()}
    uses = {
        task.id: (set(_things(task, tool, tool.traits.reads)), set(_things(task, tool, tool.traits.writes)))
        for task in tasks
        if task.tool is not None and (tool := crew.toolset[task.tool])
    }
    for one, (reads_one, writes_one) in uses.items():
        for other, (reads_other, writes_other) in uses.items():
            if one == other or one in ahead[other] or other in ahead[one]:
                continue
            for mine in writes_one:
                if any(re.fullmatch(mine, theirs) or mine == theirs for theirs in reads_other | writes_other):
                    return f"{one} and {other} may use {mine} side by side"
            if any(re.fullmatch(mine, theirs) for mine in reads_one for theirs in writes_other):
                return f"{one} and {other} may use one thing side by side"
    return None


def _things(task: Task, tool: Tool, templates: Sequence[str]) -> Iterator[str]:
    """The things that a task uses, as patterns: what is not known yet may be anything."""
    known: list[Mapping[str, Any]] = [{}]
    if isinstance(task.each, list):
        known = [{"item": entry} for entry in task.each if not list(found_in(entry))] or known
    for template in templates:
        for here in known:
            pattern = re.escape(template)
            for name, info in tool.args.model_fields.items():
                try:
                    value = re.escape(str(filled(task.args.get(name, info.default), here)))
                except Missing:
                    value = ".*"
                pattern = pattern.replace(re.escape("{" + name + "}"), value)
            yield pattern


def found_in(value: Any) -> Iterator[tuple[str, list[str]]]:
    """References in a JSON value."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from found_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from found_in(part)
    elif isinstance(value, str) and (found := _REFERENCE.match(value)):
        yield found[1], found[2].split(".")[1:] if found[2] else []


def reads(task: Task) -> set[str]:
    """The tasks that one refers to."""
    names = {n for n, _ in found_in(task.args) if task.each is None or n != "item"} | {
        n for n, _ in found_in(task.each)
    }
    if task.when is not None:
        names |= {n for n, _ in found_in([task.when.value, task.when.to])}
    return names


def waits(task: Task) -> set[str]:
    return reads(task) | set(task.depends_on)


def _form(tasks: Sequence[Task]) -> str | None:
    if not tasks:
        return "empty"
    if len(tasks) > 100:
        return "too long"
    ids = [task.id for task in tasks]
    if len(set(ids)) < len(ids) or not all(ids):
        return "ids"
    for task in tasks:
        if not waits(task) <= set(ids):
            return f"{task.id} waits for what is not there"
    done: set[str] = set()
    while more := {task.id for task in tasks if task.id not in done and waits(task) <= done}:
        done |= more
    if len(done) < len(ids):
        return "a circle"
    used = {name for task in tasks for name in waits(task)}
    if set(ids) - used != {ids[-1]}:
        return "something hangs loose"
    for task in tasks:
        if task.each is not None and not isinstance(task.each, list) and not list(found_in([task.each])):
            return f"{task.id}: each is no list"
    return None


def _crew(tasks: Sequence[Task], crew: Crew, limits: Limits) -> str | None:
    for task in tasks:
        agent = next((a for a in crew.agents if a.role == task.agent), None)
        if agent is None:
            return f"{task.id}: no such agent"
        if task.tool is None:
            if task.args:
                return f"{task.id}: arguments without a tool"
            continue
        if task.tool in limits.forbidden:
            return f"{task.id}: the tool is forbidden"
        mine = [*crew.tools, *agent.tools, *COMBINERS]
        if not any(isinstance(t, Tool) and t.name == task.tool for t in mine):
            return f"{task.id}: the tool is not the agent's"
    return None


def _limits(tasks: Sequence[Task], crew: Crew, limits: Limits) -> str | None:
    calls = sum(len(t.each) if isinstance(t.each, list) else 1 for t in tasks if t.tool is not None)
    most = limits.budget.tool_calls
    if most is not None and calls > most:
        return "too many calls"
    authored = {task.id for task in crew.tasks}
    for task in tasks:
        for what in ("tokens", "seconds", "tool_calls", "money"):
            mine = getattr(task.allowance, what, None)
            all_of_it = getattr(limits.budget, what)
            if mine is not None and all_of_it is not None and mine > all_of_it and task.id not in authored:
                return f"{task.id} may use more than the run"
    return None


def _tries(tasks: Sequence[Task], crew: Crew, seed: int) -> str | None:
    """Goes through the plan again and again with results that were made up."""
    chance = random.Random(seed)
    by_id = {task.id: task for task in tasks}
    order: list[str] = []
    while len(order) < len(tasks):
        order += [t.id for t in tasks if t.id not in order and waits(t) <= set(order)]
    open_ = {(task.id, part): "" for task in tasks for part in ("each", "args", "expects", "when")}
    writers = {task.id for task in tasks if task.tool is None}
    for attempt in range(TRIES):
        values: dict[str, Any] = {}
        over: set[str] = set()
        sure = True
        for task_id in order:
            task = by_id[task_id]
            values[task_id] = _result(task, crew, chance)
            held = _try(task, crew, values, open_)
            sure = sure and held is not None
            if held is False or reads(task) & over:
                over.add(task_id)
        if sure:
            last = tasks[-1].id
            if last in over and last in writers and writers <= over:
                return "nobody answers"
            if (twice := _twice(tasks, crew, over)) is not None:
                return twice
        if attempt >= 2 and not any(open_.values()) and not any(t.when for t in tasks):
            break
    return next((f"{key[0]}: {key[1]}: {why}" for key, why in open_.items() if why), None) or _never(by_id)


def _never(tasks: Mapping[str, Task]) -> str | None:
    """A task that is never begun: its condition is decided and does not hold, or it reads both of two opposite branches."""
    for task in tasks.values():
        when = task.when
        decided = when is not None and not list(found_in([when.value, when.to]))
        if when is not None and decided and not when.holds(filled(when.value, {}), filled(when.to, {})):
            return f"{task.id} is never begun"
        branches = [(w.test, w.value, w.to) for name in reads(task) if (w := tasks[name].when) is not None]
        for test, value, to in branches:
            if (_OPPOSITE.get(test), value, to) in branches:
                return f"{task.id} is never begun"
    return None


_OPPOSITE = {"equals": "differs", "above": "at_most", "below": "at_least", "empty": "not_empty"}


def _try(task: Task, crew: Crew, values: dict[str, Any], open_: dict[tuple[str, str], str]) -> bool | None:
    """One try of a task; in `open_` stays why a part of it has not fitted yet. What its condition says, None where that
    cannot be told in this try."""
    known = dict(values)
    entries: list[Any] = [None]
    key = (task.id, "each")
    try:
        if task.each is not None:
            listed = filled(task.each, known)
            if listed is ANYTHING:
                listed = [ANYTHING]
            if not isinstance(listed, list):
                raise Missing("no list")
            entries = listed
            values[task.id] = [values[task.id] for _ in entries]
        open_.pop(key, None)
    except Missing as error:
        if key in open_:
            open_[key] = str(error)
    if task.tool is not None:
        key = (task.id, "args")
        tool = crew.toolset[task.tool]
        try:
            for entry in entries:
                here = {**known, "item": entry} if task.each is not None else known
                _take(tool, filled(task.args, here))
            open_.pop(key, None)
        except Missing as error:
            if key in open_:
                open_[key] = str(error) or "does not fit"
        except ValidationError as error:
            _still(task, error, open_)
    key = (task.id, "expects")
    try:
        own = {"result": _one(values, task)}
        for expected in task.expects:
            _asked(expected, own)
        open_.pop(key, None)
    except (Missing, TaskFailed) as error:
        if key in open_:
            open_[key] = str(error)
    if task.when is None:
        return True
    key = (task.id, "when")
    try:
        held = _asked(task.when, known)
        open_.pop(key, None)
    except (Missing, TaskFailed) as error:
        if key in open_:
            open_[key] = str(error)
        return None
    return held


def _still(task: Task, error: ValidationError, open_: dict[tuple[str, str], str]) -> None:
    """Keep which arguments have not fitted in any try yet. That all fit in the same try, where they refer to results, is
    luck, and is not asked for."""
    key = (task.id, "args")
    if key not in open_:
        return
    wrong = {str(problem["loc"][0]) for problem in error.errors(include_url=False) if problem["loc"]}
    luck = task.each is not None or bool(list(found_in(task.args)))
    if not luck:
        open_[key] = str(error)[:200]
        return
    before = open_[key].removeprefix("not yet: ").split(", ") if open_[key].startswith("not yet: ") else None
    left = wrong if before is None else wrong & set(before)
    if left:
        open_[key] = f"not yet: {', '.join(sorted(left))}"
    else:
        open_.pop(key)


def _one(values: Mapping[str, Any], task: Task) -> Any:
    """The result that an expectation is about: of a task with entries, that of one."""
    value = values[task.id]
    if task.each is None:
        return value
    return value[0] if isinstance(value, list) and value else value


def _twice(tasks: Sequence[Task], crew: Crew, over: set[str]) -> str | None:
    seen: dict[str, str] = {}
    for task in tasks:
        if task.tool is None or task.id in over or crew.toolset[task.tool].effect != "once":
            continue
        named = any(name == "item" for name, _ in found_in(task.args))
        if task.each is not None and not named and (not isinstance(task.each, list) or len(task.each) > 1):
            return f"{task.id} would happen for every entry alike"
        if isinstance(task.each, list):
            said = [json.dumps(part, sort_keys=True) for part in task.each]
            if len(set(said)) < len(said):
                return f"{task.id} would happen twice"
        if task.each is None:
            call = json.dumps([task.tool, task.args], sort_keys=True)
            if call in seen:
                return f"{task.id} would happen twice"
            seen[call] = task.id
    return None


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """A JSON value with its references filled in. Raises `Missing`."""
    if isinstance(value, Mapping):
        return {name: filled(part, values) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [filled(part, values) for part in value]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    ref = _REFERENCE.match(value)
    if ref is None:
        return value[1:] if value.startswith("$$") else value
    if ref[1] not in values:
        raise Missing(f"{value} is not there")
    found = values[ref[1]]
    for name in ref[2].split(".")[1:]:
        if found is ANYTHING:
            return found
        if not isinstance(found, dict) or name not in found:
            raise Missing(f"{value} is not there")
        found = found[name]
    return found


def _result(task: Task, crew: Crew, chance: random.Random) -> Any:
    if task.tool is not None:
        return made_up(crew.toolset[task.tool].returns, chance)
    agent = next(a for a in crew.agents if a.role == task.agent)
    return made_up(agent.output_type or str, chance)


def _take(tool: Tool, args: Mapping[str, Any]) -> None:
    """Hold arguments against a tool. Raises `ValidationError`."""
    if not any(_holds_anything(value) for value in args.values()):
        adapter_of(tool.args).validate_python(args)
        return
    for name, info in tool.args.model_fields.items():
        if name not in args and info.is_required():
            raise Missing(f"{name} is missing")
    for name, value in args.items():
        if name not in tool.args.model_fields:
            raise Missing(f"there is no {name}")
        if not _holds_anything(value):
            info = tool.args.model_fields[name]
            TypeAdapter(Annotated[(info.annotation, *info.metadata, None)]).validate_python(value)


def _holds_anything(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is ANYTHING or any(_holds_anything(part) for part in parts)


def _asked(condition: Condition, known: Mapping[str, Any]) -> bool:
    """What a condition says. Raises `TaskFailed` where it cannot be told."""
    value, to = filled(condition.value, known), filled(condition.to, known)
    return True if ANYTHING in (value, to) else condition.holds(value, to)
