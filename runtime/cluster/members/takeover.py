"""Takeover: workflows that a dead worker carried are put back on their queues, for the living."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from ..workflows.client import Client
from .link import lock_number

Bury = Callable[[int], Awaitable[Callable[[], Awaitable[None]] | None]]
"""Hold a dead worker's lock; None when it lives, or somebody else looks after it. See `Watch.bury`."""

_log = logging.getLogger(__name__)


async def take_over(client: Client, bury: Bury) -> int:
    """Look after every worker that has work and no lock any more; how many workflows were put back.

    Its lock is held meanwhile, so one worker alone does this. A process that is cut off and goes on with one of them
    can neither journal an effect (its claim on the run is gone with its session) nor give DBOS a result (the workflow
    is no longer its own).
    """
    moved = 0
    for executor in sorted({workflow.executor for workflow in await client.carried()}):
        let_go = await bury(lock_number(executor))
        if let_go is None:
            continue
        try:
            left = await client.carried(executor)  # again, for now nobody else looks after them
            await client.put_back(left)
            moved += len(left)
            _log.info("Worker %s is dead: %d workflows were put back.", executor, len(left))
        finally:
            await let_go()
    return moved
