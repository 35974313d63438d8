"""A run that is broken off between its answer and its thread keeps the thread's messages, once."""

from __future__ import annotations

from typing import Any

import pytest

from crewgraph import House


async def roles(house: House, thread_id: str) -> list[str]:
    return [message.role for message in await house.store.messages(thread_id)]


@pytest.mark.parametrize("kept", [0, 1, 2])
async def test_what_a_crash_kept_out_of_the_thread_is_added_by_resuming(
    house: House, shop: Any, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    thread = await house.store.create_thread()
    add = house.store.add_messages

    async def dies(thread_id: str, messages: list[tuple[str, str]], run_id: str) -> None:
        if kept:  # one alone: as releases before 0.3 left it, which added them one by one
            await add(thread_id, messages[:kept], run_id)
        raise KeyboardInterrupt

    monkeypatch.setattr(house.store, "add_messages", dies)
    with pytest.raises(KeyboardInterrupt):
        await house.ask(shop.crew, "What does a pen cost?", thread_id=thread.id, planner="rules")
    monkeypatch.undo()
    assert len(await roles(house, thread.id)) == kept
    first = await house.resume("last", shop.crew)
    assert (await house.resume("last", shop.crew)).answer == first.answer
    assert await roles(house, thread.id) == ["user", "assistant"]
