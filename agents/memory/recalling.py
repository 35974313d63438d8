"""Recalling in a run: what is recalled for a task and what is remembered of it are steps, so a replay sees what was then.

The hook for whoever carries a task out::

    before = await recalled(memory, ctx, request, agent=agent.role, crew=crew.name)
    notes = before.notes(lang)          # goes before the task in its prompt; "" where there is nothing
    ...
    await remembered(memory, ctx, request, answer, crew=crew.name)   # once, when the run has its answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from ...runtime.context import RunContext
from ...runtime.errors import CrewgraphError, ReplayDiverged
from .entry import LONGEST, Entry, Provenance, Scope
from .extracting import Said, spoken
from .memory import Memory
from .recollection import Recollection

_EPISODE = 600
"""Characters of a request, and of what came of it, that an episode keeps."""


async def recalled(
    memory: Memory | None,
    ctx: RunContext,
    request: str,
    *,
    agent: str = "",
    tenant: str | None = None,
    crew: str = "",
    user: str = "",
    limit: int = 5,
) -> Recollection:
    """What is remembered that has to do with a request, as a step. Never raises for the memory: `trouble` says why.

    A run that was made without a memory is replayed without one, and one that was made with it reads back what it was
    given, whatever has been remembered or forgotten since. The tenant is the run's where none is named.
    """
    if memory is None and not ctx.replaying:
        return Recollection()
    asker = Scope(**_scope(ctx, tenant, crew, user), agent=agent, thread=_thread(ctx))

    async def look() -> Recollection:
        assert memory is not None, "a replay reads what was recalled from the journal"
        try:
            return await memory.recall(request, asker, limit=limit)
        except CrewgraphError as error:
            return Recollection(query=request, trouble=str(error))

    inputs = {"query": request, "asker": asker.model_dump(exclude_defaults=True), "limit": limit}
    try:
        found = await ctx.step("memory:recall", look, inputs=inputs, returns=Recollection)
    except ReplayDiverged:
        return Recollection()
    if found.trouble:
        await ctx.note(found.trouble)
    return found


async def remembered(
    memory: Memory | None,
    ctx: RunContext,
    request: str,
    outcome: str,
    *,
    tenant: str | None = None,
    crew: str = "",
    user: str = "",
    said: Sequence[Said] | None = None,
    episode: bool = True,
) -> list[str]:
    """Remember of a run what its request tells (`said`: left out, by the rules) and, as an `episode`, what came of it.

    A step: a run that is taken up again remembers once, and a replay remembers nothing. The ids of the memories; never
    raises for the memory, the run's notes say why nothing was kept.
    """
    if memory is None and not ctx.replaying:
        return []
    told = spoken(request) if said is None else said
    where = _scope(ctx, tenant, crew, user)
    inputs = {
        "said": [list(one) for one in told],
        "episode": [request[:_EPISODE], outcome[:_EPISODE]] if episode else None,
        "scope": {name: value for name, value in where.items() if value},
    }

    async def keep() -> list[str]:
        assert memory is not None, "a replay reads what was remembered from the journal"
        key = ctx.idempotency_key("memory:remember", inputs)
        try:
            return [entry.id for entry in await memory.keep(_entries(ctx, inputs, told, where, key))]
        except CrewgraphError as error:
            trouble.append(str(error))
            return []

    trouble: list[str] = []
    if not told and not episode:
        return []
    try:
        ids = await ctx.step("memory:remember", keep, inputs=inputs, returns=list[str], effect="idempotent")
    except ReplayDiverged:
        return []
    for one in trouble:
        await ctx.note(one)
    return ids


def _entries(
    ctx: RunContext, inputs: Mapping[str, object], told: Sequence[Said], where: dict[str, str], key: str
) -> list[Entry]:
    said = Provenance(by="user", run_id=ctx.run_id, task_id=ctx.task_id, thread=_thread(ctx))
    scope = Scope(**where)
    found = [one.entry(scope, said, f"{key}#{n}") for n, one in enumerate(told)]
    if (happened := cast("list[str] | None", inputs["episode"])) is not None:
        asked, came = (" ".join(text.split()) for text in happened)
        text = f"{asked} → {came}"[:LONGEST] if came else asked
        if text:
            own = said.model_copy(update={"by": "run"})
            found.append(Said(text, "episode").entry(scope, own, f"{key}#episode"))
    return found


def _scope(ctx: RunContext, tenant: str | None, crew: str, user: str) -> dict[str, str]:
    return {"tenant": ctx.tenant if tenant is None else tenant, "crew": crew, "user": user}


def _thread(ctx: RunContext) -> str:
    record = ctx.journal.record
    return (record.thread_id or "") if record is not None else ""
