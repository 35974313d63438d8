"""Schedule: which task is next. It decides and does nothing: no clock, no journal, no event loop.

Whoever carries tasks out asks `next` until it gives None, and says of each task what became of it. What follows
for others is decided here: those that are ready go into the queue, those that will never be are in `skips`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..errors import InvalidInput
from ..events import SkipReason
from ..graph import Task, TaskGraph
from .growth import Growing, checked

State = Literal[
    "waiting", "ready", "running", "open", "paused", "finished", "failed", "skipped", "passed_over"
]
"""Where a task stands. `open`: its entries are at work. `paused`: it waits for a retry or a person, and holds no
place. `skipped`: one that it needs has no result. `passed_over`: its condition, or that of one it reads, is not
met. The last four are ends."""

_SETTLED = frozenset({"finished", "passed_over"})
_LOST = frozenset({"failed", "skipped"})
_AHEAD = frozenset({"waiting", "ready", "running", "paused"})
_DEFAULT_SECONDS = 1.0
_UNKNOWN = -1.0

_Place = tuple[float, int, int, str]
"""Where a unit stands in a queue: by its chain, then in the order of tasks and of entries; and its id."""


class Skip(NamedTuple):
    """A task that will not be begun, the one because of which, and why."""

    task_id: str
    cause: str
    reason: SkipReason


@dataclass(slots=True, eq=False)
class Unit:
    """One task, or one entry of a task with `each`, and where it stands.

    `chain` is how many seconds the longest chain takes that hangs on it, itself included.
    """

    task: Task
    needs: tuple[str, ...]
    place: int
    index: int = 0
    state: State = "waiting"
    unsettled: int = 0
    chain: float = _UNKNOWN
    dependents: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id of the task or entry."""
        return self.task.id

    @property
    def seconds(self) -> float:
        """How long it is expected to take."""
        expected = self.task.expected_seconds
        return _DEFAULT_SECONDS if expected is None else expected


