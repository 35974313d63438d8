"""Requests in one conversation are carried out one after the other, in one process and in several; none is lost."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from crewgraph import Agent, Crew, House, ModelRequest, Settings, tool
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import TaskFailed
from crewgraph.runtime.store import open_store
from crewgraph.runtime.store.store import SqlStore

from .conftest import crew

CHILD = Path(__file__).with_name("turns_child.py")


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def settings(tmp_path: Path, database: str) -> Settings:
    return Settings(home=tmp_path / "home", model_url=None, model=None, database_url=database or None)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqlStore]:
    async with open_store(settings.database) as opened:
        yield opened


class Children:
    """Processes that are ended in the end, whatever happens."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.running: list[subprocess.Popen[str]] = []

    def start(self, what: str, thread: str, name: str, count: int = 1) -> subprocess.Popen[str]:
        home, database = str(self.settings.home), self.settings.database_url or ""
        child = subprocess.Popen(
            [sys.executable, str(CHILD), what, home, database, thread, name, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(child)
        return child


@pytest.fixture
def children(settings: Settings) -> Iterator[Children]:
    started = Children(settings)
    yield started
    for child in started.running:
        child.kill()
        child.communicate()


def heard(request: ModelRequest) -> str:
    return f"after {len(request.messages) - 2}"


async def test_the_second_of_two_at_once_knows_the_first_ones_answer(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(heard)) as house:
        thread = (await house.store.create_thread()).id
        asked = [house.ask(crew, f"This is number {n}.", thread_id=thread, planner="rules") for n in range(5)]
        found = await asyncio.gather(*asked)
        assert [one.answer for one in found] == [f"after {2 * n}" for n in range(5)]
        said = [(m.role, m.content) for m in await house.store.messages(thread)]
        assert said == [
            pair
            for n in range(5)
            for pair in (("user", f"This is number {n}."), ("assistant", f"after {2 * n}"))
        ]


async def test_two_houses_of_one_process_wait_for_each_other(settings: Settings) -> None:
    model = ScriptedModel(heard)
    async with House.open(settings, client=model) as one, House.open(settings, client=model) as other:
        thread = (await one.store.create_thread()).id
        asked = [
            house.ask(crew, f"This is number {n}.", thread_id=thread, planner="rules")
            for n, house in enumerate((one, other, one, other))
        ]
        found = await asyncio.gather(*asked)
        assert sorted(outcome.answer for outcome in found) == ["after 0", "after 2", "after 4", "after 6"]


async def test_conversations_do_not_wait_for_one_another(settings: Settings, store: SqlStore) -> None:
    threads = [(await store.create_thread()).id for _ in range(20)]
    together = asyncio.Barrier(len(threads))

    async def turn(thread: str) -> None:
        async with store.turn(thread):
            await together.wait()

    await asyncio.wait_for(asyncio.gather(*map(turn, threads)), 30)


async def test_a_turn_that_failed_or_was_cancelled_lets_the_next_one_go(settings: Settings) -> None:
    began, gate = asyncio.Event(), asyncio.Event()
    broken = True

    @tool()
    async def work() -> str:
        """Work on it."""
        began.set()
        if broken:
            raise ConnectionError("it is closed")
        await gate.wait()
        return "worked"

    workers = Crew([Agent("host", "Talk.", tools=[work])], name="work")
    async with House.open(settings, client=ScriptedModel(heard)) as house:
        thread = (await house.store.create_thread()).id
        with pytest.raises(TaskFailed):
            await house.ask(workers, "Work!", thread_id=thread, planner="rules")
        broken = False
        began.clear()
        running = asyncio.create_task(house.ask(workers, "Work!", thread_id=thread, planner="rules"))
        await began.wait()
        waiting = [
            asyncio.create_task(house.ask(crew, f"I wait, {n}.", thread_id=thread, planner="rules"))
            for n in range(3)
        ]
        await asyncio.sleep(0)
        waiting[0].cancel()
        running.cancel()
        assert [one.answer for one in await asyncio.gather(*waiting[1:])] == ["after 0", "after 2"]
        (broken_off,) = [run for run in await house.store.list_runs() if run.status == "cancelled"]
        gate.set()
        resumed = await house.resume(broken_off.id, workers)
        assert resumed.answer
        assert [m.role for m in await house.store.messages(thread)] == ["user", "assistant"] * 3


async def test_who_asks_within_its_own_turn_does_not_wait_for_itself(store: SqlStore) -> None:
    thread = (await store.create_thread()).id

    async def inner() -> str:
        async with store.turn(thread):
            return "in"

    async with store.turn(thread):
        assert await asyncio.create_task(inner()) == "in"
        later = asyncio.Event()

        async def behind() -> str:
            await later.wait()
            async with store.turn(thread):
                return "in"

        left_over = asyncio.create_task(behind())
    async with asyncio.timeout(30), AsyncTurn(store, thread):
        later.set()
        done, _ = await asyncio.wait([left_over], timeout=0.05)
        assert not done, "its own turn is over: it waits like everybody"
    assert await left_over == "in"


class AsyncTurn:
    """A turn that is entered outside of any other."""

    def __init__(self, store: SqlStore, thread: str) -> None:
        self._turn = store.turn(thread)

    async def __aenter__(self) -> None:
        await self._turn.__aenter__()

    async def __aexit__(self, *_: object) -> None:
        await self._turn.__aexit__(None, None, None)


def left_behind(settings: Settings) -> list[Path]:
    """Files of turns that lie beside the database."""
    return list(Path(f"{settings.database}.locks").glob("turn-*"))


async def test_nothing_is_left_of_a_turn(settings: Settings, store: SqlStore) -> None:
    for _ in range(3):
        thread = (await store.create_thread()).id

        async def turn(thread: str = thread) -> None:
            async with store.turn(thread):
                await asyncio.sleep(0)

        asked = [asyncio.create_task(turn()) for _ in range(4)]
        await asyncio.sleep(0)
        asked[2].cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    gc.collect()
    assert store._threads._turns._queues == {}
    if not settings.database_url:
        assert left_behind(settings) == []


async def test_processes_wait_for_each_other(store: SqlStore, children: Children) -> None:
    thread = (await store.create_thread()).id
    count = 6
    started = [children.start("ask", thread, name, count) for name in ("Ann", "Bob", "Cem")]

    def run() -> list[str]:
        for child in started:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in started:
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
        return [child.communicate(timeout=120)[0] for child in started]

    said = await asyncio.to_thread(run)
    assert all(len(lines.splitlines()) == count for lines in said)
    messages = await store.messages(thread)
    assert len(messages) == 2 * 3 * count
    for place in range(0, len(messages), 2):
        user, assistant = messages[place : place + 2]
        name = user.content.split()[2].rstrip(",")
        assert (user.role, assistant.role, user.run_id) == ("user", "assistant", assistant.run_id)
        assert assistant.content == f"{name} after {place}", "it heard all that was said before it"


async def test_a_process_that_is_killed_in_its_turn_is_not_waited_for(
    store: SqlStore, settings: Settings, children: Children
) -> None:
    thread = (await store.create_thread()).id
    holder = children.start("hold", thread, "Dee")
    assert holder.stdout is not None
    assert await asyncio.to_thread(holder.stdout.readline) == "in\n"
    async with House.open(settings, client=ScriptedModel(heard)) as house:
        asked: Any = asyncio.create_task(house.ask(crew, "I am next.", thread_id=thread, planner="rules"))
        done, _ = await asyncio.wait([asked], timeout=0.3)
        assert not done
        holder.kill()
        assert (await asyncio.wait_for(asked, 60)).answer == "after 0"
