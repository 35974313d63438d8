"""Sources: what a reference in a plan points to, as a type, before anything has been carried out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from ...agents.crew import Crew
from ...runtime.graph import ITEM, RESULT, Reference, Task, references, resolve
from .kinds import Known, bare, entries, field_of, fields_of, name_of, options, span_of
from .lengths import Span, list_of
from .words import choose


class Unknown(Exception):
    """A reference points to nothing: what is wrong, and how to mend it. It never leaves the checker."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Sources:
    """What the results of these tasks of a crew are. `item` is the entry at hand of a task with `each`, `own` the result
    of the task that is looked at, where one may be spoken of."""

    crew: Crew
    tasks: Mapping[str, Task]
    item: Any = None
    own: Any = None

    def with_item(self, item: Any) -> Sources:
        """The same, for one entry."""
        return Sources(self.crew, self.tasks, item, self.own)

    def only_result(self, task: Task) -> Sources:
        """What an expectation of a task may speak of: its own result, and nothing else."""
        return Sources(self.crew, {}, None, self.result(task))

    def result(self, task: Task) -> Any:
        """What carrying the task out gives; of a task with `each`, for one entry."""
        if task.tool is not None:
            return self.crew.toolset[task.tool].returns if task.tool in self.crew.toolset else Any
        agent = next((a for a in self.crew.everyone if a.role == task.agent), None)
        return str if agent is None or agent.output_type is None else agent.output_type

    def kind(self, ref: Reference) -> Any:
        """What a reference points to.

        Raises:
            Unknown: there is no such result, or no such field in it.
        """
        said = f"${ref.task}"
        if self.own is not None:
            if ref.task != RESULT:
                raise Unknown(
                    f"it expects something of {said}", f'speak of "${RESULT}", its own result, alone'
                )
            found = self.own
        elif ref.task == ITEM and self.item is not None:
            found = self.item
        elif ref.task in self.tasks:
            task = self.tasks[ref.task]
            found = self.result(task) if task.each is None else list_of(self.result(task), self._count(task))
        else:
            return Any  # that it is missing is said once, where the plan's shape is looked at
        for name in ref.path:
            inner = field_of(found, name)
            if inner is None:
                where = (
                    "the entry" if ref.task == ITEM and self.item is not None else f"the result of {ref.task}"
                )
                fields = fields_of(found)
                mend = choose(name, fields) if fields else f"refer to {said} as a whole"
                raise Unknown(f"{where} ({name_of(found)}) has no field {name!r}", mend)
            found = inner
        return found

    def _count(self, task: Task) -> Span:
        """How many entries a task with `each` is done for."""
        if isinstance(task.each, list):
            return Span(len(task.each), len(task.each))
        ref = Reference.parse(task.each)
        if ref is None:
            return Span()
        others = {
            name: other for name, other in self.tasks.items() if name != task.id
        }  # lest it go in circles
        try:
            return span_of(Sources(self.crew, others).kind(ref))
        except Unknown:
            return Span()  # said of that task

    def settled(self, value: JsonValue) -> Any:
        """A value with its references filled in, as far as it stands fast while planning: `Known`, or else Any.

        Raises:
            Unknown: a reference in it points to nothing.
        """
        ref = Reference.parse(value)
        if ref is not None:
            return self.kind(ref)
        if isinstance(value, list):
            parts = [self.settled(part) for part in value]
            whole = all(isinstance(part, Known) for part in parts)
            return Known([part.value for part in parts]) if whole else _list(parts)
        if isinstance(value, dict):
            inside = {name: self.settled(part) for name, part in value.items()}
            whole = all(isinstance(part, Known) for part in inside.values())
            return Known({name: part.value for name, part in inside.items()}) if whole else dict[str, Any]
        return Known(resolve(value, {}))

    def entries(self, task: Task) -> Iterator[Any]:
        """What the entries of a task with `each` are: each of a list that is written out, else one for all.

        Raises:
            Unknown: what it is to be done for is no list.
        """
        if isinstance(task.each, list):
            yield from (self.settled(entry) for entry in task.each)
            return
        ref = Reference.parse(task.each)
        if ref is None:
            return  # said where the plan's shape is looked at
        kind = self.kind(ref)
        found = _entries(kind)
        if found is None:
            raise Unknown(
                f"it is to be done for each of {task.each}, which is {name_of(kind)} and no list",
                "refer to a list, or leave `each` out",
            )
        yield found


def refers(value: JsonValue) -> bool:
    """Whether there is a reference in it."""
    return any(True for _ in references(value))


def missing(task: Task, known: Mapping[str, Task]) -> Iterator[tuple[str, str]]:
    """The tasks that one waits for and that are not there: what is wrong with each, and how to mend it."""
    for need in task.needs:
        if need in known:
            continue
        if need == ITEM:
            yield (
                f'it speaks of "${ITEM}", and it is not done for each of a list',
                "give it `each`, or refer to a task",
            )
            continue
        escape = "" if need in task.depends_on else f', or write "$${need}" for the text itself'
        have = [other for other in known if other != task.id]
        yield (
            f"it waits for {need!r}, which is not in the graph",
            f"{choose(need, have)}{escape}" if have else f"refer to no other task{escape}",
        )


def _entries(kind: Any) -> Any | None:
    if isinstance(kind, Known):
        return Any if isinstance(kind.value, list) else None
    kind, _ = bare(kind)
    if kind is Any or kind is object:
        return Any
    for part in options(kind) or (kind,):
        if part is Any:
            return Any
        inner = entries(part)
        if inner is not None:
            return inner[0] if len(inner) == 1 else Any
    return None


def _list(parts: list[Any]) -> Any:
    kinds = {name_of(part): part for part in parts if not isinstance(part, Known)}
    alike = len(kinds) == 1 and not any(isinstance(part, Known) for part in parts)
    return list_of(parts[0] if alike else Any, Span(len(parts), len(parts)))