class Schedule:
    """The tasks of one run under way, at most `limit` of them at once, and at most `agents[role]` of one role.

    Of those that are ready, the one goes first on which the longest chain hangs (in `Task.expected_seconds`); one
    whose agent is busy lets the next go first.

    Raises:
        InvalidInput: a limit is below 1.
    """

    __slots__ = (
        "_agents",
        "_any_passed_over",
        "_causes",
        "_free",
        "_queues",
        "_units",
        "seconds_left",
        "skips",
    )

    def __init__(self, graph: TaskGraph, *, limit: int = 8, agents: Mapping[str, int] | None = None) -> None:
        if limit < 1:
            raise InvalidInput(f"At most {limit} tasks at once means none: the limit is 1 or more.")
        for role, most in (agents or {}).items():
            if most < 1:
                raise InvalidInput(f"At most {most} tasks of {role!r} at once means none: give 1 or more.")
        self.skips: list[Skip] = []
        """Tasks that will not be begun and nobody was told of: whoever tells of them takes them out."""
        self._units: dict[str, Unit] = {}
        self._free = limit
        self._agents = dict(agents or {})
        self._queues: dict[str | None, list[_Place]] = {None: [], **{role: [] for role in self._agents}}
        self._causes: dict[str, Skip] = {}
        self._any_passed_over = False
        self.seconds_left = 0.0
        """How long the tasks that have not ended take, one after the other."""
        for task in graph.tasks:
            self._units[task.id] = Unit(task, graph.needs(task.id), len(self._units))
        self._connect(list(graph.order))

    def __iter__(self) -> Iterator[Unit]:
        return iter(self._units.values())

    def __getitem__(self, unit_id: str) -> Unit:
        return self._units[unit_id]

    def __contains__(self, unit_id: object) -> bool:
        return unit_id in self._units

    def next(self) -> Unit | None:
        """The task to begin now; it holds a place until it is said what became of it. None: no place, or none ready."""
        if not self._free:
            return None
        best: list[_Place] | None = None
        for role, queue in self._queues.items():
            if role is not None and not self._agents[role]:
                continue
            while queue and not self._holds(queue[0]):
                heapq.heappop(queue)
            if queue and (best is None or queue[0] < best[0]):
                best = queue
        if best is None:
            return None
        unit = self._units[heapq.heappop(best)[3]]
        unit.state = "running"
        self._free -= 1
        if unit.task.agent in self._agents:
            self._agents[unit.task.agent] -= 1
        return unit

    def finish(self, unit: Unit) -> None:
        """It has its result."""
        self._leave(unit, "finished")
        self._settle(unit)

    def pass_over(self, unit: Unit) -> None:
        """Its condition does not hold: those that read its result are passed over with it."""
        self._any_passed_over = True
        self._leave(unit, "passed_over")
        self._settle(unit)

    def fail(self, unit: Unit, reason: SkipReason = "failed") -> None:
        """It has no result and will have none: all that need it are skipped."""
        self._leave(unit, "failed")
        self._skip_after(unit, Skip(unit.id, unit.id, reason))

    def pause(self, unit: Unit) -> None:
        """It waits for something, and gives its place back until then."""
        self._leave(unit, "paused")

    def again(self, unit: Unit) -> None:
        """What it waited for is there: it queues for a place."""
        self._queue(unit)

    def open(self, unit: Unit, entries: Sequence[Task]) -> list[Unit]:
        """Its entries take its place: they queue where it stood, each for a place of its own."""
        self._leave(unit, "open")
        made = [Unit(task, (), unit.place, index, chain=unit.chain) for index, task in enumerate(entries, 1)]
        for entry in made:
            self._units[entry.id] = entry
            self.seconds_left += entry.seconds
            self._queue(entry)
        return made

    def add(self, tasks: Sequence[Task], then: Sequence[str] = ()) -> tuple[Task, ...]:
        """Lay tasks into the graph, and let those named in `then` wait for them; those that were not in it yet.

        Raises:
            InvalidGraph: an id is taken by another task, a dependency is not there, the tasks would wait for each
                other, or one in `then` has begun. Nothing was laid in.
        """
        growing = checked(self._units, tasks, then)
        for task in growing.new:
            self._units[task.id] = Unit(task, growing.needs[task.id], len(self._units))
        self._connect(growing.order)
        self._let_wait(growing)
        return tuple(growing.new)

    def _connect(self, order: Sequence[str]) -> None:
        """Units that were just laid in, each after those it needs, become part of the graph."""
        units = [self._units[unit_id] for unit_id in order]
        self.seconds_left += sum(unit.seconds for unit in units)
        dependents: dict[str, list[str]] = {}
        for unit in units:
            for need in unit.needs:
                dependents.setdefault(need, []).append(unit.id)
                if self._units[need].state not in _SETTLED:
                    unit.unsettled += 1
        for need, ids in dependents.items():
            self._units[need].dependents += tuple(ids)
        for unit in reversed(units):
            longest = max([self._units[other].chain for other in unit.dependents], default=0.0)
            self._lift(unit, longest)
        for unit in units:
            if unit.state != "waiting":
                continue
            lost = next((need for need in unit.needs if self._units[need].state in _LOST), None)
            if lost is not None:
                self._skip(unit, self._causes[lost])
            elif not unit.unsettled and not self._consider(unit):
                self._settle(unit)

    def _let_wait(self, growing: Growing) -> None:
        for unit_id, more in growing.waits.items():
            unit = self._units[unit_id]
            unit.needs += more
            for need in more:
                other = self._units[need]
                other.dependents += (unit_id,)
                if other.state in _LOST and unit.state not in _LOST:
                    self._skip(unit, self._causes[need])
                    self._skip_after(unit, self._causes[need])
                elif other.state not in _SETTLED:
                    unit.unsettled += 1
                    if unit.state == "ready":
                        unit.state = "waiting"
                self._lift(other, unit.chain)

    def _lift(self, unit: Unit, after: float) -> None:
        """A chain of `after` seconds hangs on this unit: it, and all it needs, may have become more urgent."""
        pending = deque([(unit, after)])
        while pending:
            lifted, hanging = pending.popleft()
            chain = lifted.seconds + hanging
            if chain <= lifted.chain:
                continue
            lifted.chain = chain
            if lifted.state == "ready":
                self._queue(lifted)
            for need in lifted.needs:
                other = self._units[need]
                if other.chain != _UNKNOWN and other.state not in _SETTLED:
                    pending.append((other, chain))

    def _settle(self, unit: Unit) -> None:
        pending = [unit]
        while pending:
            for other_id in pending.pop().dependents:
                other = self._units[other_id]
                other.unsettled -= 1
                if not other.unsettled and other.state == "waiting" and not self._consider(other):
                    pending.append(other)

    def _consider(self, unit: Unit) -> bool:
        """All that it needs is settled: whether it is to be begun, or is passed over with what it reads."""
        if self._any_passed_over:
            for read in unit.task.refers_to:
                if self._units[read].state == "passed_over":
                    self._moves(unit, "passed_over")
                    self.skips.append(Skip(unit.id, read, "condition"))
                    return False
        self._queue(unit)
        return True

    def _skip_after(self, unit: Unit, cause: Skip) -> None:
        self._causes[unit.id] = cause
        pending = deque(unit.dependents)
        while pending:
            other = self._units[pending.popleft()]
            if other.state not in _LOST:
                self._skip(other, cause)
                pending.extend(other.dependents)

    def _skip(self, unit: Unit, cause: Skip) -> None:
        self._moves(unit, "skipped")
        self._causes[unit.id] = cause
        self.skips.append(Skip(unit.id, cause.cause, cause.reason))

    def _queue(self, unit: Unit) -> None:
        self._moves(unit, "ready")
        role = unit.task.agent if unit.task.agent in self._agents else None
        heapq.heappush(self._queues[role], (-unit.chain, unit.place, unit.index, unit.id))

    def _holds(self, place: _Place) -> bool:
        """Whether a place in a queue is still somebody's: units wait anew, and go further ahead."""
        unit = self._units[place[3]]
        return unit.state == "ready" and unit.chain == -place[0]

    def _leave(self, unit: Unit, state: State) -> None:
        if unit.state == "running":
            self._free += 1
            if unit.task.agent in self._agents:
                self._agents[unit.task.agent] += 1
        self._moves(unit, state)

    def _moves(self, unit: Unit, state: State) -> None:
        if (unit.state in _AHEAD) != (state in _AHEAD):
            self.seconds_left += unit.seconds if state in _AHEAD else -unit.seconds
        unit.state = state


def critical_path(graph: TaskGraph) -> dict[str, float]:
    """For each task, the seconds (`Task.expected_seconds`, 1 where nothing is said) of the longest chain that hangs
    on it, itself included."""
    return {unit.id: unit.chain for unit in Schedule(graph)}
