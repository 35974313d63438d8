"""Threads are kept, go on after the process that began them, and keep nothing of what failed."""

from __future__ import annotations

from typing import Any

import pytest

from crewgraph import House, Message, Settings
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.runtime.errors import TaskFailed


async def said(house: House, thread: str) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in await house.store.messages(thread)]


async def test_a_conversation_goes_on_in_another_process(
    settings: Settings, model: ScriptedModel, shop: Any
) -> None:
    async with House.open(settings, client=model) as house:
        thread = (await house.store.create_thread("shopping")).id
        first = await house.ask(shop.crew, "What does a pen cost?", thread_id=thread)
        assert first.answer.startswith("pen: price 12.5 EUR.")
    async with House.open(settings, client=model) as house:
        second = await house.ask(shop.crew, "And ink?", thread_id=thread)
        assert second.answer.startswith("ink: price 6 EUR.")
        assert await said(house, thread) == [
            ("user", "What does a pen cost?"),
            ("assistant", first.answer),
            ("user", "And ink?"),
            ("assistant", second.answer),
        ]
        assert [m.run_id for m in await house.store.messages(thread)] == [first.run_id] * 2 + [
            second.run_id
        ] * 2


async def test_the_model_hears_what_was_said_before(house: House, model: ScriptedModel, shop: Any) -> None:
    thread = (await house.store.create_thread()).id
    await house.ask(shop.crew, "Hello!", thread_id=thread)
    await house.ask(shop.crew, "How are you?", thread_id=thread)
    assert [m.content for m in model.requests[-1].messages[1:]] == [
        "Hello!",
        "With pleasure.",
        "How are you?",
    ]


async def test_a_run_of_a_conversation_replays_with_the_history_it_had(
    settings: Settings, model: ScriptedModel, shop: Any
) -> None:
    async with House.open(settings, client=model) as house:
        thread = (await house.store.create_thread()).id
        await house.ask(shop.crew, "What does a pen cost?", thread_id=thread)
        second = await house.ask(shop.crew, "And ink?", thread_id=thread)
        await house.ask(shop.crew, "And paper?", thread_id=thread)
    async with House.open(settings, client=ForbiddenModel()) as other:
        assert (await other.replay(second.run_id, shop.crew)).answer == second.answer
        assert len(await other.store.messages(thread)) == 6


async def test_a_failed_turn_adds_nothing_and_its_resume_adds_it_once(house: House, shop: Any) -> None:
    thread = (await house.store.create_thread()).id
    shop.broken = True
    with pytest.raises(TaskFailed):
        await house.ask(shop.crew, "What does a pen cost?", thread_id=thread)
    assert await said(house, thread) == []
    shop.broken = False
    await house.resume("last", shop.crew)
    await house.resume("last", shop.crew)
    assert [role for role, _ in await said(house, thread)] == ["user", "assistant"]


async def test_a_callers_own_history_is_heard_and_not_kept(house: House, shop: Any) -> None:
    history = [Message("user", "What does a pen cost?"), Message("assistant", "12.5 EUR")]
    found = await house.ask(shop.crew, "And ink?", history=history)
    assert found.answer.startswith("ink: price 6 EUR.")
    assert found.thread_id is None
    assert await house.store.list_threads() == []
