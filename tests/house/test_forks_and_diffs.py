"""A past run is taken up in the middle, with something changed; two runs are held against each other."""

from __future__ import annotations

from typing import Any

import pytest

from crewgraph import House, ModelRequest, Settings
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import InvalidRequest, NotFound

COMPARE = "Which costs more, a pen or ink?"


async def test_a_fork_goes_on_from_a_task_and_leaves_the_original_alone(house: House, shop: Any) -> None:
    found = await house.ask(shop.crew, COMPARE)
    before = await house.store.rows(found.run_id)
    shop.calls.clear()
    fork = await house.fork(found.run_id, at="t1", changes={"args": {"item": "paper"}})
    assert (fork.forked_from, fork.status) == (found.run_id, "interrupted")
    outcome = await house.resume(fork.id, shop.crew)
    assert "0.1 EUR" in outcome.answer
    assert set(shop.calls) <= {"paper", "ink"}  # what began after the fork point begins again
    assert await house.store.rows(found.run_id) == before
    assert (await house.replay(found.run_id, shop.crew)).answer == found.answer
    assert (await house.replay(fork.id, shop.crew)).answer == outcome.answer


async def test_a_fork_with_another_result_shows_what_would_have_been(house: House, shop: Any) -> None:
    found = await house.ask(shop.crew, COMPARE)
    fork = await house.fork(found.run_id, at="t2:tool:price", changes={"output.value": 99.0})
    outcome = await house.resume(fork.id, shop.crew)
    assert outcome.answer.startswith("ink has the higher price: 99 EUR")
    difference = await house.diff(found.run_id, fork.id)
    assert difference.answer
    assert difference.first is not None
    assert difference.first.task_id == "t2"
    assert (await house.diff(found.run_id, found.run_id)).same


async def test_a_fork_may_ask_another_model(settings: Settings, shop: Any) -> None:
    asked: list[str | None] = []

    def reply(request: ModelRequest) -> str:
        asked.append(request.model)
        return request.choices[0] if request.choices else "With pleasure."

    async with House.open(settings, client=ScriptedModel(reply)) as house:
        found = await house.ask(shop.crew, COMPARE)
        asked.clear()
        fork = await house.fork(found.run_id, at="answer", model="larger")
        await house.resume(fork.id, shop.crew)
        assert set(asked) == {"larger"}


@pytest.mark.parametrize("at", ["nowhere", "#99999", "t1:tool:nothing"])
async def test_a_fork_point_that_is_not_there_is_said_in_one_sentence(
    house: House, shop: Any, at: str
) -> None:
    found = await house.ask(shop.crew, COMPARE)
    runs = await house.store.list_runs()
    with pytest.raises((NotFound, InvalidRequest)) as said:
        await house.fork(found.run_id, at=at)
    assert str(said.value).count("\n") == 0
    assert await house.store.list_runs() == runs


async def test_bisect_names_the_step_that_made_the_answer_wrong(house: House, shop: Any) -> None:
    good = await house.ask(shop.crew, COMPARE)
    fork = await house.fork(good.run_id, at="t2:tool:price", changes={"output.value": 99.0})
    bad = await house.resume(fork.id, shop.crew)
    before = len(await house.store.list_runs(100))
    culprit = await house.bisect(good.run_id, bad.run_id, shop.crew)
    assert culprit.step is not None
    assert (culprit.step.name, culprit.answer) == ("tool:price", bad.answer)
    assert len(await house.store.list_runs(100)) == before


async def test_what_the_original_spent_is_not_charged_to_its_fork(house: House, shop: Any) -> None:
    found = await house.ask(shop.crew, COMPARE, tenant="acme")
    before = await house.store.usage("acme")
    fork = await house.fork(found.run_id, at="answer")
    outcome = await house.resume(fork.id, shop.crew)
    after = await house.store.usage("acme")
    assert (await house.store.find_run(fork.id)).tenant == "acme"
    assert after.tool_calls == before.tool_calls
    assert outcome.tokens > 0
    assert after.tokens - before.tokens == outcome.tokens
    replayed = await house.replay(fork.id, shop.crew)
    assert (replayed.answer, replayed.tokens) == (outcome.answer, outcome.tokens)
