"""A request becomes an answer with its evidence, is kept, can be replayed without a model, and gone on with."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crewgraph import Budget, Crew, House, Settings, run
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.runtime.errors import (
    BudgetExceeded,
    InvalidPlan,
    InvalidRequest,
    NotFound,
    ReplayDiverged,
    TaskFailed,
)
from crewgraph.runtime.events import Event, PlanMade, RunErred, RunFinished, TaskStarted
from crewgraph.serving.settings import MAX_REQUEST_CHARS

COMPARE = "Which costs more, a pen or ink?"
ANSWER = (
    "pen has the higher price: 12.5 EUR against 6 EUR for ink. The difference is 6.5 EUR, "
    "which is 108.3% more (ink has 52.0% less), or 2.08 times as much."
)


async def test_the_answers_numbers_come_from_tools_with_their_evidence(house: House, shop: Any) -> None:
    found = await house.ask(shop.crew, COMPARE)
    assert found.answer == ANSWER
    assert found.evidence == (
        "pen: price 12.5 EUR [price]",
        "ink: price 6 EUR [price]",
        "(12.5 − 6) ÷ 6 = 108.33%",
    )
    assert sorted(shop.calls) == ["ink", "pen"]
    record = await house.store.find_run(found.run_id)
    assert (record.status, record.answer, record.request) == ("finished", ANSWER, COMPARE)
    assert found.tokens == record.tokens > 0


async def test_a_replay_gives_the_identical_answer_and_asks_nobody(
    house: House, shop: Any, settings: Settings
) -> None:
    found = await house.ask(shop.crew, COMPARE)
    live = await house.store.events(found.run_id)
    shop.calls.clear()
    async with House.open(settings, client=ForbiddenModel()) as other:
        again = await other.replay(found.run_id, shop.crew)
        assert (again.answer, again.evidence, again.run_id) == (found.answer, found.evidence, found.run_id)
        assert shop.calls == []
        assert await other.store.events(found.run_id) == live
    async with House.open(settings, engine=False) as without:
        assert (await without.replay("last", shop.crew)).answer == ANSWER


async def test_a_replay_of_a_model_planned_run_is_identical_too(
    settings: Settings, shop: Any, able: Any
) -> None:
    plan = [{"agent": "clerk", "tool": "price", "args": {"item": "paper"}}]
    async with House.open(settings, client=able(plan, "The paper price is 0.1 EUR.")) as house:
        found = await house.ask(shop.crew, "What is the cheapest thing to write on?")
        (made,) = [e for e in await house.store.events(found.run_id) if isinstance(e, PlanMade)]
        assert (made.strategy, made.growing) == ("stream", True)
    async with House.open(settings, client=ForbiddenModel()) as other:
        assert (await other.replay(found.run_id, shop.crew)).answer == found.answer


async def test_a_replay_with_another_crew_says_where_it_diverges(house: House, shop: Any) -> None:
    found = await house.ask(shop.crew, COMPARE)
    from crewgraph import Agent

    other = Crew([Agent("poet", "Rhyme.")], name="other")
    with pytest.raises(ReplayDiverged):
        await house.replay(found.run_id, other)


async def test_a_finished_run_is_not_run_again_by_a_resume(house: House, shop: Any) -> None:
    found = await house.ask(shop.crew, COMPARE)
    shop.calls.clear()
    assert (await house.resume(found.run_id, shop.crew)).answer == found.answer
    assert shop.calls == []


async def test_cancelled_in_the_middle_it_can_be_gone_on_with(house: House, shop: Any) -> None:
    shop.gate.clear()
    asking = asyncio.create_task(house.ask(shop.crew, COMPARE))
    await shop.reached.wait()
    while True:
        record = await house.store.find_run("last")
        events = await house.store.events(record.id)
        if any(e.kind == "task_finished" for e in events):
            break
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await house.store.find_run("last")).status == "cancelled"
    shop.gate.set()
    found = await house.resume("last", shop.crew)
    assert found.answer == ANSWER
    assert shop.calls.count("pen") == 1
    assert (await house.store.find_run("last")).status == "finished"


async def test_a_tool_that_fails_is_said_in_a_sentence_and_can_be_tried_again(
    house: House, shop: Any
) -> None:
    shop.broken = True
    heard: list[Event] = []
    with pytest.raises(TaskFailed) as error:
        await house.ask(shop.crew, "What does a pen cost?", listeners=[heard.append])
    assert "The tool price failed: ConnectionError: the till is locked" in str(error.value)
    assert isinstance(heard[-1], RunErred)
    assert (await house.store.find_run("last")).status == "failed"
    shop.broken = False
    assert (await house.resume("last", shop.crew)).answer.startswith("pen: price 12.5 EUR.")


@pytest.mark.parametrize("request_", ["", "  \n\t ", "\u3000"])
async def test_an_empty_request_is_refused(house: House, shop: Any, request_: str) -> None:
    with pytest.raises(InvalidRequest, match="The request is empty: say what you want"):
        await house.ask(shop.crew, request_)
    assert await house.store.list_runs() == []


async def test_a_very_long_request_is_refused_at_once(house: House, shop: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"has 1,000,000 characters, and at most 64,000 are read"):
        await house.ask(shop.crew, "a" * 1_000_000)
    assert await house.store.list_runs() == []


async def test_the_longest_allowed_request_is_answered_in_seconds(house: House, shop: Any) -> None:
    found = await house.ask(shop.crew, ("pen " * MAX_REQUEST_CHARS)[:MAX_REQUEST_CHARS])
    assert "12.5 EUR" in found.answer


async def test_tool_calls_over_the_budget_are_refused_before_anything_is_called(
    house: House, shop: Any
) -> None:
    with pytest.raises(InvalidPlan, match="to take 3 tool calls, and the budget allows 2"):
        await house.ask(shop.crew, COMPARE, budget=Budget(tool_calls=2))
    assert shop.calls == []


async def test_used_up_tokens_stop_the_run_and_a_larger_budget_goes_on(house: House) -> None:
    from crewgraph import Agent, Task

    tasks = [
        Task(id="one", description="Speak."),
        Task(id="two", description="Speak again.", depends_on=("one",)),
    ]
    crew = Crew([Agent("poet", "Rhyme.")], tasks=tasks)
    with pytest.raises(BudgetExceeded, match="budget of 1 tokens is used up"):
        await house.ask(crew, "Write two verses about rain.", budget=Budget(tokens=1))
    heard: list[Event] = []
    found = await house.resume("last", crew, budget=Budget(tokens=10_000), listeners=[heard.append])
    assert found.answer == "With pleasure."
    assert [e.task_id for e in heard if isinstance(e, TaskStarted)] == ["two"]


async def test_used_up_seconds_stop_the_run(house: House, shop: Any) -> None:
    shop.gate.clear()
    with pytest.raises(BudgetExceeded, match="seconds is used up"):
        await house.ask(shop.crew, COMPARE, budget=Budget(seconds=0.3))


async def test_unknown_runs_and_threads_are_said_to_be_unknown(house: House, shop: Any) -> None:
    with pytest.raises(NotFound):
        await house.replay("nothing", shop.crew)
    with pytest.raises(NotFound):
        await house.resume("nothing", shop.crew)
    with pytest.raises(NotFound):
        await house.ask(shop.crew, "Hello!", thread_id="nothing")


async def test_a_plan_can_be_seen_without_being_carried_out(house: House, shop: Any) -> None:
    made = await house.plan(shop.crew, COMPARE)
    assert [t.tool for t in made.tasks] == ["price", "price", "compare", None]
    assert shop.calls == []


async def test_many_requests_at_once_do_not_mix(house: House, shop: Any) -> None:
    wanted = {"pen": "12.5 EUR", "ink": "6 EUR", "paper": "0.1 EUR"}
    items = [*wanted] * 4
    found = await asyncio.gather(*(house.ask(shop.crew, f"What does {i} cost?") for i in items))
    assert [wanted[i] in f.answer for i, f in zip(items, found, strict=True)] == [True] * 12
    assert len({f.run_id for f in found}) == 12


async def test_the_door_for_programs_gives_the_same(
    settings: Settings, shop: Any, model: ScriptedModel
) -> None:
    heard: list[Event] = []
    found = await run(shop.crew, COMPARE, settings=settings, client=model, listeners=[heard.append])
    assert found.answer == ANSWER
    assert isinstance(heard[-1], RunFinished)


def test_the_synchronous_door_works_without_a_loop(settings: Settings, model: ScriptedModel) -> None:
    from crewgraph import Agent, run_sync

    crew = Crew([Agent("poet", "Rhyme.")])
    assert run_sync(crew, "Hello!", settings=settings, client=model).answer == "With pleasure."
