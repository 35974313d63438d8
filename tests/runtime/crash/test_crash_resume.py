"""A run survives `kill -9`: what was finished is not run again, the answer is the same, doubt is said."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from crewgraph.runtime.events import StepFinished
from crewgraph.runtime.reading.history import summarise
from crewgraph.runtime.store import Store, open_store

CHILD = Path(__file__).with_name("crash_child.py")
EFFECTS = 16
ANSWER = "answer 42526"


def sitting(
    database: Path, log: Path, run_id: str = "", die_at: int = 0, where: str = "before", seed: int = 0
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHILD), str(database), str(log), run_id, str(die_at), where, str(seed)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def effects_in(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


async def finished_steps(database: Path, run_id: str) -> int:
    async with open_store(database) as store:
        return sum(isinstance(event, StepFinished) for event in await store.events(run_id))


def test_undisturbed_the_child_gives_the_answer(database: Path, tmp_path: Path) -> None:
    done = sitting(database, tmp_path / "log")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == ANSWER
    assert len(effects_in(tmp_path / "log")) == EFFECTS


@pytest.mark.parametrize(("die_at", "seed"), [(1, 1), (6, 2), (11, 3), (16, 4)])
def test_killed_and_resumed_no_finished_step_runs_again(
    database: Path, tmp_path: Path, die_at: int, seed: int
) -> None:
    log = tmp_path / "log"
    killed = sitting(database, log, die_at=die_at, seed=seed)
    assert killed.returncode == -signal.SIGKILL
    run_id = killed.stdout.split()[0]
    kept = asyncio.run(finished_steps(database, run_id))
    before = effects_in(log)
    assert len(before) == die_at - 1
    resumed = sitting(database, log, run_id, seed=seed + 100)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert resumed.stdout.splitlines()[1] == ANSWER
    again = effects_in(log)[len(before) :]
    assert len(again) == EFFECTS - kept
    # Only an effect whose result had not reached the journal may be there twice, and it says it is read_only.
    assert len(set(before) & set(again)) <= len(before) - kept
    assert asyncio.run(finished_steps(database, run_id)) == EFFECTS


def test_killed_again_and_again_it_still_arrives(database: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    run_id, last = "", ""
    for seed in range(12):
        done = sitting(database, log, run_id, die_at=4, seed=seed)
        run_id = done.stdout.split()[0]
        last = done.stdout
        if done.returncode == 0:
            break
    assert ANSWER in last

    async def told() -> tuple[int, int, str]:
        async with open_store(database) as store:
            summary = summarise(await store.events(run_id))
            record = await store.find_run(run_id)
            return summary.resumed, record.tokens, record.status

    resumed, tokens, status = asyncio.run(told())
    assert resumed >= 3
    assert tokens == EFFECTS
    assert status == "finished"


def test_a_once_effect_killed_in_the_middle_is_not_done_twice(database: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    killed = sitting(database, log, die_at=5, where="after", seed=9)
    assert killed.returncode == -signal.SIGKILL
    run_id = killed.stdout.split()[0]
    in_doubt = effects_in(log)[-1]
    for _ in range(2):
        resumed = sitting(database, log, run_id, where="after", seed=10)
        assert resumed.returncode == 3
        assert "StepInDoubt Step" in resumed.stdout
        assert "may have happened" in resumed.stdout
        assert effects_in(log).count(in_doubt) == 1
    done = effects_in(log)
    assert len(done) == len(set(done))


async def test_a_run_whose_process_died_is_told_as_interrupted(database: Path, tmp_path: Path) -> None:
    killed = await asyncio.to_thread(sitting, database, tmp_path / "log", die_at=3)
    async with open_store(database) as store:
        assert (await store.find_run("last")).status == "interrupted"
        assert [record.status for record in await store.list_runs()] == ["interrupted"]
        async with await store.open_run(killed.stdout.split()[0]):
            assert (await store.find_run("last")).status == "running"
        assert (await store.find_run("last")).status == "interrupted"


async def test_of_several_processes_that_resume_at_once_one_does(
    database: Path, tmp_path: Path, store: Store
) -> None:
    async with await store.create_run("crew", "sum") as journal:
        pass
    command = [
        sys.executable,
        str(CHILD),
        str(database),
        str(tmp_path / "log"),
        journal.run_id,
        "0",
        "after",
        "1",
    ]
    popen = partial(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
    children = [await asyncio.to_thread(popen) for _ in range(3)]
    said = [(await asyncio.to_thread(child.communicate))[0] for child in children]
    assert any(ANSWER in one for one in said)
    # One that came too late to be refused found the run finished, and only read it.
    assert all(ANSWER in one or "is being carried out by another process" in one for one in said)
    done = effects_in(tmp_path / "log")
    assert len(done) == len(set(done)) == EFFECTS


async def test_two_processes_cannot_carry_out_one_run(database: Path, tmp_path: Path, store: Store) -> None:
    async with await store.create_run("crew", "sum") as journal:
        refused = await asyncio.to_thread(sitting, database, tmp_path / "log", journal.run_id)
        assert refused.returncode == 3
        assert f"StoreError Run {journal.run_id} is being carried out by another process" in refused.stdout
        assert effects_in(tmp_path / "log") == []
    taken = await asyncio.to_thread(sitting, database, tmp_path / "log", journal.run_id)
    assert taken.returncode == 0, taken.stdout + taken.stderr
