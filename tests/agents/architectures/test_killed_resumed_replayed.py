"""Killed between any two model calls and resumed, nothing is called twice and the end is the same; a replay calls nothing."""

from __future__ import annotations

import asyncio

import pytest

from crewgraph.agents.architectures import NAMES
from crewgraph.agents.testing import ForbiddenModel
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import TextDelta

from .conftest import Case, Counting, Office


async def sitting(
    case: Case, office: Office, die_at: int = 0, *, again: bool = False
) -> tuple[str, Counting]:
    model = Counting(case.script, die_at)
    text = ""
    async with office.at_work(case.shop, case.agent, model, again=again) as desk:
        try:
            text = (await case.way.conclude(desk)).text
        except asyncio.CancelledError:
            assert die_at
    return text, model


async def undisturbed(name: str, office: Office) -> tuple[str, list[str]]:
    calm = Office(office.path.with_name("calm.db"))
    text, model = await sitting(Case.of(name), calm)
    return text, sorted(model.done)


async def test_killed_at_any_call_and_resumed_nothing_is_called_twice(case: Case, office: Office) -> None:
    text, calls = await undisturbed(case.name, office)
    for die_at in range(1, len(calls) + 1):
        one = Case.of(case.name)
        there = Office(office.path.with_name(f"{die_at}.db"))
        cut, first = await sitting(one, there, die_at)
        assert cut == ""
        tools = list(one.shop.calls)
        resumed, second = await sitting(one, there, again=True)
        assert resumed == text
        assert sorted(first.done + second.done) == calls
        assert second.begun == len(calls) - len(first.done)
        assert len(one.shop.calls) == len(set(one.shop.calls)) >= len(tools)


@pytest.mark.parametrize("name", NAMES)
async def test_killed_at_every_sitting_it_still_arrives(name: str, office: Office) -> None:
    text, calls = await undisturbed(name, office)
    case, done = Case.of(name), list[str]()
    _, model = await sitting(case, office, 2)
    done += model.done
    for _ in calls:
        came, model = await sitting(case, office, 2, again=True)
        done += model.done
        if came:
            break
    if not came:
        came, model = await sitting(case, office, again=True)
        done += model.done
    assert (came, sorted(done)) == (text, calls)


async def test_a_replay_calls_no_model_and_no_tool_and_comes_to_the_same(case: Case, office: Office) -> None:
    text, _ = await sitting(case, office)
    case.shop.calls.clear()
    heard: list[object] = []
    async with office.opened() as store:
        ctx = RunContext(await store.read_run("last"), listeners=[heard.append]).for_task("t")
        desk = office.desk(case.shop, case.agent, ForbiddenModel(), ctx)
        assert (await case.way.conclude(desk)).text == text
    assert case.shop.calls == []
    assert not any(isinstance(event, TextDelta) for event in heard)
