"""A run of a conversation keeps where it stands in it, and always has the history that it had."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from crewgraph import House, Message, Settings
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.runtime.errors import NotFound, StoreError
from crewgraph.runtime.events import StepIntended
from crewgraph.runtime.store import open_store
from crewgraph.runtime.store.sql.database import Statement, write

from .conftest import crew

Said = list[tuple[str, str]]


def polite(request: Any) -> str:
    return f"I heard {len(request.messages) - 2} before."


async def talked(house: House, turns: int, thread: str | None = None) -> tuple[str, list[str]]:
    """A conversation of so many turns, and the ids of its runs."""
    thread = thread or (await house.store.create_thread()).id
    runs = [
        (
            await house.ask(crew, f"This is sentence {n}, what about it?", thread_id=thread, planner="rules")
        ).run_id
        for n in range(turns)
    ]
    return thread, runs


async def prompt(house: House, run_id: str) -> list[dict[str, str]]:
    """What the model was told in a run, as its journal holds it."""
    events = await house.store.events(run_id)
    (asked,) = [event.inputs for event in events if isinstance(event, StepIntended) and event.name == "model"]
    assert isinstance(asked, dict)
    return asked["messages"]  # type: ignore[return-value]  # JSON


def kept(settings: Settings, run_id: str) -> int:
    """Bytes that the database holds of a run."""
    with sqlite3.connect(settings.home / "crewgraph.db") as connection:
        ((number, options),) = connection.execute(
            "SELECT number, length(options) FROM runs WHERE id = ?", (run_id,)
        )
        ((bodies,),) = connection.execute("SELECT sum(length(body)) FROM events WHERE run = ?", (number,))
    connection.close()
    return int(options) + int(bodies)


async def test_a_turn_costs_the_same_however_long_the_conversation_is(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(polite)) as house:
        _, runs = await talked(house, 16)
    first, last = await asyncio.to_thread(lambda: [kept(settings, runs[place]) for place in (2, -1)])
    assert last <= 1.05 * first


async def test_the_prompts_are_what_they_were_when_histories_were_copied(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(polite)) as house:
        thread, runs = await talked(house, 5)
        said = [{"role": m.role, "content": m.content} for m in await house.store.messages(thread)]
        alone = ScriptedModel(polite)
        async with House.open(Settings(home=settings.home / "other", model_url=None), client=alone) as other:
            history = [Message(one["role"], one["content"]) for one in said[:8]]  # type: ignore[arg-type]
            await other.ask(crew, said[8]["content"], history=history, planner="rules")
        assert await prompt(house, runs[-1]) == [
            {"role": m.role, "content": m.content} for m in alone.requests[0].messages
        ]
        assert (await prompt(house, runs[-1]))[1:-1] == said[:8]


async def test_a_run_replays_with_the_history_of_then(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(polite)) as house:
        thread, runs = await talked(house, 4)
        answers = {run_id: (await house.outcome(run_id)).answer for run_id in runs}
        await talked(house, 4, thread)
    async with House.open(settings, client=ForbiddenModel()) as house:
        for run_id, answer in answers.items():
            assert (await house.replay(run_id, crew)).answer == answer


@pytest.mark.parametrize("sealed", [False, True])
async def test_an_exported_run_needs_nothing_of_its_conversation(tmp_path: Path, sealed: bool) -> None:
    keys = (Fernet.generate_key().decode(),) if sealed else ()
    here = Settings(home=tmp_path / "here", model_url=None, model=None, database_keys=keys)
    async with House.open(here, client=ScriptedModel(polite)) as house:
        _, runs = await talked(house, 4)
        lines = await house.store.export_run(runs[-1])
        told, answer = await prompt(house, runs[-1]), (await house.outcome(runs[-1])).answer
    assert json.loads(lines[0])["record"]["options"]["history"] == told[1:-1]
    there = Settings(home=tmp_path / "there", model_url=None, model=None)
    async with House.open(there, client=ForbiddenModel()) as house:
        imported = await house.store.import_run(lines)
        assert await prompt(house, imported.id) == told
        assert (await house.replay(imported.id, crew)).answer == answer


async def test_a_run_comes_back_into_the_database_that_it_came_from(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(polite)) as house:
        thread, runs = await talked(house, 3)
        lines, told = await house.store.export_run(runs[1]), await prompt(house, runs[1])
        await house.store.delete_run(runs[1])
        await house.store.import_run(lines)
        await talked(house, 1, thread)
        assert await prompt(house, runs[1]) == told
        assert (await house.replay(runs[1], crew)).answer == "I heard 2 before."


async def test_a_fork_hears_what_its_run_heard(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(polite)) as house:
        thread, runs = await talked(house, 3)
        await talked(house, 2, thread)
        forked = await house.fork(runs[-1], at="#3")
        assert (await house.resume(forked.id, crew)).answer == "I heard 4 before."
        assert await prompt(house, forked.id) == await prompt(house, runs[-1])


async def test_runs_that_hold_their_history_themselves_go_on_working(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(polite)) as house:
        thread, _ = await talked(house, 2)
        history: list[Any] = [
            {"role": m.role, "content": m.content} for m in await house.store.messages(thread)
        ]
        journal = await house.store.create_run(
            crew.name, "And now?", options={"planner": "rules", "history": history}, thread_id=thread
        )
        await journal.aclose()
        assert (await house.resume(journal.run_id, crew)).answer == "I heard 4 before."
        assert (await house.replay(journal.run_id, crew)).answer == "I heard 4 before."
        assert (await prompt(house, journal.run_id))[1:-1] == history


async def test_pruned_runs_leave_the_conversation_whole(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(polite)) as house:
        thread, _ = await talked(house, 3)
        assert await house.store.prune(2**33) == 3
        assert len(await house.store.messages(thread)) == 6
        _, (run_id,) = await talked(house, 1, thread)
        assert (await house.replay(run_id, crew)).answer == "I heard 6 before."


async def test_a_deleted_conversation_is_gone_though_it_was_just_spoken_in(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(polite)) as house:
        thread, _ = await talked(house, 2)
        await house.store.delete_thread(thread)
        with pytest.raises(NotFound, match="no thread"):
            await talked(house, 1, thread)


async def test_what_others_added_is_heard(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(polite)) as house:
        thread, _ = await talked(house, 2)
        async with open_store(settings.database) as other:
            await other.add_messages(thread, [("user", "And I?"), ("assistant", "You too.")])
        _, (run_id,) = await talked(house, 1, thread)
        assert (await prompt(house, run_id))[-3:-1] == [
            {"role": "user", "content": "And I?"},
            {"role": "assistant", "content": "You too."},
        ]


async def test_large_prompts_are_kept_once_too(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(polite)) as house:
        thread = (await house.store.create_thread()).id
        long = "A long message with many words in it. " * 1000
        await house.store.add_messages(thread, [("user", long), ("assistant", long)] * 2)
        house.client.context_tokens = windowless  # type: ignore[method-assign]  # a model that reads everything
        found = await house.ask(crew, "And?", thread_id=thread, planner="rules")
        told = await prompt(house, found.run_id)
        assert [one["content"] for one in told[1:-1]] == [long] * 4
        ((size,),) = await house.store.database.fetch("SELECT sum(length(body)) FROM blobs")  # type: ignore[attr-defined]
        assert size < len(long)
        assert (await house.replay(found.run_id, crew)).answer == "I heard 4 before."
        lines = await house.store.export_run(found.run_id)
        await house.store.delete_run(found.run_id)
        await house.store.import_run(lines)
        assert await prompt(house, found.run_id) == told


async def windowless(model: str | None = None) -> int | None:
    return 1_000_000


async def test_a_conversation_changed_by_hand_is_noticed(settings: Settings) -> None:
    async with House.open(settings, client=ScriptedModel(polite)) as house:
        _, runs = await talked(house, 3)
        database = house.store.database  # type: ignore[attr-defined]
        await write(
            database, Statement("UPDATE messages SET content = 'Something else entirely' WHERE number = 1")
        )
        with pytest.raises(StoreError, match="not what was written"):
            await house.store.events(runs[-1])
        await write(database, Statement("DELETE FROM messages WHERE number = 1"))
        with pytest.raises(StoreError, match="gone from its conversation"):
            await house.store.find_run(runs[-1])
