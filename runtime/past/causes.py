"""Causes: in which order two runs' tasks could act on one another, and the way a change takes from task to task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from .account import Account


class Causes:
    """The tasks of two runs as one graph. `order` has every task id after all that could have acted on it.

    A task is acted on by the planning (``""``), by those whose results it needs, by the one that added it, and,
    where it is done for each entry of a list, by its entries.
    """

    def __init__(self, a: Account, b: Account) -> None:
        self.a = a
        self.b = b
        self._before: dict[str, set[str]] = defaultdict(set)
        self._added: dict[str, set[str]] = defaultdict(set)
        self._places: dict[str, int] = {}
        for run in (a, b):
            for place, task_id in enumerate(run.tasks):
                self._places[task_id] = min(place, self._places.get(task_id, place))
            self._take(run)
        self.order = self._ordered()

    def grown(self, task_id: str) -> bool:
        """Whether another task added this one while its run went on."""
        return any(self._added[task_id])

    def flow(
        self, starts: Collection[str], moved: Collection[str], parted: Collection[str]
    ) -> Iterator[tuple[str, str]]:
        """The tasks in `parted` that a change in `starts` got to, in order, each with the one it came through.

        It goes on from a task in `moved`, one that came to something else, and to what a task has added.
        """
        got_to = set(starts)
        for task_id in self.order:
            if task_id in got_to or task_id not in parted:
                continue
            ways = [
                before
                for before in self._before[task_id]
                if before in got_to and (before in moved or before in self._added[task_id])
            ]
            if ways:
                got_to.add(task_id)
                yield task_id, max(ways, key=self._rank.__getitem__)

    def _take(self, run: Account) -> None:
        for task in run.tasks.values():
            if not task.id:
                continue
            before = self._before[task.id]
            before.add("")
            if task.added_by is not None:
                self._added[task.id].add(task.added_by)
                before.add(task.added_by)
            before.update(task.waits_for)
            whole = task.id.rpartition(".")[0]
            if task.planned is None and whole in run.tasks:
                self._before[whole].add(task.id)
                before.update(run.tasks[whole].waits_for)

    def _ordered(self) -> tuple[str, ...]:
        """By the length of the longest way to a task, so that the order is the same whichever run comes first."""
        after: dict[str, list[str]] = defaultdict(list)
        waiting: dict[str, int] = {}
        for task_id in self._places:
            known = self._before[task_id] = {
                one for one in self._before[task_id] if one in self._places and one != task_id
            }
            waiting[task_id] = len(known)
            for before in known:
                after[before].append(task_id)
        depth = dict.fromkeys(self._places, 0)
        free = [task_id for task_id, count in waiting.items() if not count]
        done = set(free)
        while free:
            task_id = free.pop()
            done.add(task_id)
            for later in after[task_id]:
                depth[later] = max(depth[later], depth[task_id] + 1)
                waiting[later] -= 1
                if not waiting[later]:
                    free.append(later)
        # Two plans may use the same ids the other way round: what then waits for itself comes last.
        order = sorted(self._places, key=lambda one: (one not in done, depth[one], self._places[one], one))
        self._rank = {task_id: rank for rank, task_id in enumerate(order)}
        return tuple(order)
