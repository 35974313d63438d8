"""What past runs took, for planners: read from the store, and kept as long as the house is open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..agents.crew import Crew
from ..planner.estimating.measures import NOTHING_KNOWN, Known, Sample, gathered, of_agent, of_tool
from ..runtime.store import Store

FRESH_SECONDS = 60.0
"""So long the same measures are given again, before the store is asked once more."""


@dataclass
class PastWork:
    """What calls of a crew's tools and agents took in its newest runs (see `runtime.store.sql.work` for how many)."""

    store: Store
    clock: Callable[[], float] = time.monotonic
    _kept: dict[str, tuple[float, Known]] = field(default_factory=dict)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, crew: Crew) -> Known:
        """The measures for a crew.

        Raises:
            StoreError: the database cannot be read.
        """
        async with self._reading:
            at, known = self._kept.get(crew.name, (0.0, None))
            if known is None or self.clock() - at > FRESH_SECONDS:
                known = await self._read(crew.name)
                self._kept[crew.name] = (self.clock(), known)
            return known

    async def _read(self, crew: str) -> Known:
        from ..runtime.store.sql.work import PastTask, past_tasks
        from ..runtime.store.store import SqlStore

        if not isinstance(self.store, SqlStore):
            return NOTHING_KNOWN

        def kind(task: PastTask) -> str:
            if task.tool is not None:
                return of_tool(task.tool)
            return of_agent(task.agent or "", "reasoning" if task.tool_calls else "writing")

        tasks = await past_tasks(self.store.database, self.store.seal, crew)
        return gathered(
            Sample(kind(task), task.seconds, task.tokens, task.money, task.tool_calls) for task in tasks
        )
