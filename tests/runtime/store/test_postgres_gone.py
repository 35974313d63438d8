"""PostgreSQL goes away and comes back, or others take over meanwhile: nothing is lost, doubled, or silently wrong."""
# ruff: noqa: ASYNC110 - what another process sees can only be looked at

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import pytest

from crewgraph.runtime.errors import ClaimLost, StoreError
from crewgraph.runtime.events import Noted, RunFinished, StepFinished
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.store import Synchronous, open_store
from crewgraph.runtime.store.postgres.database import PostgresDatabase
from crewgraph.runtime.store.sql.database import Statement, write
from crewgraph.runtime.store.store import SqlStore

from ...postgres import PostgresServer, execute


def note(text: str) -> Noted:
    return Noted(at=time.time(), task_id="", text=text)


class Line:
    """A way to PostgreSQL that can be cut: nothing more gets through, and nobody is told."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "", parts.port or 0)
        self._parts = parts
        self._pairs: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._open = asyncio.Event()
        self._open.set()
        self._left: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __aenter__(self) -> Line:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1")
        port = self._server.sockets[0].getsockname()[1]
        self.url = urlunsplit(self._parts._replace(netloc=f"postgres@127.0.0.1:{port}"))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.heal()
        self._server.close()
        for pair in self._pairs:
            for side in pair:
                side.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def swallow_after(self, answers: int) -> None:
        """What is said gets through, but after so many answers no more of them do, until it is healed."""
        self._left = answers

    def cut(self) -> None:
        """Both sides are left in silence; the server finds out that its side is gone, as its keepalive would."""
        self._open.clear()
        for _, server in self._pairs:
            server.transport.abort()

    def heal(self) -> None:
        """What is connected from now on gets through; what was cut is gone."""
        for client, server in self._pairs:
            client.transport.abort()
            server.transport.abort()
        self._pairs.clear()
        self._open.set()
        self._left = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        with contextlib.suppress(OSError):
            to_reader, to_writer = await asyncio.open_connection(*self._to)
            self._pairs.append((writer, to_writer))
            for source, target in ((reader, to_writer), (to_reader, writer)):
                task = asyncio.create_task(self._pump(source, target))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._open.wait()
                if target in (client for client, _ in self._pairs):
                    if self._left == 0:
                        return
                    self._left = None if self._left is None else self._left - 1
                target.write(data)
                await target.drain()
            if self._open.is_set():
                target.close()


@pytest.fixture
async def line(postgres_url: str) -> AsyncIterator[Line]:
    async with Line(postgres_url) as opened:
        yield opened


async def texts(store: SqlStore, run_id: str) -> list[str]:
    return [event.text for event in await store.events(run_id) if isinstance(event, Noted)]


async def write_on(journal: Journal, stop: asyncio.Event) -> int:
    written = 0
    while not stop.is_set():
        await journal.append(note(str(written)))
        written += 1
    return written


@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_a_restart_in_the_middle_of_runs_loses_and_doubles_nothing(
    postgres_alone: PostgresServer, how: str
) -> None:
    async with open_store(postgres_alone.url) as store:
        said: list[str] = []
        store.on_holding(said.append)
        journals = [await store.create_run("crew", "r") for _ in range(20)]
        stop = asyncio.Event()
        writing = [asyncio.create_task(write_on(journal, stop)) for journal in journals]
        for _ in range(3):
            await asyncio.sleep(0.2)
            await asyncio.to_thread(postgres_alone.restart, how)
        await asyncio.sleep(0.2)
        begun = asyncio.create_task(store.create_run("crew", "another"))
        stop.set()
        counts = await asyncio.gather(*writing)
        await (await begun).append(RunFinished(at=time.time(), answer="x"))
        assert min(counts) > 0
        for journal, count in zip(journals, counts, strict=True):
            assert await texts(store, journal.run_id) == [str(n) for n in range(count)]
            await journal.append(RunFinished(at=time.time(), answer="done"))
        assert said == ["lost", "regained"] * (len(said) // 2) != []  # two restarts may pass as one
        assert {record.status for record in await store.list_runs(100)} == {"finished"}


async def test_conversations_and_new_runs_are_not_doubled_by_restarts(postgres_alone: PostgresServer) -> None:
    async with open_store(postgres_alone.url) as store:
        thread = await store.create_thread("t")

        async def talk(name: str) -> list[str]:
            said = []
            for number in range(60):
                await store.add_message(thread.id, "user", f"{name}{number}")
                said.append(f"{name}{number}")
                await asyncio.sleep(0.005)
            return said

        talking = [asyncio.create_task(talk(name)) for name in "abcd"]
        for _ in range(3):
            await asyncio.sleep(0.15)
            await asyncio.to_thread(postgres_alone.restart, "immediate")
        said = [text for texts in await asyncio.gather(*talking) for text in texts]
        assert sorted(message.content for message in await store.messages(thread.id)) == sorted(said)


async def test_an_idle_store_takes_its_claims_up_again_by_itself(postgres_alone: PostgresServer) -> None:
    async with open_store(postgres_alone.url) as store, open_store(postgres_alone.url) as other:
        journal = await store.create_run("crew", "r")
        regained = asyncio.Event()
        store.on_holding(lambda what: regained.set() if what == "regained" else None)
        await asyncio.to_thread(postgres_alone.restart)
        async with asyncio.timeout(20):
            await regained.wait()
        with pytest.raises(StoreError, match="carried out by another process"):
            await other.open_run(journal.run_id)


async def test_when_it_does_not_come_back_that_is_said_and_others_may_go_on(
    postgres_alone: PostgresServer,
) -> None:
    database = await PostgresDatabase.open(postgres_alone.url, patience=1.0)
    from crewgraph.runtime.store.seal import Seal

    store = SqlStore(database, Seal())
    try:
        said: list[str] = []
        store.on_holding(said.append)
        journal = await store.create_run("crew", "r")
        await journal.append(note("kept"))
        await asyncio.to_thread(postgres_alone.stop)
        with pytest.raises(StoreError, match=r"cannot be used .*: check that PostgreSQL runs there"):
            await journal.append(note("lost"))
        with pytest.raises(StoreError, match="check that PostgreSQL runs there"):
            await store.list_runs()
        assert said == ["lost", "given_up"]
        await asyncio.to_thread(postgres_alone.start)
        with pytest.raises(StoreError, match="check that PostgreSQL runs there"):
            await journal.append(note("no gap"))
        await journal.aclose()
        async with await store.open_run(journal.run_id) as resumed:
            await resumed.append(note("on"))
        assert await texts(store, journal.run_id) == ["kept", "on"]
    finally:
        await store.aclose()


async def test_cut_off_but_alive_it_writes_nothing_after_another_took_over(
    line: Line, postgres_url: str
) -> None:
    async with open_store(line.url) as cut_off, open_store(postgres_url) as other:
        journal = await cut_off.create_run("crew", "r")
        kept = await cut_off.create_run("crew", "nobody takes this one")
        await journal.append(note("before"))
        said: list[str] = []
        cut_off.on_holding(said.append)
        line.cut()
        writing = asyncio.create_task(journal.append(note("in flight")))
        journal.write(note("nobody waits"))
        also = asyncio.create_task(kept.append(note("patient")))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(20):
            while (await other.find_run(journal.run_id)).status != "interrupted":
                await asyncio.sleep(0.05)
        async with await other.open_run(journal.run_id) as taken:
            await taken.append(note("taken over"))
            line.heal()
            with pytest.raises(
                ClaimLost, match=f"Run {journal.run_id} has been taken over by another process"
            ):
                await writing
            with pytest.raises(ClaimLost):
                await journal.append(note("late"))
            await taken.append(RunFinished(at=time.time(), answer="by the other"))
        await also
        assert said == ["lost", "regained"]
        assert await texts(other, journal.run_id) == ["before", "taken over"]
        assert await texts(other, kept.run_id) == ["patient"]
        await journal.aclose()
        assert (await other.find_run(journal.run_id)).answer == "by the other"


async def test_a_commit_whose_answer_was_lost_is_not_repeated(line: Line, postgres_url: str) -> None:
    async with open_store(line.url) as store, open_store(postgres_url) as other:
        journal = await store.create_run("crew", "r")
        await journal.append(note("0"))
        line.swallow_after(0)
        writing = asyncio.create_task(journal.append(note("1")))
        async with asyncio.timeout(5):
            while await texts(other, journal.run_id) != ["0", "1"]:
                await asyncio.sleep(0.01)
        line.heal()
        await writing
        await journal.append(note("2"))
        assert await texts(other, journal.run_id) == ["0", "1", "2"]


@pytest.mark.parametrize("after", range(7))
async def test_wherever_the_line_breaks_each_message_is_there_once(line: Line, after: int) -> None:
    async with open_store(line.url) as store:
        thread = await store.create_thread("t")
        await store.add_message(thread.id, "user", "0")
        writing = asyncio.create_task(store.add_message(thread.id, "user", "1"))
        line.swallow_after(after)
        await asyncio.sleep(0.1)
        line.heal()
        await writing
        assert [message.content for message in await store.messages(thread.id)] == ["0", "1"]


@pytest.mark.parametrize("after", range(7))
async def test_wherever_the_line_breaks_a_run_ends_once(line: Line, after: int) -> None:
    async with open_store(line.url) as store:
        first = await store.create_run("crew", "r")
        await first.append(RunFinished(at=1.0, answer="a"))
        second = await store.create_run("crew", "r")
        writing = asyncio.create_task(second.append(RunFinished(at=1.0, answer="b")))
        line.swallow_after(after)
        await asyncio.sleep(0.1)
        line.heal()
        await writing
        assert (await store.find_run(second.run_id)).answer == "b"
        assert [event.kind for event in await store.events(second.run_id)] == ["run_finished"]


async def test_events_that_a_failed_over_server_has_lost_are_noticed(postgres_alone: PostgresServer) -> None:
    async with open_store(postgres_alone.url) as store:
        journal = await store.create_run("crew", "r")
        for number in range(3):
            await journal.append(note(str(number)))
        await asyncio.to_thread(execute, postgres_alone.url, "DELETE FROM events WHERE seq = 3")
        await asyncio.to_thread(postgres_alone.restart)
        with pytest.raises(
            StoreError, match=r"without the last events of run .* \(it has 2 of 3\): resume the run"
        ):
            await journal.append(note("3"))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://postgres@127.0.0.1:1/postgres", "check that PostgreSQL runs there"),
        ("postgresql://postgres@127.0.0.1:port/postgres", "its URL is postgresql://user"),
    ],
)
async def test_a_server_that_cannot_be_had_is_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence):
        await open_store(url)


async def test_a_password_is_never_shown(postgres_url: str) -> None:
    secret = postgres_url.replace("postgres@", "postgres:hunter2@")
    async with open_store(secret) as store:
        assert "hunter2" not in store.database.name
        assert "postgres@127.0.0.1" in store.database.name
    with pytest.raises(StoreError, match="create it with createdb") as refused:
        await open_store(secret + "_not_there")
    assert "hunter2" not in str(refused.value)


async def test_somebody_elses_database_is_left_alone(postgres_url: str) -> None:
    await asyncio.to_thread(execute, postgres_url, "CREATE TABLE runs (distance float)")
    with pytest.raises(StoreError, match="not one of crewgraph"):
        await open_store(postgres_url)


async def test_a_database_with_other_tables_may_be_shared(postgres_url: str) -> None:
    await asyncio.to_thread(execute, postgres_url, "CREATE TABLE recipes (name text)")
    async with open_store(postgres_url) as store:
        journal = await store.create_run("crew", "r")
        await journal.append(StepFinished(at=1.0, task_id="t", name="s", key="k"))


async def test_many_that_open_a_new_database_at_once_make_one(postgres_url: str) -> None:
    stores = await asyncio.gather(*(open_store(postgres_url)._open() for _ in range(5)))
    try:
        await asyncio.gather(*(store.create_run("crew", "r") for store in stores for _ in range(5)))
        assert len(await stores[0].list_runs(100)) == 25
    finally:
        for store in stores:
            await store.aclose()


@pytest.mark.parametrize(("synchronous", "setting"), [("NORMAL", "local"), ("FULL", "on")])
async def test_what_is_safe_survives_a_crash_of_the_server_either_way(
    postgres_url: str, synchronous: Synchronous, setting: str
) -> None:
    async with open_store(postgres_url, synchronous=synchronous) as store:
        assert isinstance(store.database, PostgresDatabase)
        assert store.database._session is not None
        assert await store.database._session.fetch("SHOW synchronous_commit") == [(setting,)]


async def test_statements_that_break_every_session_are_given_up(postgres_url: str) -> None:
    database = await PostgresDatabase.open(postgres_url, patience=0.5)
    try:
        suicide = Statement("SELECT pg_terminate_backend(pg_backend_pid())")
        with pytest.raises(StoreError, match="PostgreSQL refused what was to be written"):
            await write(database, suicide)
        await write(database, Statement("SELECT 1"))
    finally:
        await database.aclose()
