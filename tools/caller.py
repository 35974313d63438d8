"""Caller: for whom a tool is called, for tools that keep something or tell something that is not for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..runtime.context import RunContext


@dataclass(frozen=True, slots=True)
class Caller:
    """Which run, which task, which agent's role, for which tenant and in which conversation; "" where there is none.

    A parameter of a tool's function that is annotated with this gets it, in a run and outside of one. It is no argument:
    neither planners nor models see the parameter, so no model can speak for another tenant.
    """

    run_id: str = ""
    task_id: str = ""
    agent: str = ""
    tenant: str = ""
    thread: str = ""

    @classmethod
    def of(cls, ctx: RunContext, agent: str = "") -> Caller:
        """Who calls from this task of this run."""
        record = ctx.journal.record
        thread = (record.thread_id or "") if record is not None else ""
        return cls(ctx.run_id, ctx.task_id, agent, ctx.tenant, thread)


NOBODY = Caller()
"""Whoever calls a tool outside of a run."""
