"""Processes that die while they write, and processes that want the same run."""
# ruff: noqa: ASYNC110 - what became of another process can only be looked at

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from crewgraph.runtime.events import Noted
from crewgraph.runtime.store import open_store

CHILD = Path(__file__).with_name("child.py")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "runs.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url"))


class Children:
    """Processes that are ended in the end, whatever happens."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, str(CHILD), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.running.append(child)
        return child


@pytest.fixture
def children() -> Iterator[Children]:
    started = Children()
    yield started
    for child in started.running:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_safe_when_a_process_was_killed_is_there(
    place: str, children: Children, seed: int
) -> None:
    async with open_store(place) as store:
        child = children.start("write", place, "8")
        assert child.stdout is not None
        safe: dict[str, int] = defaultdict(int)
        for _ in range(random.Random(seed).randint(1, 1500)):
            run_id, number = (await asyncio.to_thread(child.stdout.readline)).split()
            safe[run_id] = int(number)
        child.send_signal(signal.SIGKILL)
        for line in (await asyncio.to_thread(child.stdout.read)).splitlines(keepends=True):
            if line.endswith("\n"):
                run_id, number = line.split()
                safe[run_id] = int(number)
        for run_id, number in safe.items():
            async with asyncio.timeout(3):  # a server needs a moment to notice
                while (await store.find_run(run_id)).status != "interrupted":
                    await asyncio.sleep(0.01)
            texts = [event.text for event in await store.events(run_id) if isinstance(event, Noted)]
            assert texts == [str(n) for n in range(1, len(texts) + 1)]
            assert len(texts) >= number
            async with await store.open_run(run_id) as journal:
                await journal.append(Noted(at=1.0, task_id="", text="on"))


async def test_of_many_processes_one_gets_the_run_and_the_others_say_so(
    place: str, children: Children
) -> None:
    async with open_store(place) as store:
        async with await store.create_run("crew", "r") as journal:
            pass
        racing = [children.start("open", place, journal.run_id) for _ in range(4)]
        for child in racing:
            assert child.stdout is not None
            assert (await asyncio.to_thread(child.stdout.readline)) == "ready\n"
        for child in racing:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        said = [
            await asyncio.to_thread(child.stdout.readline) for child in racing if child.stdout is not None
        ]
        assert sorted(said) == [
            *[
                f"Run {journal.run_id} is being carried out by another process: wait for it to end, or stop it first.\n"
            ]
            * 3,
            "won\n",
        ]
        assert (await store.find_run(journal.run_id)).status == "running"
        winner = racing[said.index("won\n")]
        await asyncio.to_thread(winner.communicate)
        assert [event.kind for event in await store.events(journal.run_id)] == ["run_resumed", "noted"]


async def test_a_killed_process_leaves_its_run_to_the_next_at_once(place: str, children: Children) -> None:
    async with open_store(place) as store:
        async with await store.create_run("crew", "r") as journal:
            pass
        child = children.start("open", place, journal.run_id)
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("go\n")
        child.stdin.flush()
        assert [await asyncio.to_thread(child.stdout.readline) for _ in range(2)] == ["ready\n", "won\n"]
        child.kill()
        await asyncio.to_thread(child.wait)
        async with asyncio.timeout(3):
            while True:
                try:
                    taken = await store.open_run(journal.run_id)
                    break
                except Exception:
                    await asyncio.sleep(0.02)
        await taken.append(Noted(at=1.0, task_id="", text="mine"))
        await taken.aclose()
