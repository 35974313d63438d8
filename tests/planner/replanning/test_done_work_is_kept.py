"""What is done is never done again, whatever fails beside it, and however often the run is broken off."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crewgraph import Task
from crewgraph.runtime.errors import StepInDoubt, TaskFailed, ToolError
from crewgraph.runtime.events import PlanMade, TaskFinished
from crewgraph.runtime.policy import Condition
from crewgraph.runtime.store import open_store

from .conftest import Gauges, Runs, answer, at

BROKEN = OSError("the gauge is broken")
CHILD = Path(__file__).with_name("crash_child.py")


async def test_the_finished_entries_of_a_list_are_kept(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Bex", BROKEN)
    join = Task(id="t2", description="compare", agent="gauger", tool="compare", args={"facts": "$t1"})
    each = at("t1", "", args={"place": "$item"}, each=["Aba", "Bex", "Cam"])
    came = await runs.run(gauges.crew(), [each, join, answer("t2")])
    assert "Aba has the higher level: 120 mm against 75 mm for Cam." in came.answer
    assert gauges.calls == {("level", "Aba"): 1, ("level", "Bex"): 1, ("level", "Cam"): 1}
    assert len(came.missing) == 1
    assert "[Bex]" in came.missing[0]


async def test_only_the_entry_that_failed_is_asked_elsewhere(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Bex", BROKEN)
    each = at("t1", "", args={"place": "$item"}, each=["Aba", "Bex", "Cam"])
    came = await runs.run(gauges.crew(stand_in=True), [each, answer("t1")])
    assert all(value in came.answer for value in ("120", "340", "75"))
    assert came.missing == ()
    assert gauges.done == {("level", "Aba"): 1, ("backup_level", "Bex"): 1, ("level", "Cam"): 1}


async def test_an_entry_that_may_pass_is_tried_once_more_and_no_oftener(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Bex", *[ConnectionError("connection reset")] * 9)
    each = at("t1", "", args={"place": "$item"}, each=["Aba", "Bex", "Cam"])
    came = await runs.run(gauges.crew(), [each, answer("t1")])
    assert gauges.calls["level", "Bex"] == 2
    assert gauges.done == {("level", "Aba"): 1, ("level", "Cam"): 1}
    assert len(came.missing) == 1


async def test_a_value_that_looks_like_a_reference_stays_a_value(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("stations", "two", BROKEN)
    each = Task(id="t1", description="stations", agent="gauger", tool="stations", args={"region": "$item"},
                each=["$$t9-$$t8", "two"])  # fmt: skip
    tasks = [each, Task(id="t2", description="file", agent="gauger", tool="stations", args={"region": "$item"}, each=["x"],
                        depends_on=("t1",)), answer("t2")]  # fmt: skip
    came = await runs.run(gauges.crew(), tasks)
    assert came.error is None
    assert gauges.done["stations", "x"] == 1
    assert max(gauges.done.values()) == 1


async def test_what_is_done_once_is_never_done_again_when_it_surprises(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("file_report", "Aba", "")
    filed = Task(
        id="t1",
        description="report on Aba",
        agent="gauger",
        tool="file_report",
        args={"place": "Aba"},
        expects=(Condition(value="$result.value", test="not_empty"),),
    )
    crew, tasks = gauges.crew(), [filed, at("t2", "Cam"), answer("t1", "t2")]
    came = await runs.run(crew, tasks)
    assert gauges.calls["file_report", "Aba"] == 1
    assert "75" in came.answer
    assert "report on Aba (what came of it cannot be relied on" in came.missing[0]
    again = await runs.run(crew, tasks, run_id=came.run_id)
    assert again.answer == came.answer
    assert gauges.calls["file_report", "Aba"] == 1


async def test_what_certainly_did_not_happen_may_be_tried_again(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("file_report", "Aba", ToolError("timed out before anything was sent"))
    filed = Task(id="t1", description="report", agent="gauger", tool="file_report", args={"place": "Aba"})
    came = await runs.run(gauges.crew(), [filed, answer("t1")])
    assert "The report on Aba is filed." in came.answer
    assert gauges.done["file_report", "Aba"] == 1


async def test_what_may_have_happened_is_left_to_a_person(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("file_report", "Aba", ConnectionError("connection reset"))
    filed = Task(id="t1", description="report", agent="gauger", tool="file_report", args={"place": "Aba"})
    came = await runs.run(gauges.crew(), [filed, at("t2", "Cam"), answer("t1", "t2")])
    assert isinstance(came.error, StepInDoubt)
    assert len(came.plans) == 1
    assert gauges.calls["file_report", "Aba"] == 1


async def test_the_same_ids_and_content_stay_where_nothing_is_affected(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Aba", BROKEN)
    tasks = [at("t1", "Aba"), at("t2", "Bex"), at("t3", "Cam", depends_on=("t2",)), answer("t1", "t3")]
    came = await runs.run(gauges.crew(stand_in=True), tasks)
    first, last = ({task.id: task for task in plan.tasks} for plan in (came.plans[0], came.plans[-1]))
    assert first["t2"] == last["t2"]
    assert first["t3"] == last["t3"]
    assert [task.id for task in came.plans[-1].left_out] == ["t1"]
    finished = [event.task_id for event in came.events if isinstance(event, TaskFinished)]
    assert sorted(finished) == ["answer", "t1-r1", "t2", "t3"]


async def test_a_run_that_failed_is_resumed_and_goes_on_from_there(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Aba", BROKEN)
    crew, tasks = gauges.crew(), [at("t1", "Aba"), answer("t1")]
    came = await runs.run(crew, tasks)
    assert isinstance(came.error, TaskFailed)
    again = await runs.run(crew, tasks, run_id=came.run_id)
    assert "120" in again.answer


def sitting(home: Path, die_at: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHILD), str(home), die_at],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def effects(home: Path) -> list[str]:
    return sorted((home / "effects").read_text().split())


async def plans(home: Path) -> list[PlanMade]:
    async with open_store(home / "runs.db") as store:
        events = await store.events((await store.find_run("last")).id)
        return [event for event in events if isinstance(event, PlanMade)]


@pytest.mark.parametrize("die_at", ["failed", "changing", "changed", "answering"])
def test_killed_between_the_failure_and_the_next_plan_it_comes_to_the_same(
    tmp_path: Path, die_at: str
) -> None:
    calm, home = tmp_path / "calm", tmp_path / "home"
    calm.mkdir()
    home.mkdir()
    whole = sitting(calm)
    assert whole.returncode == 0, whole.stderr
    assert sitting(home, die_at).returncode == -signal.SIGKILL
    done = sitting(home)
    assert done.returncode == 0, done.stderr
    assert done.stdout == whole.stdout
    assert "Missing: level: Cam" in done.stdout
    assert "340" in done.stdout
    assert effects(home) == effects(calm), "something that had worked was done again"
    ids = [[task.id for task in made.tasks] for made in asyncio.run(plans(home))]
    assert ids[-1] == [task.id for task in asyncio.run(plans(calm))[-1].tasks]
