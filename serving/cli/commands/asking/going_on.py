"""Owns seeing a run through: on its screen to its end, with a person asked where one sits there, and the words
for how to go on where it stops."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...failure import Stopped, Waiting
from ...screens.text import one_line

if TYPE_CHECKING:
    from .....agents.crew import Crew
    from .....planner.orchestrator import Hands
    from .....runtime.budget import Budget
    from .....runtime.reading.history import RunSummary
    from .....runtime.reading.questions import Question
    from .....runtime.store import RunRecord, Store
    from ....house import House, Outcome
    from ...screens.screen import Screen, Startup
    from ...session import Session

Go = Callable[["Screen"], Awaitable["Outcome"]]


@dataclass(frozen=True)
class Sight:
    """Runs seen through in one house. `as_json` shows nothing and asks nobody. `hands` carry the tasks elsewhere."""

    house: House
    startup: Startup
    as_json: bool = False
    hands: Hands | None = None

    async def ask(self, crew: Crew, go: Go, *, budget: Budget | None = None) -> Outcome:
        """A new run that `go` begins, to its end; where it waits for somebody who sits there, they are asked.

        Raises:
            Waiting: it waits for a person who is not here, or does not want to say now.
            Stopped: it was stopped; the words say how to go on.
        """
        return await self._through(crew, go, None, budget)

    async def resume(self, run_id: str, crew: Crew, *, budget: Budget | None = None) -> Outcome:
        """A run that is there, carried on to its end. Raises as `ask` does."""
        return await self._through(crew, None, run_id, budget)

    async def summary(self, outcome: Outcome) -> RunSummary:
        """The whole run that an outcome is of."""
        from .....runtime.reading.history import summarise

        return summarise(await self.house.store.events(outcome.run_id))

    async def _through(self, crew: Crew, go: Go | None, run_id: str | None, budget: Budget | None) -> Outcome:
        from .....runtime.errors import RunWaiting, StepInDoubt

        async with telling_how_to_go_on(self.house.store, run_id):
            while True:
                try:
                    return await self._sitting(crew, go, run_id, budget)
                except (RunWaiting, StepInDoubt) as waits:
                    waiting = waits
                go, run_id = None, waiting.run_id
                questions = await self.house.questions(run_id)
                if not questions or not await self._answered(run_id, questions):
                    raise waiting_for(run_id, questions) from waiting

    async def _sitting(self, crew: Crew, go: Go | None, run_id: str | None, budget: Budget | None) -> Outcome:
        from ...screens.screen import open_screen

        with open_screen(json=self.as_json) as screen, self.startup.shown_on(screen):
            if go is not None:
                return await go(screen)
            assert run_id is not None
            screen.recall(await self.house.store.events(run_id))
            return await self.house.resume(
                run_id, crew, listeners=[screen.event], budget=budget, hands=self.hands
            )

    async def _answered(self, run_id: str, questions: list[Question]) -> bool:
        """Whether somebody who sits there has answered any of them."""
        from .....runtime.errors import InvalidRequest
        from ...screens.dialogue import ask_person, can_ask

        if self.as_json or not can_ask():
            return False
        given = await ask_person(run_id, questions, login_name())
        for question, answer in given:
            try:
                await self.house.answer(run_id, question.key, answer)
            except InvalidRequest as error:  # somebody else was quicker: the run goes on with what they said
                print(one_line(str(error)), file=sys.stderr)
        return bool(given)


@asynccontextmanager
async def open_sight(
    session: Session, *, as_json: bool = False, cluster: bool = False
) -> AsyncIterator[Sight]:
    """A house for one command, and runs seen through in it; with `cluster`, workers carry their tasks.

    Raises:
        StoreError: the database cannot be used.
        InvalidInput: the tenants' file cannot be read, or there can be no cluster here.
    """
    from ....house import House
    from ...screens.screen import Startup

    startup = Startup()
    async with House.open(session.settings, on_progress=startup.progress) as house:
        if not cluster:
            yield Sight(house, startup, as_json)
            return
        async with _hands(session, house) as hands:
            yield Sight(house, startup, as_json, hands)


@asynccontextmanager
async def _hands(session: Session, house: House) -> AsyncIterator[Hands]:
    from importlib.util import find_spec

    from .....runtime.errors import InvalidInput

    if find_spec("dbos") is None:
        raise InvalidInput('A cluster needs DBOS, which is not installed: pip install "crewgraph[cluster]".')
    from .....runtime.cluster.cluster import Cluster
    from ....cluster import cluster_url, hands

    async with Cluster.open(cluster_url(session.settings), house.store) as cluster:
        if not await cluster.any_worker():
            print(
                "crewgraph: no worker is there yet; the run waits until one is started: crewgraph worker --database URL",
                file=sys.stderr,
            )
        yield hands(cluster)


def waiting_for(run_id: str, questions: list[Question]) -> Waiting:
    """The failure of a run that waits for a person, with how to answer."""
    from ....telling import question_json
    from ...pictures.questions import waiting_sentence

    told = [question_json(question, run_id) for question in questions]
    return Waiting(waiting_sentence(run_id, questions), run_id, told)


def login_name() -> str:
    """Who sits there, for the journal; empty where the system does not know."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def crew_of(record: RunRecord, crew_file: str | None) -> Crew:
    """The crew of a run, from its own file or from `crew_file`.

    Raises:
        InvalidCrew: it says no file and none is named, or the file cannot be used.
    """
    from .....runtime.errors import InvalidCrew
    from ....crewfile import load_crew

    file = crew_file or record.crew_path
    if not file:
        raise InvalidCrew(
            f"Run {record.id} does not say which file its crew is in: name it with --crew FILE."
        )
    return load_crew(file)


@asynccontextmanager
async def telling_how_to_go_on(store: Store, run_id: str | None = None) -> AsyncIterator[None]:
    """Inside, being cancelled becomes Stopped with the words that continue the run (None: the newest one)."""
    before = None if run_id else await _newest(store)
    try:
        yield
    except asyncio.CancelledError:
        run = run_id or await _newest(store)
        if run is None or run == before:
            raise
        raise Stopped(f"stopped; continue with crewgraph resume {run}") from None


async def _newest(store: Store) -> str | None:
    runs = await store.list_runs(limit=1)
    return runs[0].id if runs else None
