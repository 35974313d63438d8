"""Task and TaskGraph: what is to be done, and what must be done before it.

A task's arguments may refer to an earlier task's result: the whole string ``"$t1"`` is that result's value,
``"$t1.unit"`` one field of it (``"$$…"`` is a literal that begins with a dollar). A reference is a
dependency; `depends_on` adds those that no argument shows. References are values, never text pasted into
other text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from .errors import InvalidGraph
from .policy import Allowance, Condition, Retry

_REFERENCE = re.compile(r"^\$([A-Za-z0-9_][A-Za-z0-9_\-]*)((?:\.[A-Za-z0-9_]+)*)$")

ITEM = "item"
"""In a task with `each`, the name by which its arguments refer to the entry at hand."""

RESULT = "result"
"""In `Task.expects`, the name by which a condition refers to the value of the task's own result."""


class Reference(NamedTuple):
    """A pointer to an earlier result: the task, and the path of fields inside its value."""

    task: str
    path: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: object) -> Reference | None:
        """The reference that `text` is, or None when it is an ordinary value."""
        if not isinstance(text, str) or not text.startswith("$"):
            return None
        found = _REFERENCE.match(text)
        if found is None:
            return None
        return cls(task=found[1], path=tuple(found[2].split(".")[1:]) if found[2] else ())


class Task(BaseModel):
    """One piece of work for one agent.

    `agent` is a role of the crew (None: the planner chooses). With `tool` and `args` the task is one bound
    tool call; without, the agent works it out. `depends_on` names tasks whose results it reads.

    `each` is a list, or a reference to one: the task is then carried out once for every entry, side by side;
    ``"$item"`` (or ``"$item.field"``) in `args` is the entry, and the result's value is the list of results.
    `when` is a condition to begin at all, `retry` says what to do on failure, `timeout` how many seconds one
    attempt may take, `allowance` what it may use, `approval` that a person must agree first, `expected_seconds`
    how long it is thought to take (it decides which of two ready tasks goes first). `expects` is what the plan takes for
    granted of the result, whose value is ``"$result"`` there: where it does not hold, the task fails by `Surprise`.
    What is `optional` may be left out where a budget does not reach for everything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(default="", pattern=r"^[A-Za-z0-9_\-.]*$")
    description: str
    expected_output: str = ""
    agent: str | None = None
    depends_on: tuple[str, ...] = ()
    tool: str | None = None
    args: dict[str, JsonValue] = Field(default_factory=dict)
    each: JsonValue = None
    when: Condition | None = None
    retry: Retry | None = None
    timeout: float | None = Field(default=None, gt=0)
    allowance: Allowance | None = None
    approval: bool = False
    expected_seconds: float | None = Field(default=None, ge=0)
    expects: tuple[Condition, ...] = ()
    optional: bool = False

    @property
    def refers_to(self) -> tuple[str, ...]:
        """Every task whose result this one reads by reference: in `args`, `each` and `when`, each once."""
        if not self.args and self.each is None and self.when is None:
            return ()
        found = [ref.task for ref in references(self.args) if self.each is None or ref.task != ITEM]
        found += [ref.task for ref in references(self.each)]
        if self.when is not None:
            found += [ref.task for ref in references([self.when.value, self.when.to])]
        return tuple(dict.fromkeys(found))

    @property
    def needs(self) -> tuple[str, ...]:
        """Every task this one waits for, each once: `depends_on` first, then those it refers to."""
        return tuple(dict.fromkeys((*self.depends_on, *self.refers_to)))


class TaskResult(BaseModel):
    """What a task came to: a JSON `value` for other tasks, `text` for people, and the `evidence` for it."""

    model_config = ConfigDict(frozen=True)

    value: JsonValue = None
    text: str = ""
    evidence: tuple[str, ...] = ()


def references(value: object) -> Iterator[Reference]:
    """Every reference inside a JSON value, in reading order."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from references(part)
    elif (ref := Reference.parse(value)) is not None:
        yield ref


