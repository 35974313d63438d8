"""Tasks are given out while the plan is still being written; what was given stands, whatever comes behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from crewgraph import Crew, ModelRequest
from crewgraph.agents.model import ModelDelta
from crewgraph.agents.testing import ForbiddenModel
from crewgraph.planner.asked import Asked, SoFar
from crewgraph.planner.strategies.strategy import Streaming
from crewgraph.planner.strategies.streaming import StreamingStrategy
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import EngineError, InvalidPlan, ReplyTruncated
from crewgraph.runtime.events import RunStarted
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.reading.replay import open_replay
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import open_store

from .conftest import NothingSeen, Piecewise, all_of, plan_text, shapes

REQUEST = "Who sings in Ghent, and what is Ada's number?"
ROSTER = {"tool": "roster", "args": {"town": "Ghent"}}
ADA = {"tool": "phone", "args": {"name": "Ada"}}
ALL = {"tool": "phone", "each": "$t1.people", "args": {"name": "$item.name"}}
WRONG = {"tool": "pay", "args": {"age": "$t1.town"}}
PAY = {"tool": "pay", "args": {"age": 30}}


def stream(model: Any, choir: Crew, ctx: RunContext, so_far: SoFar | None = None, **more: Any) -> Any:
    asked = Asked(choir, REQUEST, so_far=so_far)
    return StreamingStrategy(model, **more).stream(asked, ctx, NothingSeen())


async def test_a_task_is_given_before_the_next_one_is_written(choir: Crew, ctx: RunContext) -> None:
    given: list[Task] = []
    seen: list[tuple[int, int]] = []

    async def watch(said: str) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        seen.append((said.count('"args"'), len(given)))

    model = Piecewise([plan_text(ROSTER, ADA, ALL)], gate=watch)
    assert isinstance(StreamingStrategy(model), Streaming)
    async for task in stream(model, choir, ctx):
        given.append(task)
    assert (2, 1) in seen
    assert (3, 2) in seen
    assert [task.id for task in given] == ["t1", "t2", "t3", "answer"]
    assert given[2].each == "$t1.people"
    assert given[-1].needs == ("t2", "t3")
    assert given[-1].agent == "speaker"


async def test_a_refused_task_is_asked_for_again_behind_those_that_were_given(
    choir: Crew, ctx: RunContext
) -> None:
    model = Piecewise([plan_text(ROSTER, WRONG, ADA), plan_text(PAY)])
    given = await all_of(stream(model, choir, ctx))
    assert shapes(given) == [
        ("t1", "roster", {"town": "Ghent"}),
        ("t2", "pay", {"age": 30}),
        ("answer", None, {}),
    ]
    said = model.requests[1].messages[-1].content
    assert "Task t2: age" in said
    assert json.dumps(ROSTER, separators=(",", ":")) in said
    assert "the next one is t2" in said
    assert "Write the whole plan again" not in said
    assert [m.content for m in model.requests[1].messages[:2]] == [
        m.content for m in model.requests[0].messages
    ]


async def test_a_plan_that_stays_wrong_is_refused_and_what_was_given_stands(
    choir: Crew, ctx: RunContext
) -> None:
    model = Piecewise([plan_text(ROSTER, WRONG), plan_text(WRONG), plan_text(ADA, WRONG)])
    given: list[Task] = []
    with pytest.raises(InvalidPlan, match="stayed wrong after 2 repairs: Task t3: age"):
        await all_of(stream(model, choir, ctx), given)
    assert [task.id for task in given] == ["t1", "t2"]


async def test_a_reply_that_breaks_off_is_gone_on_from(choir: Crew, ctx: RunContext) -> None:
    class Breaking(Piecewise):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
            async with aclosing(super().stream(request)) as deltas:
                async for delta in deltas:
                    yield delta
                    if len(self.requests) == 1 and delta.text.endswith("Ad"):
                        raise ReplyTruncated("no more tokens")

    first = plan_text(ROSTER, ADA)
    size = first.index("Ada") + 2
    given = await all_of(stream(Breaking([first, plan_text(ADA)], size=size), choir, ctx))
    assert [(task.id, task.tool) for task in given[:-1]] == [("t1", "roster"), ("t2", "phone")]
    with pytest.raises(InvalidPlan, match="not usable"):
        await all_of(stream(Breaking(['{"Ad":1}'], size=4), choir, ctx.for_task("other")))


class Broken(Piecewise):
    """Breaks off after some of its pieces, at its first call."""

    def __init__(self, script: Any, after: int) -> None:
        super().__init__(script)
        self.after = after

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        number = 0
        async with aclosing(super().stream(request)) as deltas:
            async for delta in deltas:
                number += 1
                if number > self.after:
                    raise EngineError("the engine has gone")
                yield delta


async def test_errors_of_the_engine_are_raised_and_no_call_is_left_open(choir: Crew, ctx: RunContext) -> None:
    model = Broken([plan_text(ROSTER, ADA)], after=9)
    given: list[Task] = []
    with pytest.raises(EngineError, match="has gone"):
        await all_of(stream(model, choir, ctx), given)
    assert [task.id for task in given] == ["t1"]
    assert model.closed == 1


async def test_whoever_stops_listening_ends_the_call(choir: Crew, ctx: RunContext) -> None:
    model = Piecewise([plan_text(ROSTER, ADA, ALL)])
    async with aclosing(stream(model, choir, ctx)) as tasks:
        async for _ in tasks:
            break
    assert model.closed == 1
    assert len(asyncio.all_tasks()) == 1 + sum("aiosqlite" in str(t) for t in asyncio.all_tasks())


async def worker(task: Task, ctx: RunContext) -> TaskResult:
    value: Any = (
        {"town": "Ghent", "people": [{"name": "Ada"}, {"name": "Bo"}]} if task.tool == "roster" else task.id
    )
    return TaskResult(value=value, text=task.id)


FIRST = plan_text(ROSTER, ADA, ALL)


@pytest.mark.parametrize(
    ("script", "third"),
    [
        ([FIRST], "phone"),
        ([plan_text(ADA, PAY), plan_text(PAY)], "pay"),
        ([plan_text(ROSTER), "unused"], None),
    ],
    ids=["the same again", "another plan", "a shorter plan"],
)
async def test_a_sitting_that_was_broken_off_goes_on_with_what_was_given(
    choir: Crew, tmp_path: Path, script: list[str], third: str | None
) -> None:
    """Also where the model, asked again, writes another plan; and a replay of both sittings gives the same tasks."""
    async with open_store(tmp_path / "runs.db") as store:
        async with await store.create_run("choir", REQUEST) as journal:
            ctx = RunContext(journal)
            await ctx.emit(RunStarted(crew="choir", request=REQUEST))
            model = Broken([FIRST], after=18)
            with pytest.raises(EngineError):
                await execute(TaskGraph([]), worker, ctx, growth=stream(model, choir, ctx))
            run = ctx.run_id
            before = [task for added in journal.added for task in added.tasks]
        assert [task.id for task in before] == ["t1", "t2"]
        async with await store.open_run(run) as journal:
            ctx = RunContext(journal)
            again = Piecewise(script)
            tasks = await all_of(stream(again, choir, ctx, SoFar(tuple(before), {}, {}, "")))
        assert tasks[:2] == before
        assert [task.tool for task in tasks[2:]] == ([third, None] if third else [None])
        assert len(again.requests) == len([text for text in script if text != "unused"])
        whole = SoFar(tuple(tasks), {}, {}, "")
        for so_far in (whole, None):
            replay = await open_replay(store, run)
            assert await all_of(stream(ForbiddenModel(), choir, replay, so_far)) == tasks


async def test_a_finished_stream_is_read_back_without_a_call(choir: Crew, tmp_path: Path) -> None:
    async with open_store(tmp_path / "runs.db") as store:
        async with await store.create_run("choir", REQUEST) as journal:
            ctx = RunContext(journal)
            model = Piecewise([plan_text(ROSTER, WRONG, ADA), plan_text(ALL)])
            live = await all_of(stream(model, choir, ctx))
            run = ctx.run_id
        async with await store.open_run(run) as journal:
            again = await all_of(stream(ForbiddenModel(), choir, RunContext(journal)))
        replayed = await all_of(stream(ForbiddenModel(), choir, await open_replay(store, run)))
    assert live == again == replayed


async def test_a_changed_plan_keeps_what_is_done(choir: Crew, ctx: RunContext) -> None:
    tasks = (
        Task(id="t1", description="", agent="manager", tool="roster", args={"town": "Ghent"}),
        Task(id="t2", description="", agent="secretary", tool="phone", args={"name": "Ada"}),
        Task(id="answer", description="", agent="speaker", depends_on=("t1", "t2")),
    )
    found = {"t1": TaskResult(value={"town": "Ghent", "people": []}, text="nobody")}
    so_far = SoFar(tasks, found, {"t2": "the line is dead"}, "Task t2 failed: the line is dead.")
    model = Piecewise([plan_text(ADA), plan_text(ALL | {"each": "$t1.people"})])
    given = await all_of(stream(model, choir, ctx, so_far))
    assert [(task.id, task.tool) for task in given[:-1]] == [("t1", "roster"), ("t2", "phone")]
    assert given[1].each == "$t1.people"
    assert "the same call has failed before" in model.requests[1].messages[-1].content
    assert "the line is dead" in model.requests[0].messages[-1].content
