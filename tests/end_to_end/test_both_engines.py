"""The main job, the same promises on both real engines: embedded llama.cpp and vLLM."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from crewgraph import Crew, Settings
from crewgraph.agents.testing import ForbiddenModel
from crewgraph.planner.checking.checker import check
from crewgraph.runtime.errors import InvalidPlan
from crewgraph.runtime.events import Event, StepFinished, TextDelta
from crewgraph.serving.crewfile import load_crew
from crewgraph.serving.house import House

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(
    params=[pytest.param("embedded", marks=pytest.mark.engine), pytest.param("vllm", marks=pytest.mark.vllm)]
)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings whose model is really served by one of the engines; a database of its own."""
    if request.param == "vllm":
        return Settings(home=tmp_path, model_url=request.getfixturevalue("vllm_url"), model=None)
    shared: Settings = request.getfixturevalue("shared_home")
    return replace(shared)


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with House.open(settings) as opened:
        yield opened


def crew(name: str) -> Crew:
    return load_crew(str(EXAMPLES / f"{name}.py"))


def model_calls(events: list[Event]) -> int:
    return sum(isinstance(e, StepFinished) and e.name == "model" for e in events)


async def test_a_comparison_is_right_and_shows_its_evidence(house: House) -> None:
    events: list[Event] = []
    asked = "Which has more people, France or Germany, and by how many percent?"
    outcome = await house.ask(crew("countries"), asked, listeners=[events.append])
    assert outcome.answer.startswith("Germany has the higher population")
    assert "23.8% more" in outcome.answer
    assert any("82,927,922" in line for line in outcome.evidence)
    assert any("66,987,244" in line for line in outcome.evidence)
    assert model_calls(events) == 1
    assert outcome.tokens > 0


async def test_a_chinese_comparison_is_answered_in_chinese(house: House) -> None:
    outcome = await house.ask(crew("countries"), "法国和德国哪个国家人口多，多百分之多少？")
    assert outcome.answer.startswith("德国的人口更高")
    assert "23.8%" in outcome.answer


async def test_documents_are_quoted_with_their_source(house: House) -> None:
    outcome = await house.ask(crew("manual"), "How many columns can a SQLite table have by default?")
    assert "2000" in outcome.answer
    assert "limits.md" in outcome.answer


async def test_small_talk_is_the_models_own_and_streams(house: House) -> None:
    events: list[Event] = []
    outcome = await house.ask(crew("countries"), "Hello!", listeners=[events.append])
    assert outcome.answer
    pieces = [e.text for e in events if isinstance(e, TextDelta)]
    assert len(pieces) > 1
    assert "".join(pieces).strip() == outcome.answer


async def test_a_brief_holds_only_what_was_found(house: House) -> None:
    outcome = await house.ask(crew("brief"), "A brief on Spain and Portugal, please")
    for figure in ("46,723,749", "10,281,762", "Madrid", "Lisbon"):
        assert figure in outcome.answer


async def test_a_replay_gives_the_identical_answer_without_a_model(house: House, settings: Settings) -> None:
    outcome = await house.ask(crew("countries"), "How many times larger is Brazil than Spain?")
    async with House.open(settings, client=ForbiddenModel()) as other:
        again = await other.replay(outcome.run_id, crew("countries"))
    assert (again.answer, again.evidence) == (outcome.answer, outcome.evidence)


async def test_a_model_too_weak_to_plan_is_said_to_be_and_the_rules_plan(house: House) -> None:
    plan = await house.plan(crew("countries"), "Look up the capital of Peru, then plan a trip there.")
    assert plan.strategy == "rules"
    assert "too weak to plan" in plan.notes[0]


@pytest.mark.parametrize("asked", ["What is the capital of Peru?", "Which is larger, Spain or Sweden?"])
async def test_a_plan_that_the_model_writes_is_valid_or_refused_in_words(house: House, asked: str) -> None:
    """A model this small plans nonsense; under its schema and the checker nothing invalid is carried out."""
    countries = crew("countries")
    refused, plan = "", None
    try:
        plan = await house.plan(countries, asked, planner="model")
    except InvalidPlan as error:
        refused = str(error)
    if plan is None:
        assert refused.startswith("The model's plan")
    else:
        assert plan.strategy == "model"
        assert not check(plan.tasks, countries)


async def test_a_thread_goes_on_where_it_stopped(house: House) -> None:
    thread = await house.store.create_thread()
    await house.ask(crew("countries"), "What is the population of Peru?", thread_id=thread.id)
    follow_up = await house.ask(crew("countries"), "And of Chile?", thread_id=thread.id)
    assert follow_up.answer.startswith("Chile: population")
    assert [m.role for m in await house.store.messages(thread.id)] == ["user", "assistant"] * 2
