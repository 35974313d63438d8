"""State: what a plan that has to be changed has come to, in the form in which it is reasoned about. Pure data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from ...agents.crew import Crew
from ...runtime.errors import CrewgraphError
from ...runtime.graph import Task, TaskResult
from ...runtime.scheduling.maps import entries_of, entry_args
from ...tools.tool import Tool
from ..asked import Asked, call_key
from ..checking.checker import check
from ..plan import wrong
from .failure import Failure
from .wiring import Change, dependents, literal, put

MOST_ENTRIES = 40
"""A list with more entries is not taken apart when some of them fail: the plan would be too long to check or to read."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one entry of a task with `each` ended: its result, or how it failed; neither where it was not begun."""

    result: TaskResult | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A plan under change: its `tasks`, what is `done`, and those of its `failures` that nothing was found for yet.

    `tried` are calls that failed before (see `call_key`), `number` is the how manieth change this is, from 1.
    """

    crew: Crew
    tasks: tuple[Task, ...]
    done: Mapping[str, TaskResult]
    failures: Mapping[str, Failure]
    tried: frozenset[str]
    number: int
    language: str = "en"
    notes: tuple[str, ...] = ()
    given: tuple[Task, ...] = ()
    """The plan as it was before, with which ids are taken."""
    failing: frozenset[str] = frozenset()
    """The calls that have failed in that plan."""

    @classmethod
    def of(cls, asked: Asked) -> State:
        """What `asked.so_far` says. Raises `ValueError`: nothing has happened so far."""
        so_far = asked.so_far
        if so_far is None:
            raise ValueError("a plan is changed for what has come of it: give SoFar")
        known = {task.id for task in so_far.tasks}
        failures = {
            task_id: Failure.of(so_far.codes.get(task_id, ""), why)
            for task_id, why in so_far.failures.items()
            if task_id in known
        }
        # What needs a failed task cannot be done: a replay may know already what became of it under the next plan.
        affected = dependents(so_far.tasks, failures) | failures.keys()
        done = {task_id: result for task_id, result in so_far.results.items() if task_id not in affected}
        return cls(
            asked.crew,
            tuple(so_far.tasks),
            done,
            failures,
            so_far.tried,
            so_far.changes + 1,
            asked.intent.language,
            given=tuple(so_far.tasks),
            failing=frozenset(call_key(task) for task in so_far.tasks if task.id in failures),
        )

    def task(self, task_id: str) -> Task:
        """The task of that id."""
        return next(task for task in self.tasks if task.id == task_id)

    def tool(self, task: Task) -> Tool | None:
        """The tool that a task calls, if the crew has it."""
        return (
            self.crew.toolset[task.tool] if task.tool is not None and task.tool in self.crew.toolset else None
        )

    @property
    def taken(self) -> set[str]:
        """Ids that no new task may have."""
        return {task.id for task in (*self.given, *self.tasks)}

    @property
    def failed_calls(self) -> frozenset[str]:
        """The calls that have failed, now and before."""
        now = {call_key(task) for task in self.tasks if task.id in self.failures}
        return self.tried | self.failing | now

    def changed(self, task_id: str, change: Change) -> State | None:
        """With this change in the place of that task; None where the plan would not be valid."""
        tasks = put(self.tasks, task_id, change)
        if tasks is None or wrong(check(tasks, self.crew)):
            return None
        failures = {other: failure for other, failure in self.failures.items() if other != task_id}
        notes = (*self.notes, change.note) if change.note else self.notes
        return replace(self, tasks=tasks, failures=failures, notes=notes)


def taken_apart(state: State, ended: Callable[[str], Ended]) -> State:
    """Every failed task with `each` as one task an entry, so that those which are done are kept and the others are
    failures of their own.

    A finished entry becomes a task of the same id and content, whose result a journal holds; whoever read the list reads
    it with the values that are known. `ended` tells what became of the entry of that id. Where people agreed to the task,
    or the list is not known, or too long, it stays as it is.
    """
    for task_id in list(state.failures):
        task = state.task(task_id)
        if task.each is not None and not task.approval:
            state = _apart(state, task, ended) or state
    return state


def _apart(state: State, task: Task, ended: Callable[[str], Ended]) -> State | None:
    args = entries_args(task, state.done)
    if args is None or not 0 < len(args) <= MOST_ENTRIES:
        return None
    entries = entries_of(task, state.done)
    taken, made, values = state.taken, list[Task](), list[JsonValue]()
    done, failures = dict(state.done), dict(state.failures)
    del failures[task.id]
    for number, entry in enumerate(entries):
        entry_id = f"{task.id}.{number}"
        end = ended(entry_id)
        if end.result is None and end.failure is None:
            return None
        own = {"each": None, "when": None, "depends_on": task.needs, "args": args[number]}
        if end.result is not None:
            made.append(task.model_copy(update={"id": entry_id, **own}))
            done[entry_id] = end.result
            values.append(literal(end.result.value))
            continue
        name = _unused(f"{task.id.replace('.', '-')}-{number}", taken)
        taken.add(name)
        told = f"{task.description} [{_short(entry)}]"
        made.append(task.model_copy(update={"id": name, "description": told, **own}))
        failures[name] = end.failure or Failure.of("", "it was not begun")
        values.append(f"${name}")
    change = Change(tuple(made), tuple(one.id for one in made), values)
    calls = {call_key(one) for one in made if one.id in failures}
    apart = replace(
        state,
        done=done,
        failures={**failures, task.id: state.failures[task.id]},
        failing=state.failing | calls,
    )
    return apart.changed(task.id, change)


def entries_args(task: Task, results: Mapping[str, TaskResult]) -> list[dict[str, JsonValue]] | None:
    """The arguments of each entry of a task with `each`, as a plan would write them; None where they are not known."""
    try:
        return [literal(entry_args(task, one, dict(results))) for one in entries_of(task, results)]
    except CrewgraphError:
        return None


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "x"
    return name


def _short(value: JsonValue) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
