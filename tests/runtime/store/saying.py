"""What the tests of stores have said in a run."""

from __future__ import annotations

import time

from crewgraph.runtime.events import (
    Asked,
    Event,
    Noted,
    StepFinished,
)
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.store.store import SqlStore

LONG = "long " * 20_000


def note(text: str = "x", task_id: str = "") -> Noted:
    return Noted(at=time.time(), task_id=task_id, text=text)


def step(output: object = 1, *, task_id: str = "t", key: str = "k", **used: float) -> StepFinished:
    return StepFinished.model_validate(
        {"at": time.time(), "task_id": task_id, "name": "s", "key": key, "output": output, **used}
    )


async def write_all(journal: Journal, *events: Event) -> None:
    for event in events:
        journal.write(event)
    await journal.flush()


async def waiting(store: SqlStore, **options: str) -> Journal:
    journal = await store.create_run("crew", "r", **options)  # type: ignore[arg-type]
    await journal.append(
        Asked(at=1.0, task_id="t", key="question-1", question="May I?", choices=("approve", "edit", "reject"))
    )
    return journal
