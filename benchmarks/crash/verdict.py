"""Verdict: what a run came to, held against the world outside and against what must have come of it.

Read in a process of its own, from the journal and the world alone.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crash.job import Job, answer, expected
from crash.sitting import Sitting
from crash.world import World
from crewgraph.runtime.errors import CrewgraphError
from crewgraph.runtime.events import (
    Answered,
    Event,
    RunFinished,
    RunResumed,
    RunStarted,
    StepErred,
    StepFinished,
    StepIntended,
    TaskFinished,
    TasksAdded,
    TaskStarted,
)
from crewgraph.runtime.journalling.row import check_links, decode
from crewgraph.runtime.store import open_store

_UNKNOWN = "outcome_unknown"


@dataclass
class Verdict:
    """What was found, each in one sentence; nothing where all is well. `doubts` is how many effects were in doubt."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    doubts: int = 0
    resumed: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.lost or self.doubled or self.wrong or self.silent)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Verdict:
        return cls(**json.loads(path.read_text()))


def go(database: str, run_id: str, job: Job, world: World, sitting: Sitting, path: Path) -> int:
    """Judge the run in this process, and save the verdict."""
    verdict = Verdict()
    try:
        asyncio.run(_judge(database, run_id, job, world, sitting, verdict))
    except CrewgraphError as error:
        verdict.wrong.append(f"its journal cannot be read: {type(error).__name__} {error}")
    world.close()
    verdict.save(path)
    return 0


async def _judge(
    database: str, run_id: str, job: Job, world: World, sitting: Sitting, verdict: Verdict
) -> None:
    async with open_store(database) as store:
        rows = await store.rows(run_id)
        check_links(run_id, rows)
        record = await store.find_run(run_id)
        events = [decode(row) for row in rows]
        for seq, link in world.left("told"):
            if int(seq) > len(rows) or rows[int(seq) - 1].link.hex() != link:
                verdict.lost.append(f"event {seq} was said to be safe, and is not what the journal holds")
        _once_each(events, verdict)
        _doubts(run_id, events, world, verdict)
        _outside(run_id, events, world, verdict)
        finished = [event for event in events if isinstance(event, RunFinished)]
        if not finished or record.status != "finished" or record.answer != finished[-1].answer:
            verdict.wrong.append(f"the run is over, and its record says {record.status} {record.answer!r}")
            return
        _answer(job, events, world, finished[-1].answer, verdict)
        for (other,) in world.left("others"):
            if not await store.events(other):
                verdict.lost.append(f"run {other}, which was in the database before, has no events any more")
        replayed = await sitting.replayed(await store.read_run(run_id))
        if replayed != finished[-1].answer:
            verdict.wrong.append(f"a replay gives {replayed} and the run gave {finished[-1].answer}")


def _once_each(events: Sequence[Event], verdict: Verdict) -> None:
    """Nothing is journalled twice, and no finished task begins again."""
    seen: Counter[str] = Counter()
    over: set[str] = set()
    for event in events:
        match event:
            case RunResumed():
                verdict.resumed += 1
            case RunStarted() | RunFinished():
                seen[event.kind] += 1
            case StepFinished() | Answered():
                seen[f"the result of step {event.name} {event.key} of task {event.task_id!r}"] += 1
            case TaskFinished():
                seen[f"the result of task {event.task_id}"] += 1
                over.add(event.task_id)
            case TasksAdded():
                for task in event.tasks:
                    seen[f"that task {task.id} was added"] += 1
            case TaskStarted() if event.task_id in over:
                verdict.lost.append(f"task {event.task_id} had finished, and began again")
            case _:
                pass
    verdict.doubled += [f"{what} is journalled {n} times" for what, n in seen.items() if n > 1]


def _doubts(run_id: str, events: Sequence[Event], world: World, verdict: Verdict) -> None:
    """Every `once` effect that was begun and not over when a sitting ended is cleared up before it goes on."""
    cleared = {key for (key,) in world.left("cleared")}
    intended = {event.key for event in events if isinstance(event, StepIntended)}
    for (key,) in world.left("begun"):
        if key.removeprefix(f"{run_id}/") not in intended:
            verdict.silent.append(f"effect {key} was begun, and the journal does not say so")
    begun: dict[str, bool] = {}  # by step: whether it is in doubt
    for event in events:
        match event:
            case RunResumed():
                for key, doubtful in begun.items():
                    if not doubtful:
                        begun[key] = True
                        verdict.doubts += 1
            case StepIntended(effect="once"):
                if begun.get(event.key):
                    verdict.silent.append(f"step {event.key} was in doubt, and was begun again")
                begun[event.key] = False
            case StepErred(code=code) if code == _UNKNOWN:
                begun[event.key] = True
                verdict.doubts += 1
            case StepFinished() | StepErred() if event.key in begun:
                if begun.pop(event.key) and f"{run_id}/{event.key}" not in cleared:
                    verdict.silent.append(f"step {event.key} was in doubt, and nobody was asked")
            case _:
                pass
    verdict.silent += [f"step {key} was begun and never cleared up" for key in begun]


def _outside(run_id: str, events: Sequence[Event], world: World, verdict: Verdict) -> None:
    """What the journal says has happened, has; and not twice."""
    effects = {event.key: event.effect for event in events if isinstance(event, StepIntended)}
    done = world.effects()
    keys = Counter(one.key for one in done)
    for event in events:
        if not isinstance(event, StepFinished) or effects.get(event.key, "read_only") == "read_only":
            continue
        if f"{run_id}/{event.key}" not in keys:
            verdict.lost.append(f"the journal says that step {event.name} {event.key} happened; it did not")
    verdict.doubled += [f"effect {key} took place {n} times" for key, n in keys.items() if n > 1]
    for one in done:
        if not one.key.startswith(f"{run_id}/"):
            verdict.wrong.append(f"effect {one.key} is another run's")


def _answer(job: Job, events: Sequence[Event], world: World, said: str, verdict: Verdict) -> None:
    """Every effect in its place, of the right amount, as often as it should; and the right answer."""
    values: dict[str, Any] = {e.task_id: e.result.value for e in events if isinstance(e, TaskFinished)}
    if "dice" not in values or "quote" not in values:
        verdict.lost.append("the results of the tasks dice and quote are gone")
        return
    wanted = expected(job, {name: values[name] for name in ("dice", "quote")})
    happened = Counter((one.place, one.name, one.amount) for one in world.effects())
    for what, times in (wanted.effects - happened).items():
        verdict.lost.append(f"effect {what} is missing ({times})")
    for what, times in (happened - wanted.effects).items():
        verdict.doubled.append(f"effect {what} is there {times} times too often")
    for name, value in wanted.values.items():
        if values.get(name) != value:
            verdict.wrong.append(f"task {name} gave {values.get(name)} and should give {value}")
    if said != answer(wanted.values):
        verdict.wrong.append(f"the answer is {said} and should be {answer(wanted.values)}")
