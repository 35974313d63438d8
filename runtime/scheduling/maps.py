"""Maps: a task that is carried out once for every entry of a list, and how its entries come together."""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from ..errors import Rejected, TaskFailed
from ..graph import ITEM, Task, TaskResult, resolve
from .outcome import said
from .schedule import Unit


class Map:
    """One task with `each` under way.

    `entries` are the values of its list; with `given`, a person has said the arguments of each instead.
    """

    def __init__(
        self,
        unit: Unit,
        entries: list[JsonValue],
        *,
        given: bool,
        inputs: dict[str, TaskResult],
        key: str,
    ) -> None:
        self.unit = unit
        self.inputs = inputs
        self.key = key
        self.began = time.monotonic()
        self._entries = entries
        self._given = given
        self._results: dict[int, TaskResult] = {}
        self._failures: dict[int, Exception] = {}

    def tasks(self) -> list[Task]:
        """One task for each entry, called after this one and counted from 0."""
        shared = {"each": None, "when": None, "approval": False, "depends_on": self.unit.needs}
        return [self.unit.task.model_copy(update={"id": entry_id, **shared}) for entry_id in self.ids()]

    def args(self, entry: Unit) -> dict[str, JsonValue]:
        """The arguments of one entry.

        Raises:
            InvalidGraph: they refer to a field that it, or a result, does not have.
        """
        value = self._entries[entry.index - 1]
        if self._given:
            return dict(value) if isinstance(value, dict) else {}
        return entry_args(entry.task, value, self.inputs)

    def ids(self) -> list[str]:
        """The ids of its entries."""
        return [f"{self.unit.id}.{number}" for number in range(len(self._entries))]

    @property
    def ended(self) -> bool:
        """Whether every entry has a result or has failed."""
        return len(self._results) + len(self._failures) == len(self._entries)

    def finish(self, entry: Unit, result: TaskResult) -> None:
        """An entry has its result."""
        self._results[entry.index] = result

    def fail(self, entry: Unit, error: Exception) -> None:
        """An entry has none and will have none."""
        self._failures[entry.index] = error

    def failure(self) -> Exception | None:
        """Why the whole of it failed; None where every entry has its result."""
        if not self._failures:
            return None
        first = min(self._failures)
        error = self._failures[first]
        how = (
            f"{len(self._failures)} of {len(self._entries)} entries failed, entry {first - 1}: {said(error)}"
        )
        kind = Rejected if all(isinstance(one, Rejected) for one in self._failures.values()) else TaskFailed
        failed = kind(how)
        failed.__cause__ = error
        return failed

    def result(self) -> TaskResult:
        """All results as one: the values as a list, the texts line by line, each line of evidence once."""
        results = [self._results[index] for index in sorted(self._results)]
        return TaskResult(
            value=[result.value for result in results],
            text="\n".join(result.text for result in results if result.text),
            evidence=tuple(dict.fromkeys(line for result in results for line in result.evidence)),
        )


def entries_of(task: Task, results: Mapping[str, TaskResult]) -> list[JsonValue]:
    """The list that a task is to be carried out for.

    Raises:
        InvalidGraph: it refers to a field that a result does not have.
        TaskFailed: what it refers to is no list.
    """
    found: Any = resolve(task.each, results)
    if isinstance(found, list):
        return found
    raise TaskFailed(
        f"it is to be done for each of {task.each!r}, which is {type(found).__name__} and not a list: "
        "let that task give a list"
    )


def entry_args(task: Task, entry: JsonValue, results: dict[str, TaskResult]) -> dict[str, JsonValue]:
    """A task's arguments for one entry. Raises `InvalidGraph` when they refer to a field that is not there."""
    found: dict[str, JsonValue] = resolve(task.args, ChainMap({ITEM: TaskResult(value=entry)}, results))
    return found
