"""Errands: the runs that are carried out here for A2A clients, each to its end whether or not somebody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.errors import CrewgraphError, RunWaiting, StepInDoubt, StoreError
from ...runtime.events import Noted, RunCancelled, RunErred
from ..api.errors import ApiError
from ..api.gate import Gate, stopping
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
Enter = Callable[[], Awaitable["Journal"]]
Update = dict[str, Any]


class Errand:
    """One run under way here, and those who follow it. All of them are told the same, in the same order.

    `entered` is the run's line once it is written down, or the error that kept it from that; nobody follows it before.
    """

    def __init__(self, run_id: str, record: RunRecord | None = None) -> None:
        self.run_id = run_id
        self.entered: asyncio.Future[RunRecord] = asyncio.get_running_loop().create_future()
        if record is not None:
            self.entered.set_result(record)
        self.ended = asyncio.Event()
        self.begun = record is not None
        self.text = ""
        self.cancelled = False
        self._followers: set[asyncio.Queue[Update | None]] = set()

    @property
    def record(self) -> RunRecord:
        """The run's line, as it was when the errand began."""
        return self.entered.result()

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

    def begin(self, run_id: str, enter: Enter, thread_id: str | None) -> Errand:
        """Have a request entered and carried out: at once written down, or in a conversation when it is its turn there.

        Raises:
            ApiError: there is no place for it now.
        """
        if (errand := self.of(run_id)) is not None:
            return errand
        self._gate.refuse_when_full()
        errand = Errand(run_id)

        async def work(listeners: Sequence[Listener]) -> object:
            # Nobody waits in a conversation without a place in the gate: those who have one would wait for them.
            if thread_id is None:
                journal = await self._entered(errand, enter)
                async with journal, self._gate.turn(), self._house.turn(errand.record.thread_id):
                    return await self._carried_out(errand, journal, listeners)
            async with (
                self._gate.turn(),
                self._house.turn(thread_id),
                await self._entered(errand, enter) as journal,
            ):
                return await self._carried_out(errand, journal, listeners)

        return self._start(errand, work)

    def go_on(self, record: RunRecord) -> Errand:
        """Carry on a run that was answered or broken off; the one that is under way where it is.

        Raises:
            ApiError: there is no place for it now.
        """
        if (errand := self.of(record.id)) is not None:
            return errand
        self._gate.refuse_when_full()
        errand = Errand(record.id, record)

        async def work(listeners: Sequence[Listener]) -> object:
            async with self._gate.turn():
                errand.begin()
                return await self._house.resume(record.id, self._crew, listeners=listeners)

        return self._start(errand, work)

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

    async def _entered(self, errand: Errand, enter: Enter) -> Journal:
        journal = await enter()
        errand.entered.set_result(await self._house.store.find_run(errand.run_id))
        return journal

    async def _carried_out(self, errand: Errand, journal: Journal, listeners: Sequence[Listener]) -> object:
        errand.begin()
        return await self._house.carry_on(journal, errand.record, self._crew, None, listeners=listeners)

    def _start(self, errand: Errand, work: Work) -> Errand:
        self._carried[errand.run_id] = (errand, asyncio.create_task(self._carry(errand, work)))
        return errand

    async def _carry(self, errand: Errand, work: Work) -> None:
        working = asyncio.ensure_future(_aloud(errand, work))
        closing = asyncio.ensure_future(self._gate.closed.wait())
        try:
            await asyncio.wait({working, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(working, closing)
            try:
                error = stopping() if working.cancelled() else working.exception()
                if errand.entered.done():
                    await self._settle(errand, None if working.cancelled() else error, working.cancelled())
                else:
                    errand.entered.set_exception(error or stopping())
                    errand.entered.exception()  # whoever sent it may have left
            finally:
                del self._carried[errand.run_id]
                errand.close()

    async def _settle(self, errand: Errand, error: BaseException | None, broken_off: bool) -> None:
        """Tell the followers how it ended; an error that kept the run from beginning is its end."""
        run_id = errand.run_id
        try:
            if error is not None and not isinstance(error, RunWaiting | StepInDoubt | StoreError):
                await self._failed(run_id, error)
            if broken_off and errand.cancelled:
                errand.tell_status(telling.status(telling.CANCELED))
            else:
                errand.tell_end(await self.told(run_id))
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


async def _aloud(errand: Errand, work: Work) -> None:
    """The work, and what its model writes meanwhile told to the followers."""
    words = Words()
    speaking = asyncio.ensure_future(_speak(words, errand))
    try:
        await work([words.event])
    finally:
        await ended(speaking)


async def _speak(words: Words, errand: Errand) -> None:
    while True:
        errand.write(await words.next())
