"""`kill -9` in the middle of a run, then resume: nothing that was finished is done again, the answer is the same."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crewgraph.runtime.events import StepFinished
from crewgraph.runtime.store import open_store

CHILD = Path(__file__).with_name("crash_child.py")
EFFECTS = 6
"""Five prices and one draft; the comparison is arithmetic and has no effect to count."""


def sitting(home: Path, run_id: str = "", die_at: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHILD), str(home), run_id, str(die_at)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def effects(home: Path) -> list[str]:
    log = home.parent / "effects"
    return log.read_text().split() if log.exists() else []


async def finished(home: Path) -> list[str]:
    async with open_store(home / "crewgraph.db") as store:
        events = await store.events((await store.find_run("last")).id)
        steps = [e for e in events if isinstance(e, StepFinished) and e.name != "tool:compare"]
        return [(e.output or {}).get("label", "model") for e in steps]  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    home = tmp_path_factory.mktemp("calm") / "home"
    done = sitting(home)
    assert done.returncode == 0, done.stderr
    assert len(effects(home)) == EFFECTS
    return done.stdout


@pytest.mark.parametrize("die_at", [1, 3, 6])
def test_no_finished_step_runs_again_and_the_answer_is_the_same(
    undisturbed: str, tmp_path: Path, die_at: int
) -> None:
    home = tmp_path / "home"
    assert sitting(home, die_at=die_at).returncode == -signal.SIGKILL
    before, kept = effects(home), asyncio.run(finished(home))
    assert len(before) == die_at - 1
    done = sitting(home, "last")
    assert done.returncode == 0, done.stderr
    assert done.stdout == undisturbed
    again = effects(home)[len(before) :]
    assert not set(kept) & set(again)
    assert len(kept) + len(again) == EFFECTS


def test_killed_at_every_sitting_it_still_arrives(undisturbed: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    sitting(home, die_at=3)
    done = sitting(home, "last", die_at=3)
    assert done.returncode == -signal.SIGKILL
    done = sitting(home, "last")
    assert done.stdout == undisturbed