def resolve(value: Any, results: Mapping[str, TaskResult]) -> Any:
    """The JSON value with every reference replaced by what it points to.

    Raises:
        InvalidGraph: a reference points to a task without a result, or to a field its value does not have.
    """
    if isinstance(value, Mapping):
        return {name: resolve(part, results) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(part, results) for part in value]
    ref = Reference.parse(value)
    if ref is None:
        return value[1:] if isinstance(value, str) and value.startswith("$$") else value
    if ref.task not in results:
        raise InvalidGraph(f"The reference {value!r} points to task {ref.task!r}, which has no result yet.")
    found: Any = results[ref.task].value
    for name in ref.path:
        if not isinstance(found, Mapping) or name not in found:
            raise InvalidGraph(
                f"The reference {value!r} asks for field {name!r}, which that result does not have."
            )
        found = found[name]
    return found


class TaskGraph:
    """Tasks in an order that respects their dependencies. Immutable, and checked when made.

    Raises:
        InvalidGraph: two tasks share an id, a dependency is not there, the tasks wait for each other, or `each` is
            no list.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks: dict[str, Task] = {}
        for task in tasks:
            if task.id in self._tasks:
                raise InvalidGraph(f"Two tasks are called {task.id!r}: give each task its own id.")
            check_alone(task)
            self._tasks[task.id] = task
        self._needs = {task.id: task.needs for task in self._tasks.values()}
        for task_id, needs in self._needs.items():
            for need in needs:
                if need not in self._tasks:
                    raise InvalidGraph(
                        f"Task {task_id!r} waits for {need!r}, which is not in the graph "
                        f"(it has: {', '.join(self._tasks)})."
                    )
            check_entries(self._tasks[task_id], self._tasks.get, self._tasks)
        self._order = ordered(self._needs)

    @property
    def tasks(self) -> Sequence[Task]:
        """All tasks, in the order they were given."""
        return tuple(self._tasks.values())

    @property
    def order(self) -> Sequence[str]:
        """Task ids, each after everything it needs."""
        return self._order

    def __getitem__(self, task_id: str) -> Task:
        return self._tasks[task_id]

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._tasks

    def needs(self, task_id: str) -> tuple[str, ...]:
        """Every task that this one waits for, each once."""
        return self._needs[task_id]

    def dependents(self) -> dict[str, tuple[str, ...]]:
        """For each task, those that wait for it."""
        waiting: dict[str, list[str]] = {task_id: [] for task_id in self._tasks}
        for task_id, needs in self._needs.items():
            for need in needs:
                waiting[need].append(task_id)
        return {task_id: tuple(ids) for task_id, ids in waiting.items()}

    def sinks(self) -> tuple[str, ...]:
        """Tasks that nothing waits for: their results are the graph's results."""
        return tuple(task_id for task_id, waiting in self.dependents().items() if not waiting)


def ordered(needs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Task ids, each after everything it needs.

    Raises:
        InvalidGraph: the tasks wait for each other.
    """
    try:
        return tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise circle(reversed(error.args[1])) from None


def circle(path: Iterable[str]) -> InvalidGraph:
    """The sentence for tasks that wait for each other."""
    return InvalidGraph(
        f"The tasks wait for each other in a circle ({' → '.join(path)}): remove one dependency."
    )


def check_alone(task: Task) -> None:
    """What must hold of a task whatever stands beside it.

    Raises:
        InvalidGraph: it has no id, or its `each` is neither a list nor a reference to one.
    """
    if not task.id:
        raise InvalidGraph(f"The task {task.description[:60]!r} has no id: give each task its own.")
    if task.each is not None and not isinstance(task.each, list) and Reference.parse(task.each) is None:
        raise InvalidGraph(
            f"Task {task.id!r} is to be done for each of {task.each!r}: give a list, or a reference to one."
        )


def check_entries(task: Task, known: Callable[[str], Task | None], ids: Iterable[str]) -> None:
    """Refuse ids that stand for the entries of a task: entry 2 of ``t`` is called ``t.2``.

    `known` finds the other tasks of the graph, `ids` are theirs.

    Raises:
        InvalidGraph: the task is called like an entry of another one, or another one like an entry of it.
    """
    head, dot, number = task.id.rpartition(".")
    if dot and number.isdigit() and (mapped := known(head)) is not None and mapped.each is not None:
        raise InvalidGraph(f"Task {task.id!r} is called like an entry of {head!r}: give it another id.")
    if task.each is not None:
        for other in ids:
            head, _, number = other.rpartition(".")
            if head == task.id and number.isdigit():
                raise InvalidGraph(
                    f"Task {other!r} is called like an entry of {task.id!r}: give it another id."
                )
