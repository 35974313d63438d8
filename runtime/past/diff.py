"""Diff: two runs laid side by side by task and step: what changed, where it began, and what it brought about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, cast

from pydantic import JsonValue

from ..events import Event
from ..reading.divergence import difference
from .account import Account, Spent, StepAccount, TaskAccount, account, canonical
from .align import Pair, align
from .causes import Causes
from .point import place_of

State = Literal["same", "cost", "changed", "only in A", "only in B"]
"""How something of run A compares with run B; `cost`: all the same but the tokens, tool calls or money it used."""


@dataclass(frozen=True, slots=True)
class StepDiff:
    """One step that is not the same in both runs.

    `inputs` and `output` say the first difference, with its path, and are empty where there is none. `a` and `b` are
    what it used, `key_a` and `key_b` its keys (None where that run has no such step).
    """

    task_id: str
    name: str
    state: State
    inputs: str
    output: str
    key_a: str | None
    key_b: str | None
    a: Spent
    b: Spent


@dataclass(frozen=True, slots=True)
class TaskDiff:
    """One task; the one without an id is the planning. `steps` are those that differ, `same_steps` counts the others.

    `planned` says how the task itself is another one, `result` how it ended otherwise.
    """

    id: str
    state: State
    planned: str
    result: str
    steps: tuple[StepDiff, ...]
    same_steps: int
    a: Spent
    b: Spent


@dataclass(frozen=True, slots=True)
class Reached:
    """A task that changed because of what `through` (a task before it) came to. `said`: how it shows there first."""

    task_id: str
    through: str
    said: str


@dataclass(frozen=True, slots=True)
class Change:
    """Where two runs part: the first change in the order of causes, and what came of it.

    `what` is "request", "planning" (a step of it), "plan" (the task is planned otherwise), "step" or "result" (the
    task came to something else after the same steps: the code changed). `said` is the difference itself. `reached`
    are the tasks that it got to, each through the result of one before; `answer_changed` is what it comes to.
    """

    what: Literal["request", "planning", "plan", "step", "result"]
    task_id: str
    step: StepDiff | None
    said: str
    reached: tuple[Reached, ...]
    answer_changed: bool


@dataclass(frozen=True, slots=True)
class RunSide:
    """One of the two runs in a line: how it ended ("finished", "failed", "cancelled", "waiting", "running")."""

    ended: str
    answer: str
    spent: Spent


@dataclass(frozen=True, slots=True)
class RunDiff:
    """Two runs side by side. `request`, `answer` and `ended` say how these differ, and are empty where they do not.

    `tasks` has every task of both, in the order of causes, the planning first. `first` is where they part: None
    when nothing but cost differs. Seconds are told and never counted as a difference.
    """

    a: RunSide
    b: RunSide
    request: str
    answer: str
    ended: str
    tasks: tuple[TaskDiff, ...]
    first: Change | None

    @property
    def same(self) -> bool:
        """Whether nothing differs, costs included."""
        return self.first is None and all(task.state == "same" for task in self.tasks)

    @property
    def answer_changed(self) -> bool:
        """Whether the answer, or how the run ended, is another one."""
        return bool(self.answer or self.ended)

    def changed(self) -> Iterator[TaskDiff]:
        """The tasks that are not the same."""
        return (task for task in self.tasks if task.state != "same")

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON data."""
        return asdict(self)


def diff(a_events: Sequence[Event], b_events: Sequence[Event]) -> RunDiff:
    """How run B differs from run A, told from their events.

    Steps are the same step when they have the same key, that is the same task, name and inputs; of the others in a
    task, those of one name with the most alike inputs are compared with one another.
    """
    a, b = account(a_events), account(b_events)
    causes = Causes(a, b)
    tasks = tuple(_task(causes, task_id) for task_id in causes.order)
    request = _told(a.request, b.request, "request")
    answer = _told(a.answer, b.answer, "answer")
    ended = "" if (a.ended, a.error) == (b.ended, b.error) else f"{_end(a)} → {_end(b)}"
    return RunDiff(
        a=RunSide(a.ended, a.answer, a.spent),
        b=RunSide(b.ended, b.answer, b.spent),
        request=request,
        answer=answer,
        ended=ended,
        tasks=tasks,
        first=_first(causes, request, tasks, answer or ended),
    )


_NOTHING = Spent()
_ABSENT = TaskAccount("")


def _task(causes: Causes, task_id: str) -> TaskDiff:
    a, b = causes.a.tasks.get(task_id), causes.b.tasks.get(task_id)
    ours, theirs = a or _ABSENT, b or _ABSENT
    steps: list[StepDiff] = []
    same = 0
    for pair in align(ours.steps, theirs.steps):
        step = _step(pair)
        if step.state == "same":
            same += 1
        else:
            steps.append(step)
    planned = result = ""
    state: State
    if a is None or b is None:
        state = "only in B" if a is None else "only in A"
    else:
        planned, result = _planned(a, b), _result(a, b)
        parted = planned or result or any(step.state != "cost" for step in steps)
        state = "changed" if parted else "cost" if steps else "same"
    return TaskDiff(task_id, state, planned, result, tuple(steps), same, ours.spent, theirs.spent)


