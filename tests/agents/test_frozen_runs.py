"""A run is frozen into a file and replayed in a test: it passes while the code does the same, and says where not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

import crewgraph.testing
from crewgraph import Agent, Crew, House, Settings, tool
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidRequest, JournalTampered, NotFound, ReplayDiverged, TaskFailed
from crewgraph.runtime.events import Event, RunFinished, StepFinished
from crewgraph.runtime.past.diff import diff
from crewgraph.runtime.reading.history import summarise
from crewgraph.testing import ForbiddenModel, ScriptedModel, freeze, frozen, frozen_events, replayed

ASKED = "Which costs more, a pen or ink?\u2028\u0085(asked with characters that end lines)"


class Till:
    """A shop whose code can change after a run was frozen. `calls` are those of its tool."""

    def __init__(self, *, named: str = "price", broken: bool = False, unit: str = "EUR") -> None:
        self.calls: list[str] = []

        async def price(item: Literal["pen", "ink"]) -> float:
            """The price of an item in the shop."""
            self.calls.append(item)
            if broken:
                raise ValueError("the till is locked")
            return {"pen": 12.5, "ink": 6.0}[item]

        price.__name__ = named
        agents = [Agent("clerk", "Know prices.", tools=[tool(unit=unit)(price)]), Agent("host", "Answer.")]
        self.crew = Crew(agents, name="shop")


async def frozen_run(tmp_path: Path, till: Till) -> tuple[Path, str]:
    settings = Settings(home=tmp_path / "home", model_url=None, model=None)
    path = tmp_path / "runs" / "prices.jsonl"
    answer = ""
    async with House.open(
        settings, client=ScriptedModel(lambda r: r.choices[0] if r.choices else "Yes.")
    ) as house:
        try:
            answer = (await house.ask(till.crew, ASKED, planner="rules")).answer
        except TaskFailed as error:
            answer = str(error)
        assert await freeze(house.store, "last", path) == path
    till.calls.clear()
    return path, answer


async def test_a_frozen_run_is_replayed_without_model_tool_or_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, answer = await frozen_run(tmp_path, Till())
    home = tmp_path / "nothing is made here"
    monkeypatch.setenv("CREWGRAPH_HOME", str(home))
    till = Till()
    heard: list[Event] = []
    outcome = await replayed(path, till.crew, listeners=[heard.append])
    assert outcome.answer == answer
    assert outcome.evidence
    assert till.calls == []
    assert not home.exists()
    assert [(task.tool, task.state) for task in summarise(heard).tasks][:2] == [("price", "finished")] * 2


async def test_changed_code_fails_the_test_and_the_first_step_is_named(tmp_path: Path) -> None:
    path, _ = await frozen_run(tmp_path, Till())
    with pytest.raises(ReplayDiverged, match=r"Replay of run .* diverged: .*cost"):
        await replayed(path, Till(named="cost").crew)


async def test_a_run_that_failed_is_frozen_as_it_failed(tmp_path: Path) -> None:
    path, said = await frozen_run(tmp_path, Till(broken=True))
    assert "the till is locked" in said
    with pytest.raises(TaskFailed, match="the till is locked") as failed:
        await replayed(path, Till(broken=True).crew)
    assert str(failed.value) == said


async def never() -> None:
    raise AssertionError("a replay carries nothing out")


async def test_a_frozen_journal_is_read_only_and_all_of_the_run(tmp_path: Path) -> None:
    path, answer = await frozen_run(tmp_path, Till())
    journal = frozen(path)
    assert journal.read_only
    assert journal.record is not None
    assert (journal.record.request, journal.record.answer, journal.record.status) == (
        ASKED,
        answer,
        "finished",
    )
    events = frozen_events(path)
    assert journal.finished_steps == sum(isinstance(event, StepFinished) for event in events)
    await journal.append(RunFinished(answer="something else"))
    assert frozen_events(path) == events
    assert diff(events, frozen_events(path)).same
    ctx = RunContext(frozen(path)).for_task("t1")
    with pytest.raises(ReplayDiverged, match="task 't1' now asks for step 'tool:price' with other inputs"):
        await ctx.step("tool:price", never, inputs={})


async def test_a_file_that_is_no_frozen_run_is_said_to_be_none(tmp_path: Path) -> None:
    path, _ = await frozen_run(tmp_path, Till())
    with pytest.raises(NotFound, match=r"There is no frozen run .*nowhere.jsonl: make it with `await freeze"):
        frozen(tmp_path / "nowhere.jsonl")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        frozen(tmp_path)
    text = path.read_text("utf-8")
    for wrong in ("", "{}\n", "no json\n", text.partition("\n")[0] + "\n"):
        path.write_text(wrong, "utf-8")
        with pytest.raises(InvalidRequest):
            frozen(path)
    path.write_text(text.replace("12.5", "11.5"), "utf-8")
    with pytest.raises(JournalTampered, match=r"event \d+ .* is not what was written"):
        frozen(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        frozen_events(path)


async def test_freezing_leaves_the_file_whole_or_as_it_was(tmp_path: Path) -> None:
    path, _ = await frozen_run(tmp_path, Till())
    settings = Settings(home=tmp_path / "home", model_url=None, model=None)
    async with House.open(settings, client=ForbiddenModel()) as house:
        with pytest.raises(InvalidRequest, match="cannot be frozen to"):
            await freeze(house.store, "last", path / "inside a file.jsonl")
        with pytest.raises(NotFound):
            await freeze(house.store, "nowhere", path)
        before = path.read_text("utf-8")
        await freeze(house.store, "last", path)
        assert path.read_text("utf-8") == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_names_for_tests_are_loaded_when_they_are_used() -> None:
    assert dir(crewgraph.testing) == sorted(crewgraph.testing.__all__)
    for name in crewgraph.testing.__all__:
        assert getattr(crewgraph.testing, name).__doc__, f"{name} says nothing of itself"
    with pytest.raises(AttributeError, match=r"module 'crewgraph.testing' has no attribute 'Mock'"):
        crewgraph.testing.Mock  # noqa: B018 - asking for it is what fails
    code = "import sys, crewgraph.testing; print([m for m in ('pydantic', 'sqlalchemy') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"
