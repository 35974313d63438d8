"""Replay: a past run read back step by step, with no model and no tool called and nothing written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import cast

from ..context import Listener, RunContext
from ..errors import CrewgraphError, ReplayDiverged, RunWaiting, Suspended
from ..events import PlanMade
from ..journalling.redaction import Redactor
from ..journalling.row import decode, fields, jsonable
from ..store import Store
from .divergence import difference
from .unrecorded import ended, recorded_end


async def open_replay(
    store: Store, run_id: str, *, listeners: Iterable[Listener] = (), redactor: Redactor | None = None
) -> RunContext:
    """A context over the read-only journal of a run: run the same code with it, inside `to_its_end`.

    Takes a whole run id, a unique beginning of one, or ``last``. Steps are read from the journal, `emit` only
    tells listeners, and budgets do not apply. The run's line is ``ctx.journal.record``. `redactor` has to take out
    the secrets that were taken out then, or the inputs of steps are not those of the journal.

    Where the code now does otherwise, `ReplayDiverged` names the first such step. Tasks side by side each go on as
    far as they can, so that it is the first one in the order of the journal, whichever came to it first.

    Raises:
        NotFound: there is no such run.
        StoreError: the database cannot be read.
    """
    return RunContext(await store.read_run(run_id), listeners=listeners, redactor=redactor)


@contextmanager
def to_its_end(ctx: RunContext) -> Iterator[None]:
    """Wrap the code of a replay in it: a run that ended without an answer ends as it did then.

    A task that failed fails again by itself, and a question that nobody answered waits again. Only where the run was
    ended from outside in the middle of a task (its budget was used up, somebody cancelled it) does the code want to go
    on where the journal has nothing more: its tasks are left there, and the error is the one of that time.

    Raises:
        CrewgraphError: the one with which the run ended, or that it was cancelled.
    """
    try:
        yield
    except ReplayDiverged:
        raise
    except (CrewgraphError, Suspended) as now:
        journal = ctx.journal
        end = ended(journal)
        # Tasks that failed side by side fail in another order where no time passes: which one is told stays the same.
        alike = isinstance(now, CrewgraphError) and end is not None and fields(end).get("code") == now.code
        if end is None or not (journal.stopped or alike):
            raise
        if end.kind == "run_cancelled":
            error: Exception = CrewgraphError(
                f"Run {ctx.run_id} was cancelled here: what was finished is kept, resume it to go on."
            )
        elif end.kind == "run_paused":
            error = RunWaiting(fields(end).get("reason", ""))
        else:
            error = recorded_end(end)
        raise error from now.__cause__


def plan_again(ctx: RunContext, made: PlanMade, place: int = 0) -> PlanMade:
    """In a replay, the plan to carry out where the code has now `made` this one: the journal's, which is the same.

    `place` is how many plans this run has had before it. A fork may have been given another plan than its planning came
    to: there the journal's counts.

    Raises:
        ReplayDiverged: the same steps of planning now come to another plan.
    """
    if not ctx.replaying or place >= len(ctx.journal.plans):
        return made
    row = ctx.journal.plans[place]
    planned = cast(PlanMade, decode(row))
    then, now = (
        jsonable(plan.model_dump(include={"tasks"}, exclude_defaults=True)) for plan in (planned, made)
    )
    if not ctx.journal.forked and then != now:
        raise ReplayDiverged(
            f"Replay of run {ctx.run_id} diverged: the planning read the same steps and now makes another plan: "
            f"{difference(then, now, 'plan')}.",
            (row.at, row.seq),
        )
    return planned
