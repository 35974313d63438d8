"""Planning in waves: each sees what came of the one before, none repeats a call, and a replay is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crewgraph import Crew
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.planner.asked import Asked, SoFar
from crewgraph.planner.strategies.stepwise import Stepwise
from crewgraph.planner.strategies.strategy import Streaming
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidPlan, TaskFailed
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.reading.replay import open_replay
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.scheduling.ending import Settled
from crewgraph.runtime.store import open_store

from .conftest import Told, all_of, plan_text, shapes

ROSTER = {"tool": "roster", "args": {"town": "Ghent"}}
ADA = {"tool": "phone", "args": {"name": "Ada"}}
BO = {"tool": "phone", "args": {"name": "Bo"}}
T1 = TaskResult(value={"town": "Ghent"}, text="Ghent")
T2 = TaskResult(value="555", text="555")


async def test_each_wave_sees_what_came_of_the_one_before(choir: Crew, ctx: RunContext) -> None:
    model = ScriptedModel([plan_text(ROSTER), plan_text(ADA, BO), plan_text()])
    seen = Told(Settled({"t1": T1}, {}), Settled({"t1": T1, "t2": T2}, {"t3": "the line is dead"}))
    strategy = Stepwise(model)
    assert isinstance(strategy, Streaming)
    tasks = await all_of(strategy.stream(Asked(choir, "Who?"), ctx, seen))
    assert [(task.id, task.tool) for task in tasks] == [
        ("t1", "roster"),
        ("t2", "phone"),
        ("t3", "phone"),
        ("answer", None),
    ]
    assert tasks[-1].depends_on == ("t1", "t2")
    second, third = (request.messages[-1].content for request in model.requests[1:])
    assert 't1 = roster(town="Ghent"): {"town": "Ghent"}' in second
    assert 't3 = phone(name="Bo") failed: the line is dead' in third
    assert "t1 =" not in third
    before, after = (request.messages for request in model.requests[1:])
    assert after[: len(before)] == before


async def test_waves_end(choir: Crew, ctx: RunContext) -> None:
    names = iter("abcdefghij")
    model = ScriptedModel(lambda r: plan_text({"tool": "phone", "args": {"name": next(names)}}))
    seen = Told(*[Settled({f"t{n}": T2 for n in range(1, 9)}, {})] * 3)
    tasks = await all_of(Stepwise(model, waves=3).stream(Asked(choir, "Who?"), ctx, seen))
    assert [task.id for task in tasks] == ["t1", "t2", "t3", "answer"]
    assert len(model.requests) == 3


async def test_a_call_is_not_made_twice(choir: Crew, ctx: RunContext) -> None:
    model = ScriptedModel([plan_text(ADA), plan_text(ADA), plan_text(BO), plan_text()])
    seen = Told(*[Settled({"t1": T2, "t2": T2}, {})] * 2)
    tasks = await all_of(Stepwise(model).stream(Asked(choir, "Who?"), ctx, seen))
    assert [task.args for task in tasks] == [{"name": "Ada"}, {"name": "Bo"}, {}]
    assert "t1 was the same call" in model.requests[2].messages[-1].content


async def test_a_wave_that_stays_wrong_ends_the_planning_and_not_the_run(
    choir: Crew, ctx: RunContext
) -> None:
    bad = plan_text({"tool": "pay", "args": {"age": "old"}})
    tasks = await all_of(
        Stepwise(ScriptedModel([plan_text(ADA), *[bad] * 3])).stream(
            Asked(choir, "Who?"), ctx, Told(Settled({"t1": T2}, {}))
        )
    )
    assert [task.id for task in tasks] == ["t1", "answer"]
    with pytest.raises(InvalidPlan, match="stayed wrong"):
        await all_of(Stepwise(ScriptedModel([bad] * 3)).stream(Asked(choir, "Which?"), ctx, Told()))


async def test_the_plan_before_anything_is_done_is_the_first_wave(choir: Crew, ctx: RunContext) -> None:
    plan = await Stepwise(ScriptedModel([plan_text(ROSTER)])).plan(Asked(choir, "Who?"), ctx)
    assert shapes(plan.tasks) == [("t1", "roster", {"town": "Ghent"}), ("answer", None, {})]


async def worker(task: Task, ctx: RunContext) -> TaskResult:
    return {"roster": T1, "phone": T2}.get(task.tool or "", TaskResult(value="told", text="told"))


async def test_a_resumed_run_and_a_replay_plan_the_same_waves(choir: Crew, tmp_path: Path) -> None:
    class Seen:
        def __init__(self, settle: Any) -> None:
            self.settled = settle

    def growth(model: Any, ctx: RunContext, so_far: SoFar | None = None) -> Any:
        asked = Asked(choir, "Who?", so_far=so_far)
        return lambda settle: Stepwise(model).stream(asked, ctx, Seen(settle))

    async with open_store(tmp_path / "runs.db") as store:
        async with await store.create_run("choir", "Who?") as journal:
            ctx = RunContext(journal)
            model = ScriptedModel([plan_text(ROSTER), plan_text(ADA)])  # the script ends: so does the sitting
            with pytest.raises(TaskFailed, match="planning broke off"):
                await execute(TaskGraph([]), worker, ctx, growth=growth(model, ctx))
            run = ctx.run_id
        async with await store.open_run(run) as journal:
            ctx = RunContext(journal)
            before = SoFar(tuple(t for added in journal.added for t in added.tasks), {}, {}, "")
            model = ScriptedModel([plan_text()])
            results = await execute(TaskGraph([]), worker, ctx, growth=growth(model, ctx, before))
            assert len(model.requests) == 1
        replay = await open_replay(store, run)
        again = await execute(TaskGraph([]), worker, replay, growth=growth(ForbiddenModel(), replay))
    assert list(results) == ["t1", "t2", "answer"]
    assert again == results
