"""Listeners hear everything as it happens, after it is safe, and can break nothing."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import StoreError
from crewgraph.runtime.events import Event, Noted, TextDelta
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.store import Store


async def test_a_listener_that_raises_is_logged_and_the_others_still_hear(
    effects: Any, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError("the screen is gone")

    ctx = RunContext(Journal("r-test"), listeners=[broken, heard.append])
    with caplog.at_level(logging.ERROR):
        assert await ctx.step("s", effects.giving(1), inputs={}) == 1
        ctx.text("hello")
    assert [event.kind for event in heard] == ["step_intended", "step_finished", "text_delta"]
    assert "the screen is gone" in caplog.text


async def test_live_text_is_shown_and_never_stored(store: Store) -> None:
    heard: list[Event] = []
    journal = await store.create_run("c", "r")
    ctx = RunContext(journal, listeners=[heard.append]).for_task("t")
    ctx.text("he")
    await ctx.emit(TextDelta(task_id="t", text="llo"))
    assert [(e.task_id, e.text) for e in heard if isinstance(e, TextDelta)] == [("t", "he"), ("t", "llo")]
    assert await store.events(journal.run_id) == []


async def test_what_has_an_effect_outside_is_safe_before_anybody_hears_of_it(
    new_tape: Any, effects: Any
) -> None:
    tape, order = new_tape(), []
    tape.put_rows = lambda row: order.append(f"stored {row.kind}")
    ctx = RunContext(tape.journal(), listeners=[lambda event: order.append(f"heard {event.kind}")])
    await ctx.emit(Noted(task_id="", text="x"))
    await ctx.step("send", effects.giving("sent"), inputs={}, effect="once")
    kinds = ("noted", "step_intended", "step_finished")
    assert order == [f"{what} {kind}" for kind in kinds for what in ("stored", "heard")]


async def test_events_get_the_time_they_happen(effects: Any) -> None:
    heard: list[Event] = []
    ctx = RunContext(Journal("r-test"), listeners=[heard.append])
    await ctx.emit(Noted(task_id="", text="x"))
    await ctx.emit(Noted(at=5.0, task_id="", text="y"))
    assert heard[0].at > 1e9
    assert heard[1].at == 5.0


async def test_a_resumed_task_does_not_say_everything_twice(store: Store) -> None:
    for sitting in range(3):
        journal = await (store.open_run("last") if sitting else store.create_run("c", "r"))
        async with journal:
            heard: list[Event] = []
            ctx = RunContext(journal, listeners=[heard.append]).for_task("t")
            await ctx.note("a fallback was taken")
            await ctx.note("a fallback was taken")
            await ctx.note(f"sitting {sitting}")
            assert len(heard) == 3
    texts = [event.text for event in await store.events("last") if isinstance(event, Noted)]
    assert texts == ["a fallback was taken"] * 2 + ["sitting 0", "sitting 1", "sitting 2"]


async def test_a_run_that_was_given_back_takes_nothing_more(store: Store) -> None:
    async with await store.create_run("c", "r") as journal:
        await RunContext(journal).note("x")
    with pytest.raises(StoreError, match="has been given back: open it again"):
        await RunContext(journal).note("y")
    assert len(await store.events("last")) == 1
