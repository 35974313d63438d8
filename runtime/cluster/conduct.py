"""Conduct: carries one run out on this machine; its tasks go to whichever machine is free."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from pydantic import JsonValue

from ..errors import Suspended
from ..journalling.journal import Journal
from .carrier import is_ours
from .claim import Claims
from .cluster import Cluster
from .imports import load
from .orders import Ending, RunOrder

Conductor = Callable[[Journal, Mapping[str, JsonValue], Cluster], Awaitable[None]]
"""Plans and schedules the run of this journal, to its end, and hands its tasks to a `cluster.worker(…)`.

Is given the spec that was submitted. It is called again, on any machine, where the run broke off, and raises what ends
the run without an answer. The journal is closed for it."""


async def conduct(order: RunOrder, cluster: Cluster, claims: Claims) -> Ending:
    """Carry the run out, or on.

    Raises:
        StoreError: this process has lost the database; what becomes of the run is another's business.
    """
    try:
        record = await cluster.store.find_run(order.run)
        if record.id == order.run and record.status == "finished":
            return Ending()  # its last conductor died before it could say so
        async with await claims.open(order.run) as journal:
            conductor: Conductor = load(order.conductor)
            await conductor(journal, order.spec, cluster)
    except (Suspended, Exception) as error:
        if is_ours(error):
            raise
        return Ending.failed(error)
    await cluster.clear(order.run)
    return Ending()
