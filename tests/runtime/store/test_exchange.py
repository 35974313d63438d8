"""A run goes from one database to another as lines of JSON, whole, checked, and once."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crewgraph.runtime.errors import CrewgraphError, InvalidRequest, JournalTampered
from crewgraph.runtime.events import Answer, Asked, Noted, RunFinished, RunPaused, RunStarted, StepFinished
from crewgraph.runtime.store import open_store
from crewgraph.runtime.store.exchange import read_lines
from crewgraph.runtime.store.store import SqlStore

LARGE = "large 中文 " * 10_000


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
async def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    """Another database, to which a run is brought."""
    key = Fernet.generate_key() if request.param else None
    async with open_store(tmp_path / "elsewhere.db", key=key) as store:
        yield store


async def filled(store: SqlStore) -> str:
    """A run that waits, with a large value, an answer that nobody has taken in, and a part carried elsewhere."""
    async with await store.create_run(
        "crew", "request 中文", crew_path="/c.py", model="m", options={"a": [1, None]}, tenant="acme"
    ) as journal:
        journal.write(RunStarted(at=1.125, crew="crew", request="request"))
        journal.write(StepFinished(at=2.5, task_id="t", name="s", key="k", output=LARGE, tokens=3))
        journal.write(StepFinished(at=2.5, task_id="t", name="s", key="k2", output=[LARGE]))
        async with await store.create_run("crew", "part", parent=journal.run_id, tenant="acme") as part:
            part.write(StepFinished(at=3.0, task_id="u", name="s", key="k3", output=LARGE, tokens=4))
            await part.append(RunFinished(at=time.time(), answer="part"))
        await journal.append(Asked(at=3.5, task_id="t", key="q", question="May I?"))
        await journal.append(RunPaused(at=time.time(), keys=("q",)))
    await store.answer(journal.run_id, "q", Answer(decision="approve", note="because"))
    return journal.run_id


async def test_a_run_arrives_as_it_was(any_store: SqlStore, elsewhere: SqlStore) -> None:
    run_id = await filled(any_store)
    lines = await any_store.export_run(run_id)
    assert all("\n" not in line for line in lines)
    record = await elsewhere.import_run(line + "\n" for line in lines)
    assert record == await any_store.find_run(run_id)
    assert record == await elsewhere.find_run(run_id)
    assert await elsewhere.events(run_id) == await any_store.events(run_id)
    assert [row[:6] for row in await elsewhere.rows(run_id)] == [
        row[:6] for row in await any_store.rows(run_id)
    ]
    assert [record.id for record in await elsewhere.list_runs()] == [run_id]
    assert await elsewhere.export_run(run_id) == lines
    async with await elsewhere.open_run(run_id) as journal:
        assert journal.finished_steps == 3
        assert await journal.take_answers() == ["q"]
        await journal.append(RunFinished(at=time.time(), answer="over there"))
    assert (await any_store.find_run(run_id)).status == "waiting"


async def test_a_run_comes_back_after_it_was_deleted(any_store: SqlStore) -> None:
    run_id = await filled(any_store)
    lines, before = await any_store.export_run(run_id), await any_store.events(run_id)
    await any_store.delete_run(run_id)
    await any_store.import_run(lines)
    assert await any_store.events(run_id) == before


async def test_a_run_that_is_there_already_is_refused_and_nothing_is_changed(
    any_store: SqlStore, elsewhere: SqlStore
) -> None:
    run_id = await filled(any_store)
    lines = await any_store.export_run(run_id)
    for store in (any_store, elsewhere):
        if store is elsewhere:
            await store.import_run(lines)
        before = await store.database.fetch("SELECT count(*) FROM events")
        with pytest.raises(InvalidRequest, match=f"Run {run_id} is in .* already: delete it there first"):
            await store.import_run(lines)
        assert await store.database.fetch("SELECT count(*) FROM events") == before


async def test_a_part_whose_id_is_taken_brings_nothing_in(elsewhere: SqlStore, any_store: SqlStore) -> None:
    run_id = await filled(any_store)
    lines = await any_store.export_run(run_id)
    part = next(json.loads(line)["record"]["id"] for line in lines[1:] if "crewgraph_run" in line)
    await elsewhere.create_run("crew", "r", run_id=part)
    with pytest.raises(InvalidRequest, match="already"):
        await elsewhere.import_run(lines)
    assert [record.id for record in await elsewhere.list_runs()] == [part]


async def test_a_run_that_is_going_on_is_exported_as_far_as_it_is(
    any_store: SqlStore, elsewhere: SqlStore
) -> None:
    journal = await any_store.create_run("crew", "r")
    await journal.append(Noted(at=1.0, task_id="", text="so far"))
    record = await elsewhere.import_run(await any_store.export_run(journal.run_id))
    assert (await any_store.find_run(journal.run_id)).status == "running"
    assert record.status == "interrupted"
    assert len(await elsewhere.events(journal.run_id)) == 1


async def test_a_conversation_that_is_not_there_is_not_named(
    any_store: SqlStore, elsewhere: SqlStore
) -> None:
    thread = await any_store.create_thread("t")
    async with await any_store.create_run("crew", "r", thread_id=thread.id) as journal:
        pass
    lines = await any_store.export_run(journal.run_id)
    assert (await elsewhere.import_run(lines)).thread_id is None
    await any_store.delete_run(journal.run_id)
    assert (await any_store.import_run(lines)).thread_id == thread.id


@pytest.fixture
async def lines(tmp_path: Path) -> list[str]:
    async with open_store(tmp_path / "runs.db") as store:
        return await store.export_run(await filled(store))


def changed(line: str, **parts: Any) -> str:
    return json.dumps({**json.loads(line), **parts})


async def refused(lines: list[str], sentence: str, error: type[CrewgraphError] = InvalidRequest) -> None:
    with pytest.raises(error, match=sentence):
        read_lines(lines)


async def test_a_changed_event_is_noticed_and_named(lines: list[str]) -> None:
    event = json.loads(lines[2])["event"]
    forged = [json.dumps({"event": [*event[:5], event[5].replace('"tokens": 3', '"tokens": 4'), event[6]]})]
    await refused(
        [*lines[:2], *forged, *lines[3:]], r"event 2 \(step_finished of task 't'\)", JournalTampered
    )


async def test_events_that_are_missing_or_twice_are_noticed(lines: list[str]) -> None:
    await refused([*lines[:2], *lines[3:]], "is not whole: it has 4 of 5 events")
    await refused([*lines[:3], lines[2], *lines[4:]], "event 3 is missing", JournalTampered)
    await refused(lines[:4], "is not whole: it has 3 of 5 events, 0 of 2 large values and 0 of 1 answers")


async def test_a_large_value_that_was_changed_is_noticed(lines: list[str]) -> None:
    place = next(number for number, line in enumerate(lines) if line.startswith('{"large"'))
    await refused(
        [*lines[:place], changed(lines[place], text='"other"'), *lines[place + 1 :]],
        r"event \d \(step_finished of task 't'\) is not what was written",
        JournalTampered,
    )


async def test_a_newer_format_is_refused(lines: list[str]) -> None:
    await refused(
        [changed(lines[0], crewgraph_run=2), *lines[1:]],
        r"exported by a newer crewgraph \(format 2, this one reads up to 1\): upgrade crewgraph",
    )


async def test_an_event_of_a_newer_version_is_refused(lines: list[str], tmp_path: Path) -> None:
    from crewgraph.runtime.journalling.row import EventRow, link

    row = EventRow(1, 1.0, "dreamt", "", "", "{}")
    head = changed(lines[0], events=1, large=0, answers=0)
    await refused(
        [head, json.dumps({"event": [*row[:6], link(b"", row).hex()]})],
        r"Event 1 \(dreamt\) of run .* cannot be read .* exported by another version of crewgraph",
    )


async def test_a_part_of_another_run_is_refused(lines: list[str]) -> None:
    place = next(number for number, line in enumerate(lines) if number and "crewgraph_run" in line)
    record = json.loads(lines[place])["record"]
    stranger = changed(lines[place], record={**record, "parent": "r-other"})
    await refused([*lines[:place], stranger, *lines[place + 1 :]], "is no part of run")


@pytest.mark.parametrize(
    ("junk", "sentence"),
    [
        ([], "There is no exported run in this"),
        (["", "  "], "There is no exported run in this"),
        (["not json"], r"Line 1 is not part of an exported run \(.*\): export the run again"),
        (["[]"], r"Line 1 is not part of an exported run \(not an object\)"),
        (['{"event": []}'], r"Line 1 .*the first line is not a run's"),
        (['{"crewgraph_run": 1}'], r"Line 1 is not part"),
        (['{"crewgraph_run": "x", "record": {}}'], r"Line 1 is not part"),
        (
            ['{"crewgraph_run": 1, "record": {"id": 3}, "events": 0, "large": 0, "answers": 0}'],
            r"Line 1 is not part",
        ),
        (["[" * 100_000], r"Line 1 is not part"),
    ],
)
async def test_junk_is_refused_with_its_line(junk: list[str], sentence: str) -> None:
    await refused(junk, sentence)


@pytest.mark.parametrize(
    "junk",
    [
        '{"event": [1, 2]}',
        '{"event": 3}',
        '{"large": 1}',
        '{"answer": "k"}',
        '{"other": 1}',
        '{"event": null}',
    ],
)
async def test_a_junk_line_inside_is_refused_with_its_number(lines: list[str], junk: str) -> None:
    await refused([lines[0], junk, *lines[1:]], r"Line 2 is not part of an exported run")


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_whatever_happens_to_the_lines_it_is_read_right_or_refused(
    lines: list[str], data: st.DataObject
) -> None:
    broken = list(lines)
    place = data.draw(st.integers(0, len(broken) - 1))
    text = broken[place]
    cut = data.draw(st.integers(0, min(len(text), 400)))
    what = data.draw(st.sampled_from(["cut", "swap", "drop", "double", "letter"]))
    if what == "cut":
        broken[place] = text[:cut]
    elif what == "swap":
        other = data.draw(st.integers(0, len(broken) - 1))
        broken[place], broken[other] = broken[other], broken[place]
    elif what == "drop":
        del broken[place]
    elif what == "double":
        broken.insert(place, text)
    else:
        broken[place] = text[:cut] + data.draw(st.characters(codec="utf-8")) + text[cut + 1 :]
    whole = read_lines(lines)
    try:
        found = read_lines(broken)
    except (InvalidRequest, JournalTampered):
        return
    # The record is for people and not in the chain; what happened is.
    happened = {(row[:6], row.large) for run in whole for row in run.rows}
    assert {(row[:6], row.large) for run in found for row in run.rows} <= happened
