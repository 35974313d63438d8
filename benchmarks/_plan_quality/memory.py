"""A memory of plans that worked: the reference plans of rows that are not being asked."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from crewgraph.planner.asked import Example
from crewgraph.planner.likeness import Embed
from crewgraph.runtime.graph import Task

from .rows import Row
from .tools import Offer


@dataclass
class Memory:
    """Reference plans by the likeness of their requests. The row that is asked is never among what is given."""

    rows: Sequence[Row]
    offers: Sequence[Offer]
    embed: Embed
    vectors: list[Sequence[float]] = field(default_factory=list)
    _matrix: Any = None

    async def like(self, row: Row, many: int) -> list[Example]:
        """The plans of the requests most like this one, the likest first."""
        if not self.vectors:
            for at in range(0, len(self.rows), 64):
                self.vectors += await self.embed([r.request for r in self.rows[at : at + 64]])
        own = (await self.embed([row.request]))[0]
        graded = (
            (likeness, n)
            for n, likeness in enumerate(self._likeness(own))
            if self.rows[n].id != row.id and self.rows[n].request != row.request
        )
        return [
            Example(self.rows[n].request, _tasks(self.rows[n], self.offers[n]), min(1.0, likeness))
            for likeness, n in heapq.nlargest(many, graded)
        ]

    def _likeness(self, own: Sequence[float]) -> list[float]:
        import numpy as np

        if self._matrix is None:
            self._matrix = np.asarray(self.vectors)
        return [float(x) for x in self._matrix @ np.asarray(own)]


def _tasks(row: Row, offered: Offer) -> tuple[Task, ...]:
    """A row's reference plan as tasks of its crew; arguments are left out, for they are another request's."""
    back = {theirs: own for own, theirs in offered.names.items()}
    after: dict[str, list[str]] = {}
    for start, end in row.edges:
        after.setdefault(end, []).append(f"n{start}")
    return tuple(
        Task(
            id=f"n{node['id']}",
            description=str(node.get("task") or node["tool"]),
            agent="helper",
            tool=back[str(node["tool"])] if "tool" in node else None,
            depends_on=tuple(after.get(str(node["id"]), ())),
        )
        for node in row.nodes
    )
