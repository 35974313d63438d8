"""Traces: what a run did, as its events tell, and assertions about it that say what there was instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import JsonValue

from ...runtime.events import Event, PlanMade, StepErred, StepFinished, StepIntended, TasksAdded
from ...runtime.graph import Task

_TOOL = "tool:"
_MODEL = "model"


class Called(NamedTuple):
    """One call of a tool in a run: the tool, its arguments, the task it was made for."""

    tool: str
    args: dict[str, Any]
    task: str


class Trace(list[Event]):
    """The events of a run, in order. It is a listener too: ``trace = Trace(); await run(crew, "…", listeners=[trace])``."""

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.append(event)

    @property
    def calls(self) -> list[Called]:
        """The tool calls, in the order in which they began."""
        return calls_of(self)


def calls_of(events: Iterable[Event]) -> list[Called]:
    """The tool calls of a run, in the order in which they began; each attempt of one that failed is there once."""
    return [
        Called(e.name.removeprefix(_TOOL), dict(e.inputs) if isinstance(e.inputs, Mapping) else {}, e.task_id)
        for e in events
        if isinstance(e, StepIntended) and e.name.startswith(_TOOL)
    ]


def called(
    events: Iterable[Event],
    tool: str,
    args: Mapping[str, JsonValue] | None = None,
    *,
    times: int | None = None,
) -> list[Called]:
    """The calls of a tool in a run. With `args` only those whose arguments have these values; others may stand beside them.

    Raises:
        AssertionError: there is none (or there are not as many as `times`); the message shows what was called.
    """
    every = calls_of(events)
    found = [c for c in every if c.tool == tool and _holds(args or {}, c.args)]
    wanted = "at least once" if times is None else f"{times} times"
    assert found if times is None else len(found) == times, (
        f"{_said(tool, args)} was to be called {wanted}, and was called {len(found)} times; the calls were: {_listed(every)}"
    )
    return found


def not_called(events: Iterable[Event], tool: str, args: Mapping[str, JsonValue] | None = None) -> None:
    """Raises AssertionError: the tool was called (with these values among its arguments)."""
    called(events, tool, args, times=0)


def called_in_order(events: Iterable[Event], *tools: str) -> None:
    """Raises AssertionError: the tools were not called in this order; other calls may stand between."""
    every = calls_of(events)
    rest = iter([call.tool for call in every])
    for place, tool in enumerate(tools):
        assert tool in rest, (
            f"{tool} was to be called {'after ' + tools[place - 1] if place else 'first of these'}; "
            f"the calls were: {_listed(every)}"
        )


def plan_of(events: Iterable[Event]) -> tuple[Task, ...]:
    """The tasks of a run's last plan, with those that were added to it.

    Raises:
        AssertionError: no plan was made.
    """
    tasks: tuple[Task, ...] | None = None
    for event in events:
        if isinstance(event, PlanMade):
            tasks = event.tasks
        elif isinstance(event, TasksAdded):
            tasks = (*(tasks or ()), *event.tasks)
    assert tasks is not None, "no plan was made"
    return tasks


def plan_has(
    events: Iterable[Event],
    tool: str | None = None,
    args: Mapping[str, JsonValue] | None = None,
    *,
    agent: str | None = None,
    after: str | None = None,
) -> Task:
    """The first task of the last plan that calls this tool, with these values among its arguments, by this agent, and that
    waits (directly or not) for one that calls the tool, or has the id, `after`.

    Raises:
        AssertionError: there is none; the message shows the plan.
    """
    tasks = plan_of(events)
    by_id = {task.id: task for task in tasks}
    for task in tasks:
        if tool is not None and task.tool != tool:
            continue
        if agent is not None and task.agent != agent:
            continue
        if not _holds(args or {}, task.args):
            continue
        if after is not None and not any(after in (one.id, one.tool) for one in _before(task, by_id)):
            continue
        return task
    wanted = [f"calls {_said(tool, args)}" if tool else "", f"is {agent}'s" if agent else ""]
    wanted += [f"waits for {after}" if after else ""]
    shown = "; ".join(
        f"{t.id}: {_said(t.tool, t.args) if t.tool else t.description[:60]}"
        + (f" after {', '.join(t.needs)}" if t.needs else "")
        for t in tasks
    )
    raise AssertionError(
        f"no task of the plan {' and '.join(w for w in wanted if w) or 'is there'}; its tasks are: {shown}"
    )


def no_model_called(events: Iterable[Event]) -> None:
    """Raises AssertionError: a model was called, at least as a step of the run."""
    asked = [e for e in events if isinstance(e, StepIntended | StepFinished) and e.name == _MODEL]
    assert not asked, f"a model was called, first for the task {asked[0].task_id or '(planning)'!r}"


def cost_below(
    events: Iterable[Event],
    *,
    tokens: int | None = None,
    tool_calls: int | None = None,
    money: float | None = None,
    model_calls: int | None = None,
) -> None:
    """Raises AssertionError: the run used as much as one of these, or more."""
    done = [e for e in events if isinstance(e, StepFinished | StepErred)]
    over = [e for e in done if isinstance(e, StepFinished)]
    used: Sequence[tuple[str, float, float | None]] = (
        ("tokens", sum(e.tokens for e in over), tokens),
        ("tool calls", sum(e.tool_calls for e in over), tool_calls),
        ("money", sum(e.money for e in over), money),
        ("model calls", sum(e.name == _MODEL for e in done), model_calls),
    )
    for what, spent, limit in used:
        assert limit is None or spent < limit, (
            f"the run used {spent:g} {what}, and was to use less than {limit:g}"
        )


def _before(task: Task, tasks: Mapping[str, Task]) -> Iterable[Task]:
    seen: set[str] = set()
    waiting = list(task.needs)
    while waiting:
        need = waiting.pop()
        if need not in seen and need in tasks:
            seen.add(need)
            waiting += tasks[need].needs
            yield tasks[need]


def _holds(wanted: Mapping[str, JsonValue], args: Mapping[str, Any]) -> bool:
    return all(name in args and args[name] == value for name, value in wanted.items())


def _said(tool: str | None, args: Mapping[str, Any] | None) -> str:
    return f"{tool}({', '.join(f'{name}={value!r}' for name, value in (args or {}).items())})"


def _listed(calls: Sequence[Called]) -> str:
    return ", ".join(_said(call.tool, call.args) for call in calls) or "none"
