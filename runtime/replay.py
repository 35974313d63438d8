"""Replay: a past run read back step by step, with no model and no tool called and nothing written."""

from __future__ import annotations

from collections.abc import Iterable

from .context import Listener, RunContext
from .store import Store


async def open_replay(store: Store, run_id: str, *, listeners: Iterable[Listener] = ()) -> RunContext:
    """A context over the read-only journal of a run: run the same code with it.

    Takes a whole run id, a unique beginning of one, or ``last``. Steps are read from the journal, `emit` only
    tells listeners, and budgets do not apply. The run's line is ``ctx.journal.record``.

    Raises:
        NotFound: there is no such run.
        StoreError: the database cannot be read.
    """
    return RunContext(await store.read_run(run_id), listeners=listeners)
