"""Conversations on every kind of store: numbered messages, summaries, turns, and runs that stand for what was said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import NotFound
from crewgraph.runtime.store.store import SqlStore

from .conftest import Opener

SAID = [
    ("user", "Hello 你好"),
    ("assistant", "Yes?"),
    ("user", "A “quotation” \\ and \0 zero"),
    ("assistant", "🙂"),
]


async def spoken(store: SqlStore) -> tuple[str, list[int]]:
    """A conversation, and the numbers of its messages; another one is spoken in between."""
    thread, other = (await store.create_thread()).id, (await store.create_thread()).id
    for one in SAID:
        await store.add_messages(thread, [one])
        await store.add_messages(other, [("user", "Elsewhere")])
    return thread, [message.number for message in await store.messages(thread)]


async def test_messages_have_numbers_that_grow(any_store: SqlStore) -> None:
    thread, numbers = await spoken(any_store)
    assert numbers == sorted(set(numbers))
    later = await any_store.messages(thread, since=numbers[2])
    assert [message.number for message in later] == numbers[2:]
    assert await any_store.messages(thread, since=numbers[-1] + 1) == []


async def test_the_newest_summary_is_found(any_store: SqlStore, opener: Opener) -> None:
    thread, numbers = await spoken(any_store)
    assert await any_store.summary(thread) is None
    await any_store.add_summary(thread, numbers[0], "first", {"facts": []})
    made = await any_store.add_summary(thread, numbers[1], "第二", {"facts": [[1, 0]]}, "r-1")
    assert await (await opener()).summary(thread) == made
    assert (made.content, made.state, made.upto, made.run_id) == (
        "第二",
        {"facts": [[1, 0]]},
        numbers[1],
        "r-1",
    )
    with pytest.raises(NotFound):
        await any_store.add_summary("t-none", 1, "x")
    await any_store.delete_thread(thread)
    assert await any_store.summary(thread) is None


async def test_a_run_that_is_read_has_the_messages_that_it_stands_for(
    any_store: SqlStore, opener: Opener
) -> None:
    thread, numbers = await spoken(any_store)
    summary = await any_store.add_summary(thread, numbers[1], "in short")
    contents = [message.content for message in await any_store.messages(thread)]
    entries: list[Any] = [
        {
            "role": "user",
            "parts": [
                "Before: ",
                {"summary": summary.number},
                "\n",
                {"lines": [[numbers[0], 0, 5], [numbers[1], 0, 3]], "as": ["user", "assistant"]},
                {"message": [numbers[2], 2, 13]},
            ],
        },
        {"messages": [numbers[1], numbers[3]]},
        {"role": "user", "content": "as it is"},
    ]
    heard = [
        {"role": "user", "content": f"Before: in short\n- user: Hello\n- assistant: Yes{contents[2][2:13]}"},
        *({"role": role, "content": text} for (role, _), text in zip(SAID[1:], contents[1:], strict=True)),
        {"role": "user", "content": "as it is"},
    ]
    async with await any_store.create_run(
        "crew", "r", options={"a": 1, "history": entries}, thread_id=thread, heard=heard
    ) as journal:
        ctx = RunContext(journal)
        await ctx.step("model", nothing, inputs={"messages": heard})
        run_id = journal.run_id
    await any_store.add_messages(thread, [("user", "later")])
    store = await opener()
    assert (await store.find_run(run_id)).options == {"a": 1, "history": heard}
    ((kept,),) = await store.database.fetch("SELECT options FROM runs WHERE id = ?", (run_id,))
    assert "quotation" not in kept
    events = await store.events(run_id)
    assert events[0].inputs == {"messages": heard}  # type: ignore[union-attr]
    lines = await store.export_run(run_id)
    await store.delete_run(run_id)
    await store.delete_thread(thread)
    imported = await store.import_run(lines)
    assert (imported.options["history"], imported.thread_id) == (heard, None)
    assert await store.events(run_id) == events


async def nothing() -> int:
    return 1


async def test_a_turn_is_had_by_one_store_at_a_time(any_store: SqlStore, opener: Opener) -> None:
    other = await opener()
    inside = 0

    async def turn(store: SqlStore) -> None:
        nonlocal inside
        async with store.turn("t-1"):
            inside += 1
            await asyncio.sleep(0.002)
            assert inside == 1
            inside -= 1

    await asyncio.gather(*(turn(store) for store in (any_store, other, any_store, other, other)))


async def entered(store: SqlStore) -> None:
    async with store.turn("t-1"):
        pass


async def test_a_wait_that_is_given_up_leaves_the_turn_to_others(any_store: SqlStore, opener: Opener) -> None:
    other = await opener()
    async with any_store.turn("t-1"):
        waiting = asyncio.create_task(entered(other))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.wait_for(entered(any_store), 30)
    await asyncio.wait_for(entered(other), 30)
