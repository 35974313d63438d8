"""Errands: the runs that are carried out here for A2A clients, each to its end whether or not somebody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.errors import CrewgraphError, RunWaiting, StepInDoubt, StoreError
from ...runtime.events import Noted, RunCancelled, RunErred
from ..api.errors import ApiError
from ..api.gate import Gate
from ..api.turn import ended, log
from ..api.words import Words
from . import telling

if TYPE_CHECKING:
    from ...agents.crew import Crew
    from ...runtime.context import Listener
    from ...runtime.journalling.journal import Journal
    from ...runtime.store import RunRecord
    from ..house import House

Work = Callable[[Sequence["Listener"]], Awaitable[object]]
Update = dict[str, Any]


class Errand:
    """One run under way here, and those who follow it. All of them are told the same, in the same order."""

    def __init__(self, record: RunRecord, *, begun: bool) -> None:
        self.record = record
        self.ended = asyncio.Event()
        self.begun = begun
        self.text = ""
        self.cancelled = False
        self._followers: set[asyncio.Queue[Update | None]] = set()

    async def follow(self) -> AsyncIterator[Update]:
        """The task as it is now, and then every update to it, until it is at rest."""
        queue: asyncio.Queue[Update | None] = asyncio.Queue()
        if not self.ended.is_set():
            self._followers.add(queue)
        try:
            yield {"task": telling.under_way(self.record, begun=self.begun, text=self.text)}
            while not (self.ended.is_set() and queue.empty()):
                update = await queue.get()
                if update is None:
                    return
                yield update
        finally:
            self._followers.discard(queue)

    def begin(self) -> None:
        """It has its place, and work begins."""
        self.begun = True
        self.tell_status(telling.status(telling.WORKING))

    def write(self, text: str) -> None:
        """Words of the answer that nothing takes back."""
        if text:
            self._tell_artifact(telling.artifact(text), append=bool(self.text))
            self.text += text

    def tell_end(self, task: dict[str, Any]) -> None:
        """The run is at rest: what of the answer was not told yet, and how it ended."""
        for whole in task.get("artifacts", ()):
            answer = whole["parts"][0]["text"]
            goes_on = bool(self.text) and answer.startswith(self.text)
            rest = answer[len(self.text) :] if goes_on else answer
            last = {**whole, "parts": [{**whole["parts"][0], "text": rest}]}
            self._tell_artifact(last, append=goes_on, last=True)
        self.tell_status(task["status"])

    def tell_status(self, status: dict[str, Any]) -> None:
        """A new status."""
        self._tell({"statusUpdate": {**self._ids, "status": status}})

    def close(self) -> None:
        """Nothing more comes."""
        self.ended.set()
        for queue in self._followers:
            queue.put_nowait(None)

    def _tell_artifact(self, artifact: dict[str, Any], *, append: bool, last: bool = False) -> None:
        told = {**self._ids, "artifact": artifact, "append": append, "lastChunk": last}
        self._tell({"artifactUpdate": told})

    @property
    def _ids(self) -> dict[str, str]:
        return {"taskId": self.record.id, "contextId": telling.context_of(self.record)}

    def _tell(self, update: Update) -> None:
        for queue in self._followers:
            queue.put_nowait(update)


class Errands:
    """All of them, in one process. They take their turns with chat requests, and end when the gate closes.

    `aclose` has to be awaited before the house closes.
    """

    def __init__(self, house: House, crew: Crew, gate: Gate) -> None:
        self._house, self._crew, self._gate = house, crew, gate
        self._carried: dict[str, tuple[Errand, asyncio.Task[None]]] = {}

    def of(self, run_id: str) -> Errand | None:
        """The errand of a run that is under way here."""
        carried = self._carried.get(run_id)
        return carried[0] if carried is not None else None

    def begin(self, journal: Journal) -> Errand:
        """Carry out a run that was entered and claimed."""
        record = journal.record
        assert record is not None, "the house keeps its runs in a store"

        async def work(listeners: Sequence[Listener]) -> object:
            return await self._house.carry_on(journal, record, self._crew, None, listeners=listeners)

        return self._start(record, work, journal)

    def go_on(self, record: RunRecord) -> Errand:
        """Carry on a run that was answered or broken off; the one that is under way where it is.

        Raises:
            ApiError: there is no place for it now.
        """
        if (errand := self.of(record.id)) is not None:
            return errand
        self._gate.refuse_when_full()

        async def work(listeners: Sequence[Listener]) -> object:
            return await self._house.resume(record.id, self._crew, listeners=listeners)

        return self._start(record, work, None)

    async def cancel(self, record: RunRecord) -> None:
        """End a run for good, with all that it has begun.

        Raises:
            StoreError: another process carries it out.
        """
        carried = self._carried.get(record.id)
        if carried is not None:
            carried[0].cancelled = True
            await ended(carried[1])
            now = await self._house.store.find_run(record.id)
            if now.status in ("finished", "failed"):  # it was quicker
                return
        await self._note_cancelled(record.id)

    async def aclose(self) -> None:
        """Break off what goes on; a client that asks for it later lets it go on."""
        await ended(*(task for _, task in self._carried.values()))

    def _start(self, record: RunRecord, work: Work, journal: Journal | None) -> Errand:
        errand = Errand(record, begun=journal is None)
        task = asyncio.create_task(self._carry(errand, work, journal))
        self._carried[record.id] = (errand, task)
        return errand

    async def _carry(self, errand: Errand, work: Work, journal: Journal | None) -> None:
        working = asyncio.ensure_future(self._in_turn(errand, work))
        closing = asyncio.ensure_future(self._gate.closed.wait())
        try:
            await asyncio.wait({working, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(working, closing)
            try:
                if journal is not None:
                    await journal.aclose()
                await self._settle(errand, working)
            finally:
                del self._carried[errand.record.id]
                errand.close()

    async def _in_turn(self, errand: Errand, work: Work) -> None:
        async with self._gate.turn():
            errand.begin()
            words = Words()
            speaking = asyncio.ensure_future(_speak(words, errand))
            try:
                await work([words.event])
            finally:
                await ended(speaking)

    async def _settle(self, errand: Errand, working: asyncio.Future[None]) -> None:
        """Tell the followers how it ended; an error that kept the run from beginning is its end."""
        error = None if working.cancelled() else working.exception()
        run_id = errand.record.id
        try:
            if error is not None and not isinstance(error, RunWaiting | StepInDoubt | StoreError):
                await self._failed(run_id, error)
            elif errand.cancelled:
                return errand.tell_status(telling.status(telling.CANCELED))
            task = await self.told(run_id)
            errand.tell_end(task)
        except StoreError as unkept:  # the followers' streams end, and the run goes on when it is asked for
            log(unkept)

    async def _failed(self, run_id: str, error: BaseException) -> None:
        if isinstance(error, Exception):
            log(error)
        record = await self._house.store.find_run(run_id)
        if record.status not in ("running", "interrupted"):
            return
        ours = isinstance(error, ApiError | CrewgraphError)
        said = str(error) if ours else f"{type(error).__name__}: {error}"
        code = error.code if isinstance(error, ApiError | CrewgraphError) else CrewgraphError.code
        async with await self._house.store.open_run(run_id) as journal:
            await journal.append(RunErred(error=said, code=code))

    async def _note_cancelled(self, run_id: str) -> None:
        async with await self._house.store.open_run(run_id) as journal:
            await journal.append(Noted(task_id="", text=telling.CANCELLED))
            await journal.append(RunCancelled())

    async def told(self, run_id: str) -> dict[str, Any]:
        """The whole task of a run that is kept."""
        store = self._house.store
        record = await store.find_run(run_id)
        questions = await store.questions(run_id) if record.status == "waiting" else []
        return telling.task_of(record, await store.events(run_id), questions)


async def _speak(words: Words, errand: Errand) -> None:
    while True:
        errand.write(await words.next())
