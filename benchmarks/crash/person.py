"""Person: whoever answers what a run waits for, and looks first whether it has happened."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from typing import Literal

from crash.sitting import result_of
from crash.world import World
from crewgraph.runtime.errors import CrewgraphError, InvalidRequest, NotFound, StoreError
from crewgraph.runtime.events import Answer
from crewgraph.runtime.reading.questions import Question, open_questions
from crewgraph.runtime.store import Store, open_store

Way = Literal["answer", "settle"]
"""By leaving an answer for the next sitting, or by writing into the run's journal at once."""

_PATIENCE = 10.0
_WAIT = 0.02


def go(database: str, run_id: str, world: World, way: Way, seed: int) -> int:
    """Answer everything that is open, in this process. 0, or 12 with one printed line."""
    try:
        asyncio.run(_go(database, run_id, world, way, random.Random(seed)))
    except CrewgraphError as error:
        print("person:", type(error).__name__, error, flush=True)
        return 12
    finally:
        world.close()
    return 0


async def _go(database: str, run_id: str, world: World, way: Way, rng: random.Random) -> None:
    async with open_store(database) as store:
        if not await _at_rest(store, run_id):
            return
        questions = open_questions(await store.events(run_id))
        rng.shuffle(questions)
        doubts = [question for question in questions if question.in_doubt]
        for question in questions:
            if not question.in_doubt:
                await _leave(store, run_id, question, Answer(decision="approve", by="the sweep"))
        if way == "settle" and doubts:
            await _settle(store, run_id, doubts, world)
            return
        for question in doubts:
            key = f"{run_id}/{question.key}"
            done = world.find(key)
            said = (
                Answer(decision="answer", value=result_of(done), by="the sweep")
                if done is not None
                else Answer(decision="reject", by="the sweep")
            )
            world.leave("cleared", key)
            await _leave(store, run_id, question, said)


async def _at_rest(store: Store, run_id: str) -> bool:
    """Whether there is a run that nobody carries out; waits until its database has noticed that a process is dead."""
    late = time.monotonic() + _PATIENCE
    while True:
        try:
            record = await store.find_run(run_id)
        except NotFound:  # it was killed before there was a run
            return False
        if record.status != "running" or time.monotonic() > late:
            return True
        await asyncio.sleep(_WAIT)


async def _leave(store: Store, run_id: str, question: Question, answer: Answer) -> None:
    try:
        await store.answer(run_id, question.key, answer)
    except InvalidRequest as error:
        # Killed after an answer and before the run took it: the first one counts.
        if "answered already" not in str(error):
            raise


async def _settle(store: Store, run_id: str, doubts: list[Question], world: World) -> None:
    late = time.monotonic() + _PATIENCE
    while True:
        try:
            journal = await store.open_run(run_id)
            break
        except StoreError as error:
            if "is being carried out by" not in str(error) or time.monotonic() > late:
                raise
        await asyncio.sleep(_WAIT)
    async with journal:
        for question in doubts:
            key = f"{run_id}/{question.key}"
            done = world.find(key)
            output = result_of(done) if done is not None else None
            world.leave("cleared", key)
            with suppress(NotFound):  # it is over: what was open was read before the run was ours
                await journal.settle(question.key, happened=done is not None, output=output)