def _step(pair: Pair) -> StepDiff:
    a, b = pair
    inputs = output = ""
    state: State
    if a is None or b is None:
        state = "only in B" if a is None else "only in A"
    else:
        inputs = "" if a.key == b.key else _told(a.inputs, b.inputs, "inputs")
        output = _outcome(a, b)
        spent = a.spent.counted == b.spent.counted
        state = "changed" if inputs or output else "same" if spent else "cost"
    return StepDiff(
        task_id=pair.some.task_id,
        name=pair.some.name,
        state=state,
        inputs=inputs,
        output=output,
        key_a=a.key if a is not None else None,
        key_b=b.key if b is not None else None,
        a=a.spent if a is not None else _NOTHING,
        b=b.spent if b is not None else _NOTHING,
    )


def _outcome(a: StepAccount, b: StepAccount) -> str:
    if bool(a.over) != bool(b.over):
        return "it has no outcome → it has one" if b.over else "it has an outcome → it has none"
    where = "error" if a.failed and b.failed else "output"
    if a.failed != b.failed:
        return difference(_shown(a), _shown(b), "output")
    return _told(a.outcome, b.outcome, where)


def _shown(step: StepAccount) -> JsonValue:
    return f"failed: {cast(dict[str, str], step.outcome)['error']}" if step.failed else step.outcome


def _planned(a: TaskAccount, b: TaskAccount) -> str:
    if a.planned is None or b.planned is None:
        return "" if a.planned is b.planned else "it is planned in only one of the runs"
    if a.planned == b.planned and a.added_by == b.added_by:
        return ""
    ours, theirs = (
        task.planned.model_dump(mode="json", exclude_defaults=True)
        for task in (a, b)
        if task.planned is not None
    )
    return _told(ours, theirs, "task") or _told(a.added_by, b.added_by, "added by")


def _result(a: TaskAccount, b: TaskAccount) -> str:
    if a.state != b.state:
        return f"{a.state} → {b.state}"
    if a.result is not None and b.result is not None and a.result != b.result:
        ours, theirs = (result.model_dump(mode="json") for result in (a.result, b.result))
        return _told(ours, theirs, "result")
    return _told(a.error, b.error, "error")


def _told(a: Any, b: Any, where: str) -> str:
    """The first difference of two JSON values, with its path; empty where there is none."""
    if canonical(a) == canonical(b):
        return ""
    if a == b:  # 1 and true, or 1 and 1.0: another key to a step, and alike to Python
        return f"{where}: {canonical(a)[:60]} → {canonical(b)[:60]}"
    return difference(a, b, where)


def _end(run: Account) -> str:
    return f"{run.ended} ({run.error})" if run.error else run.ended


class _Found(NamedTuple):
    what: Literal["request", "planning", "plan", "step", "result"]
    task_id: str
    step: StepDiff | None
    said: str


def _first(causes: Causes, request: str, tasks: Sequence[TaskDiff], ended: str) -> Change | None:
    found = next(_changes(causes, request, tasks, ended), None)
    if found is None:
        return None
    by_id = {task.id: task for task in tasks}
    parted = {task.id for task in tasks if task.state not in ("same", "cost")}
    moved = {task.id for task in tasks if task.result or task.state.startswith("only")}
    starts = {found.task_id}
    if found.what in ("request", "planning", "plan"):
        starts.add("")
        moved.add("")
    reached = tuple(
        Reached(task_id, through, _shows(by_id[task_id]))
        for task_id, through in causes.flow(starts, moved, parted)
    )
    return Change(*found, reached=reached, answer_changed=bool(ended))


def _changes(causes: Causes, request: str, tasks: Sequence[TaskDiff], ended: str) -> Iterator[_Found]:
    """All changes in the order of causes: the request, the planning, the plan, task after task, the end."""
    if request:
        yield _Found("request", "", None, request)
    for step in _parted(tasks[0]):
        yield _Found("planning", "", step, _said(step))
    for task in tasks[1:]:
        if not causes.grown(task.id) and (said := _planned_otherwise(task)):
            yield _Found("plan", task.id, None, said)
    for task in tasks[1:]:
        if said := _planned_otherwise(task):
            yield _Found("plan", task.id, None, said)
        for step in _parted(task):
            yield _Found("step", task.id, step, _said(step))
        if task.result:
            yield _Found("result", task.id, None, task.result)
    if ended:
        yield _Found("result", "", None, ended)


def _planned_otherwise(task: TaskDiff) -> str:
    return task.planned or (f"task {task.id!r} is {task.state}" if task.state.startswith("only") else "")


def _parted(task: TaskDiff) -> Iterator[StepDiff]:
    return (step for step in task.steps if step.state != "cost")


def _said(step: StepDiff) -> str:
    if step.state.startswith("only"):
        return f"step {step.name!r} of {place_of(step.task_id)} is {step.state}"
    return step.inputs or step.output


def _shows(task: TaskDiff) -> str:
    """How a change shows first in a task that it reached."""
    first = next(_parted(task), None)
    return _planned_otherwise(task) or (_said(first) if first is not None else task.result)
