"""Given: what each task is given, the results so far among it, and the key that stands for all of it."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from pydantic import JsonValue

from ..graph import Task, TaskResult, resolve
from .keys import result_json, task_key
from .maps import Map, entries_of, entry_args
from .schedule import Unit

_LONG = 2048
"""Bytes of JSON from which on a hash is kept: it takes longer to make than it is worth in memory."""


class Work(NamedTuple):
    """What one task is given: results, arguments, with `each` the `entries`; and the `key` of all that."""

    inputs: dict[str, TaskResult]
    needs: tuple[str, ...]
    args: dict[str, JsonValue]
    key: str
    entries: list[JsonValue] | None = None

    def filled(self, task: Task) -> Task:
        """The task as its worker gets it."""
        if self.needs == task.depends_on and self.args == task.args:
            return task
        return task.model_copy(update={"args": self.args, "depends_on": self.needs})


class Givens:
    """The results of whole tasks, what people have said of arguments, and the maps under way."""

    __slots__ = ("_digests", "agreed", "maps", "results")

    def __init__(self) -> None:
        self.results: dict[str, TaskResult] = {}
        self.agreed: dict[str, JsonValue] = {}
        """Tasks that a person has agreed to; where they gave other arguments, those."""
        self.maps: dict[str, Map] = {}
        """For each entry, the map that it is one of."""
        self._digests: dict[str, bytes] = {}

    def work(self, unit: Unit) -> Work:
        """What a task, or an entry of one, is given.

        Raises:
            InvalidGraph: it refers to a field that a result or an entry does not have.
            TaskFailed: it is to be done for each of something that is no list.
        """
        task, agreed = unit.task, self.agreed.get(unit.id)
        if unit.index:
            mapped = self.maps[unit.id]
            args = mapped.args(unit)
            key = task_key(task, mapped.unit.needs, args, map(self._digest, mapped.inputs))
            return Work(mapped.inputs, mapped.unit.needs, args, key)
        needs, args, entries = unit.needs, task.args, None
        inputs = {need: self.results[need] for need in needs if need in self.results}
        if task.each is not None:
            entries = agreed if isinstance(agreed, list) else entries_of(task, inputs)
        elif isinstance(agreed, dict):
            args = agreed
        elif args:
            args = resolve(args, inputs)
        return Work(
            inputs, needs, args, task_key(task, needs, args, map(self._digest, inputs), entries), entries
        )

    def proposed(self, task: Task) -> JsonValue:
        """The arguments that a person is asked about; of a map, those of each entry. Raises as `work` does."""
        if task.each is None:
            found: JsonValue = resolve(task.args, self.results)
            return found
        return [entry_args(task, entry, self.results) for entry in entries_of(task, self.results)]

    def _digest(self, task_id: str) -> bytes:
        found = self._digests.get(task_id)
        if found is None:
            text = result_json(self.results[task_id])
            found = hashlib.sha256(text).digest()
            if len(text) > _LONG:
                self._digests[task_id] = found
        return found
