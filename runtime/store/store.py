"""SqlStore: the one store, on whichever database. See `Store` for what each method promises."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import chain

from pydantic import JsonValue

from ..budget import Cost
from ..errors import InvalidRequest, StoreError
from ..events import Answer, Event, RunResumed
from ..journalling.journal import Journal
from ..journalling.row import EventRow, encode, fields
from ..reading.questions import Question, find_question, open_questions
from .claims import Claims
from .lines import line_of
from .reader import Reader, Story
from .record import RunRecord, RunStatus, ThreadMessage, ThreadRecord, ThreadSummary, Usage
from .rows import merged, of_tasks
from .seal import Seal
from .sink import RunSink
from .sql.database import Database, Holding, Lane, Refused, Statement, write
from .sql.statements import ANSWER, ANSWERS, Line, create, drop_run
from .threads.quoting import Quoting
from .threads.threads import GONE, Threads

_ATTEMPTS = 16
_AT_ONCE = 100
"""Runs that are pruned together."""


class SqlStore:
    """Runs and conversations in one database. Make it with `open_store`."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self.database = database
        self._seal = seal
        self._threads = Threads(database, seal)
        self._reader = Reader(database, seal, self._threads)
        self._claims = Claims(database, self._reader)

    @property
    def seal(self) -> Seal:
        """What everything that people said is closed with before it is kept."""
        return self._seal

    def on_holding(self, tell: Callable[[Holding], None]) -> None:
        """Have `tell` called, in the store's loop, when its claims are lost, regained or given up.

        ``lost``: the session that held them is gone and others may take the runs over: begin no effect until
        ``regained``. ``given_up``: the database could not be had again in time. Only PostgreSQL's can be lost.
        """
        self.database.on_holding = tell

    async def create_run(
        self,
        crew: str,
        request: str,
        *,
        run_id: str | None = None,
        crew_path: str = "",
        model: str = "",
        options: Mapping[str, JsonValue] | None = None,
        thread_id: str | None = None,
        tenant: str = "",
        parent: str | None = None,
        claim: bool = True,
        heard: Sequence[Mapping[str, JsonValue]] = (),
    ) -> Journal:
        """Begin a run, claimed by this process, with an id of its own (or `run_id`)."""
        if claim:
            await self.database.hold()
        record = RunRecord(
            id=run_id or "",
            crew=crew,
            crew_path=crew_path,
            request=request,
            status="running",
            created=time.time(),
            thread_id=thread_id,
            model=model,
            options=dict(options or {}),
            tenant=tenant,
            parent=parent,
        )
        owner = self.database.owner if claim else None
        for _ in range(_ATTEMPTS):
            named = (
                record if run_id is not None else dataclasses.replace(record, id=_new_id("r", record.created))
            )
            begun = await write(self.database, create(line_of(named, self._seal, owner=owner)))
            if begun.changed:
                lane, quoting = Lane(named.id, begun.value), Quoting.of({"history": [dict(m) for m in heard]})
                sink = RunSink(self.database, self._seal, lane, claimed=claim, quoting=quoting)
                if heard:
                    whole: dict[str, JsonValue] = {**named.options, "history": [dict(m) for m in heard]}
                    named = dataclasses.replace(named, options=whole)
                return Journal(named.id, sink=sink, record=named, secret=self._seal.secret)
            if run_id is not None:
                raise StoreError(
                    f"There is a run {run_id!r} in {self.database.name} already: open it, or name another."
                )
        raise self._no_free_id()

    async def open_run(self, which: str) -> Journal:
        """Claim a run to carry it on."""
        line = await self._claims.take(await self._reader.line(which))
        try:
            return await self._opened(line)
        finally:
            self._claims.settled([line])

    async def _opened(self, line: Line) -> Journal:
        try:
            story = await self._reader.story(line)
            record = await self._reader.whole(line)
        except BaseException:
            await self._claims.give_back([line])
            raise
        elsewhere = [row for child in story.children for row in of_tasks(child.rows)]
        last = story.rows[-1] if story.rows else None
        lane = Lane(line.id, line.number, last.seq if last else 0)
        sink = RunSink(
            self.database,
            self._seal,
            lane,
            claimed=True,
            link=last.link if last else b"",
            elsewhere=sum(map(_cost, elsewhere), Cost()),
            quoting=Quoting.of(record.options) if record.thread_id is not None else None,
        )
        journal = Journal(
            line.id, story.rows, elsewhere=elsewhere, sink=sink, record=record, secret=self._seal.secret
        )
        try:
            await journal.append(RunResumed(at=time.time(), finished_steps=journal.finished_steps))
        except BaseException:
            await journal.aclose()
            raise
        return journal

    async def read_run(self, which: str) -> Journal:
        """The journal of a run to read only; claims nothing."""
        line = await self._reader.line(which)
        story = await self._reader.story(line)
        elsewhere = [row for child in story.children for row in of_tasks(child.rows)]
        record = await self._reader.whole(line)
        return Journal(line.id, story.rows, elsewhere=elsewhere, record=record, read_only=True)

    async def find_run(self, which: str) -> RunRecord:
        """The run with this id, this unique beginning of an id, or the ``last`` one."""
        return await self._reader.whole(await self._reader.line(which))

    async def list_runs(
        self, limit: int = 20, *, status: RunStatus | None = None, tenant: str | None = None
    ) -> list[RunRecord]:
        """Runs, the newest first, without those that carry a task of another one."""
        return await self._reader.runs(limit, status=status, tenant=tenant)

    async def events(self, which: str) -> list[Event]:
        """All journalled events of a run, in order, those of tasks carried out elsewhere among them."""
        story = await self._reader.story(await self._reader.line(which))
        return await asyncio.to_thread(merged, story.rows, [child.rows for child in story.children])

    async def rows(self, which: str) -> list[EventRow]:
        """The rows of a run alone, in order, their chain checked."""
        return await self._reader.rows(await self._reader.line(which))

    async def fork_run(
        self,
        origin: str,
        events: Sequence[Event],
        *,
        model: str | None = None,
        request: str | None = None,
        options: Mapping[str, JsonValue] | None = None,
    ) -> RunRecord:
        """A new run that begins with these events, in one transaction. Nobody carries it out yet."""
        from .exchange import Whole, import_statements

        old = await self._reader.record(await self._reader.line(origin))
        record = RunRecord(
            id="",
            crew=old.crew,
            crew_path=old.crew_path,
            request=old.request if request is None else request,
            status="running",
            created=time.time(),
            thread_id=old.thread_id,
            model=old.model if model is None else model,
            options=dict(old.options if options is None else options),
            tenant=old.tenant,
            forked_from=old.id,
        )
        rows = [encode(seq, event) for seq, event in enumerate(events, 1)]
        for _ in range(_ATTEMPTS):
            named = dataclasses.replace(record, id=_new_id("r", record.created))
            try:
                await write(self.database, *import_statements([Whole(named, rows, [])], self._seal))
            except Refused:
                continue
            return dataclasses.replace(named, status="interrupted")
        raise self._no_free_id()

    async def questions(self, which: str) -> list[Question]:
        """What a run waits for a person to say, and nobody has answered yet, the oldest first."""
        story = await self._reader.story(await self._reader.line(which))
        found: list[Question] = []
        for part in (story, *story.children):
            left = await self.database.fetch(ANSWERS, (part.line.number,))
            answered = {(key, asked) for key, asked, _ in left}
            found += [one for one in await self._open(part) if (one.key, one.since) not in answered]
        return sorted(found, key=lambda question: question.since)

    async def answer(self, which: str, key: str, answer: Answer) -> None:
        """Leave a person's answer to the question `key` of a run."""
        line = await self._reader.line(which)
        story = await self._reader.story(line)
        asked = {
            question.key: (part, question)
            for part in (story, *story.children)
            for question in await self._open(part)
        }
        question = find_question([question for _, question in asked.values()], key, line.id)
        question.check(answer)
        body = self._seal.close(answer.model_dump_json())
        number = asked[question.key][0].line.number
        written = await write(self.database, Statement(ANSWER, (number, question.key, question.since, body)))
        if not written.changed:
            raise InvalidRequest(f"Question {question.key} of run {line.id} has been answered already.")

    async def usage(self, tenant: str, since: float = 0.0) -> Usage:
        """What a tenant's runs, begun since then (seconds since the epoch), have used."""
        return await self._reader.usage(tenant, since)

    async def delete_run(self, which: str) -> None:
        """Take a run and its events away for good."""
        line = await self._reader.line(which)
        await self._delete([line, *await self._reader.children(line.id)])

    async def prune(self, before: float) -> int:
        """Take away all runs that ended before then (seconds since the epoch); how many they were."""
        pruned = 0
        while lines := await self._reader.ended_before(before, _AT_ONCE):
            gone = await asyncio.gather(*map(self._prune, lines))
            pruned += sum(gone)
            if not any(gone):
                break
        await self.database.scrub()
        return pruned

    async def export_run(self, which: str) -> list[str]:
        """A run as lines of JSON: its record, its events, what is kept apart, runs that carried its tasks."""
        from .exchange import Whole, export_lines

        async def whole(part: Story) -> Whole:
            found = await self.database.fetch(ANSWERS, (part.line.number,))
            answers = [
                (key, at, Answer.model_validate_json(self._seal.open(body))) for key, at, body in found
            ]
            record = await self._reader.whole(part.line, own=True)
            return Whole(record, part.rows, answers)

        story = await self._reader.story(await self._reader.line(which))
        parts = [await whole(part) for part in (story, *story.children)]
        return await asyncio.to_thread(export_lines, parts[0], parts[1:])

    async def import_run(self, lines: Iterable[str]) -> RunRecord:
        """A run from its exported lines, checked before anything is written."""
        from .exchange import import_statements, read_lines

        runs = await asyncio.to_thread(read_lines, list(lines))
        thread_id = runs[0].record.thread_id
        if thread_id is not None and not await self._threads.has(thread_id):
            runs = [run._replace(record=dataclasses.replace(run.record, thread_id=None)) for run in runs]
        statements = await asyncio.to_thread(import_statements, runs, self._seal)
        try:
            await write(self.database, *statements)
        except Refused:
            raise InvalidRequest(
                f"Run {runs[0].record.id} is in {self.database.name} already: delete it there first."
            ) from None
        return await self.find_run(runs[0].record.id)

    async def create_thread(self, title: str = "") -> ThreadRecord:
        """Begin a conversation."""
        now = time.time()
        for _ in range(_ATTEMPTS):
            thread_id = _new_id("t", now)
            if await self._threads.create(thread_id, now, title):
                return ThreadRecord(thread_id, now, title)
        raise self._no_free_id()

    async def thread(self, thread_id: str) -> ThreadRecord:
        """A conversation."""
        return await self._threads.find(thread_id)

    async def list_threads(self, limit: int = 20) -> list[ThreadRecord]:
        """Conversations, the newest first."""
        return await self._threads.newest(limit)

    async def add_message(self, thread_id: str, role: str, content: str, run_id: str | None = None) -> None:
        """Add a message to a conversation."""
        await self._threads.add(thread_id, [(role, content)], run_id)

    async def add_messages(
        self, thread_id: str, messages: Sequence[tuple[str, str]], run_id: str | None = None
    ) -> None:
        """Add messages to a conversation, all of them or none."""
        await self._threads.add(thread_id, messages, run_id)

    async def messages(self, thread_id: str, *, since: int = 0) -> list[ThreadMessage]:
        """The messages of a conversation, in order."""
        return await self._threads.messages(thread_id, since)

    def turn(self, thread_id: str) -> AbstractAsyncContextManager[None]:
        """Alone in this conversation."""
        return self._threads.turn(thread_id)

    async def add_summary(
        self, thread_id: str, upto: int, content: str, state: JsonValue = None, run_id: str | None = None
    ) -> ThreadSummary:
        """Keep a summary of a conversation with it."""
        return await self._threads.add_summary(thread_id, upto, content, state, run_id)

    async def summary(self, thread_id: str) -> ThreadSummary | None:
        """The newest summary of a conversation."""
        return await self._threads.summary(thread_id)

    async def delete_thread(self, thread_id: str) -> None:
        """Take a conversation away for good, with its runs and their events."""
        await self._threads.find(thread_id)
        lines = await self._reader.runs_of_thread(thread_id)
        for line in list(lines):
            lines += [child for child in await self._reader.children(line.id) if child not in lines]
        await self._delete(
            lines,
            *(Statement(gone, (thread_id,)) for gone in GONE),
            Statement("DELETE FROM threads WHERE id = ?", (thread_id,)),
        )

    async def aclose(self) -> None:
        """Write what is left, give back all claims, close the database."""
        await self.database.aclose()

    async def _open(self, part: Story) -> list[Question]:
        running = (await self._reader.record(part.line)).status == "running"
        events = await asyncio.to_thread(merged, part.rows, [])
        return open_questions(events, running=running)

    async def _delete(self, lines: Sequence[Line], *more: Statement) -> None:
        claimed: list[Line] = []
        try:
            for line in lines:
                claimed.append(await self._claims.take(line))
            owner = self.database.owner
            await write(
                self.database, *chain.from_iterable(drop_run(line.number, owner) for line in claimed), *more
            )
        except BaseException:
            await self._claims.give_back(claimed)
            raise
        finally:
            self._claims.settled(claimed)
        await self.database.scrub()

    async def _prune(self, line: Line) -> bool:
        lines = [line, *await self._reader.children(line.id)]
        if await self.database.living({one.owner for one in lines if one.owner is not None}):
            return False
        statements = chain.from_iterable(drop_run(one.number, one.owner) for one in lines)
        try:
            await write(self.database, *statements)
        except Refused:  # somebody has opened it meanwhile
            return False
        return True

    def _no_free_id(self) -> StoreError:
        return StoreError(f"No free id could be found in {self.database.name}: try again in a second.")


def _new_id(letter: str, now: float) -> str:
    return f"{letter}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(2)}"


def _cost(row: EventRow) -> Cost:
    if row.kind != "step_finished":
        return Cost()
    held = fields(row)
    return Cost(held.get("tokens", 0), held.get("tool_calls", 0), held.get("money", 0.0))
