"""The form of a plan on a real engine: it is taken, whatever a small model writes keeps it, and tasks come out of the stream."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from crewgraph import Crew
from crewgraph.planner.asked import Asked
from crewgraph.planner.checking.checker import check
from crewgraph.planner.plan import wrong
from crewgraph.planner.strategies.model import ModelStrategy
from crewgraph.planner.strategies.rewoo import ReWOO
from crewgraph.planner.strategies.streaming import StreamingStrategy
from crewgraph.planner.strategies.written.items import items_of, task_of
from crewgraph.planner.strategies.written.sheet import Sheet
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidPlan
from crewgraph.runtime.graph import Task
from crewgraph.runtime.reading.replay import open_replay
from crewgraph.runtime.store import open_store
from crewgraph.serving.client.answers import Checked, shape_of
from crewgraph.serving.engines import engine_client
from crewgraph.serving.settings import Settings

from .conftest import NothingSeen, all_of

pytestmark = pytest.mark.engine

PEN = "What does a pen cost in yuan?"
MUCH = "If Ada sings in Ghent, ask me before you call everybody, within a budget of 900 tokens."
WHICH = "钢笔和墨水哪个贵？"


async def test_what_a_small_model_writes_is_a_plan_in_form(
    shop: Crew, choir: Crew, shared_home: Settings
) -> None:
    async with engine_client(shared_home) as client:
        checked = Checked(client, shape=shape_of("llamacpp"))
        for crew, request, trusted in ((shop, PEN, False), (choir, MUCH, True), (shop, WHICH, False)):
            sheet = Sheet(Asked(crew, request, trusted=trusted), most=3, bounded=not trusted)
            reply = await checked.complete(sheet.request(sheet.messages()))
            tasks: list[Task] = []
            for number, item in enumerate(items_of(reply.text), 1):
                tasks.append(task_of(item, number, crew, [task.id for task in tasks]))
            assert 1 <= len(tasks) <= 3
            assert all(task.tool is None or task.tool in crew.toolset for task in tasks)


async def test_plans_of_a_small_model_are_checked_or_refused_in_words(
    shop: Crew, shared_home: Settings, tmp_path: Path
) -> None:
    async with engine_client(shared_home) as client, open_store(tmp_path / "runs.db") as store:
        for strategy in (ModelStrategy(client, most=2), ReWOO(client, most=2, repairs=1)):
            async with await store.create_run("shop", PEN) as journal:
                plan, refused = None, ""
                try:
                    plan = await strategy.plan(Asked(shop, PEN), RunContext(journal))
                except InvalidPlan as error:
                    refused = str(error)
            assert "stayed wrong after" in refused if plan is None else not wrong(check(plan.tasks, shop))


async def test_a_small_models_tasks_come_out_of_the_stream_and_are_read_back(
    shop: Crew, shared_home: Settings, tmp_path: Path
) -> None:
    given: list[Task] = []
    again: list[Task] = []
    async with engine_client(shared_home) as client, open_store(tmp_path / "runs.db") as store:
        streaming = StreamingStrategy(client, most=2)
        async with await store.create_run("shop", PEN) as journal:
            ctx = RunContext(journal)
            with suppress(InvalidPlan):  # a model of this size may fail; what it gave stands
                await all_of(streaming.stream(Asked(shop, PEN), ctx, NothingSeen()), given)
            run = ctx.run_id
        with suppress(InvalidPlan):
            replay = await open_replay(store, run)
            await all_of(streaming.stream(Asked(shop, PEN), replay, NothingSeen()), again)
    assert given
    assert again == given
