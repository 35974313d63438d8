"""Recalling: looking for plans that worked, as a step of a run, so that a replay reads the same ones and looks nowhere."""

from __future__ import annotations

from ...agents.crew import Crew
from ...runtime.context import RunContext
from ...runtime.errors import ReplayDiverged
from ..asked import Example
from .memory import PlanMemory


async def examples_for(
    memory: PlanMemory | None, request: str, crew: Crew, ctx: RunContext, *, limit: int = 3
) -> tuple[Example, ...]:
    """Plans that worked for requests like this one, likest first; none where there is no memory. Never raises for it.

    A run that was made without a memory is replayed without one, and one that was made with it reads back what it
    was given, whether or not there is one now.
    """
    if memory is None and not ctx.replaying:
        return ()

    async def look() -> tuple[Example, ...]:
        assert memory is not None, "a replay reads the examples from the journal"
        return tuple(await memory.recall(request, crew, tenant=ctx.tenant, limit=limit))

    inputs = {"request": request, "limit": limit}
    try:
        found = await ctx.step("recall", look, inputs=inputs, returns=tuple[Example, ...])
    except ReplayDiverged:
        return ()
    if memory is not None and memory.trouble and not ctx.replaying:
        await ctx.note(memory.trouble)
    return found
