"""Crews in the manner of CrewAI's documentation, imported from its objects, come to what its processes mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from crewgraph import ModelRequest
from crewgraph.runtime.errors import InvalidCrew
from crewgraph.serving.crewfiles.crewai import import_crew
from crewgraph.testing import Act, CrewHouse, ForbiddenModel, ScriptedModel, called, plan_of

crewai = pytest.importorskip(
    "crewai",
    reason="CrewAI is not installed; .ci/frameworks.sh makes an environment with it and runs this there",
)

# CrewAI's own, at its import and when an agent of its is made.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:Cannot set an attribute:ImportWarning"
)


class Summary(BaseModel):
    title: str
    points: list[str]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from crewgraph.agents.interop.crewai import silence

    silence()
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path / "crewai"))
    monkeypatch.setenv("OPENAI_API_KEY", "none: nothing is asked of it")


@pytest.fixture
def house(tmp_path: Path) -> CrewHouse:
    return CrewHouse(tmp_path / "home")


def member(role: str, **more: Any) -> Any:
    return crewai.Agent(role=role, goal=f"Be a good {role} of {{topic}}.", backstory="Old hand.", **more)


def task(description: str, agent: Any, **more: Any) -> Any:
    return crewai.Task(description=description, expected_output="A text.", agent=agent, **more)


def asked_of(model: Any, role: str) -> list[str]:
    """What an agent was asked, call by call."""
    calls: list[ModelRequest] = model.requests
    said = [r for r in calls if any(f"You are the {role}." in m.content for m in r.messages)]
    return ["\n".join(m.content for m in r.messages) for r in said]


async def test_sequential_each_task_reads_all_before_it(house: CrewHouse) -> None:
    researcher, writer = member("researcher"), member("writer")
    crew = crewai.Crew(
        agents=[researcher, writer],
        tasks=[task("Research {topic}.", researcher), task("Write about {topic}.", writer)],
        process=crewai.Process.sequential,
    )
    imported = import_crew(crew, inputs={"topic": "tea"})
    assert imported.crew.process == "sequential"
    script = {"researcher": ["Tea is grown in Assam."], "writer": ["An essay about Assam."]}
    told = await house.ask(imported.crew, imported.request, script)
    assert told.answer == "An essay about Assam."
    assert [t.description for t in plan_of(told.trace)] == ["Research tea.", "Write about tea."]
    assert "Tea is grown in Assam." in asked_of(told.model, "writer")[0]
    assert "Be a good writer of tea." in asked_of(told.model, "writer")[0]
    async with house.open(ForbiddenModel()) as opened:
        replayed = await opened.replay(told.outcome.run_id, imported.crew)
    assert replayed.answer == told.answer, "it is journalled like any run, and its replay asks no model"


async def test_hierarchical_a_manager_hands_the_work_out(house: CrewHouse) -> None:
    researcher, writer = member("researcher"), member("writer")
    crew = crewai.Crew(
        agents=[researcher, writer],
        tasks=[crewai.Task(description="A report on {topic}.", expected_output="A report.")],
        process=crewai.Process.hierarchical,
        manager_agent=crewai.Agent(role="lead", goal="Lead.", backstory="Calm.", allow_delegation=True),
    )
    imported = import_crew(crew, inputs={"topic": "tea"})
    assert imported.crew.process == "hierarchical"
    lead = imported.crew.manager
    assert lead is not None
    assert (lead.role, lead.architecture) == ("lead", "supervisor")
    assert [agent.role for agent in imported.crew.agents] == ["researcher", "writer"]
    orders: list[Any] = [
        {"colleague": "researcher", "instruction": "Find out about tea."},
        {"colleague": "writer", "instruction": "Write the report."},
        {"finish": True},
    ]

    def lead_says(request: ModelRequest) -> Any:
        return orders.pop(0) if request.schema else "Answer: The report on tea."

    script = {
        "lead": lead_says,
        "researcher": lambda _: "Answer: Tea comes from Assam.",
        "writer": lambda _: "Answer: Assam has tea.",
    }
    told = await house.ask(imported.crew, imported.request, script)
    assert "report on tea" in told.answer
    assert "Find out about tea." in asked_of(told.model, "researcher")[0]
    assert "Tea comes from Assam." in asked_of(told.model, "writer")[0]


def test_a_manager_llm_makes_the_manager_that_crewai_would_make() -> None:
    agent = member("researcher")
    crew = crewai.Crew(
        agents=[agent], tasks=[task("Research.", agent)], process=crewai.Process.hierarchical,
        manager_llm="openai/gpt-4o",
    )  # fmt: skip
    imported = import_crew(crew, inputs={"topic": "tea"}, models={"openai/gpt-4o": "qwen", "gpt-4o": "qwen"})
    assert imported.crew.manager is not None
    assert (imported.crew.manager.role, imported.crew.manager.model) == ("Crew Manager", "qwen")


async def test_async_tasks_begin_together_and_the_next_waits_for_both(house: CrewHouse) -> None:
    one, two, editor = member("one"), member("two"), member("editor")
    ideas = task("List ideas.", one, async_execution=True)
    history = task("Tell the history.", two, async_execution=True)
    article = task("Write the article.", editor, context=[ideas, history])
    imported = import_crew(
        crewai.Crew(agents=[one, two, editor], tasks=[ideas, history, article]), inputs={"topic": "tea"}
    )
    script = {"one": ["Ideas."], "two": ["History."], "editor": ["The article."]}
    told = await house.ask(imported.crew, imported.request, script)
    plan = plan_of(told.trace)
    assert [t.needs for t in plan] == [(), (), ("t1", "t2")]
    assert all(words in asked_of(told.model, "editor")[0] for words in ("Ideas.", "History."))
    assert told.answer == "The article."


async def test_a_guardrail_sends_a_result_back_with_its_words(house: CrewHouse) -> None:
    def short(output: Any):  # type: ignore[no-untyped-def]  # CrewAI refuses an annotation that is a text
        """CrewAI's guardrails read a TaskOutput."""
        if len(output.raw.split()) > 3:
            return (False, "It has more than three words.")
        return (True, output.raw.strip().upper())

    writer = member("writer")
    crew = crewai.Crew(
        agents=[writer], tasks=[task("Write.", writer, guardrail=short, guardrail_max_retries=2)]
    )
    imported = import_crew(crew, inputs={"topic": "tea"})
    told = await house.ask(
        imported.crew, imported.request, {"writer": ["far too many words here", "three words only"]}
    )
    assert told.answer == "THREE WORDS ONLY"
    assert "more than three words" in asked_of(told.model, "writer")[1]
    assert imported.crew.agents[0].corrections == 2


async def test_a_guardrail_in_words_is_judged_by_a_model(house: CrewHouse) -> None:
    writer = member("writer")
    crew = crewai.Crew(agents=[writer], tasks=[task("Write.", writer, guardrail="It names a tea.")])
    imported = import_crew(crew, inputs={"topic": "tea"})
    script = {"writer": ["A text.", "A text on Assam."], "": ["no", "Name a tea.", "yes"]}
    told = await house.ask(imported.crew, imported.request, script)
    assert told.answer == "A text on Assam."


@pytest.mark.parametrize("kind", ["output_pydantic", "output_json"])
async def test_structured_output_has_its_form(house: CrewHouse, kind: str) -> None:
    writer = member("writer")
    crew = crewai.Crew(agents=[writer], tasks=[task("Summarise.", writer, **{kind: Summary})])
    imported = import_crew(crew, inputs={"topic": "tea"})
    wanted = {"title": "Tea", "points": ["hot"]}
    told = await house.ask(
        imported.crew, imported.request, {"writer": lambda r: wanted if r.schema else "Tea is hot."}
    )
    assert json.loads(told.answer) == wanted


async def test_tools_are_called_as_steps_with_their_own_code(house: CrewHouse) -> None:
    from crewai.tools import tool as crewai_tool

    asked: list[str] = []

    @crewai_tool("Look up a price")
    def look_up(item: str) -> str:
        """The price of an item."""
        asked.append(item)
        return f"{item}: 6 EUR"

    clerk = member("clerk", tools=[look_up], max_iter=4)
    imported = import_crew(
        crewai.Crew(agents=[clerk], tasks=[task("What is the price of ink?", clerk)]),
        inputs={"topic": "tea"},
        effects={"Look up a price": "read_only"},
    )
    agent = imported.crew.agents[0]
    assert (agent.max_turns, imported.crew.toolset["Look_up_a_price"].description) == (
        4,
        "The price of an item.",
    )
    model = ScriptedModel({"clerk": [Act("Look_up_a_price", {"item": "ink"}), Act(), "Ink is 6 EUR."]})
    told = await house.ask(imported.crew, imported.request, model)
    called(told.trace, "Look_up_a_price", {"item": "ink"}, times=1)
    assert asked == ["ink"]
    assert "6 EUR" in told.answer


def test_what_cannot_be_taken_over_is_said_aloud() -> None:
    writer = member("writer", llm="openai/gpt-4o", max_rpm=3, inject_date=True, allow_delegation=True)
    editor = member("editor")
    crew = crewai.Crew(
        agents=[writer, editor],
        tasks=[
            task("Write.", writer, output_file="out.md", markdown=True),
            task("Check.", editor, human_input=True),
        ],
        verbose=True,
        cache=True,
    )
    imported = import_crew(crew, inputs={"topic": "tea"})
    said = "\n".join(imported.said)
    for words in ("gpt-4o", "max_rpm", "inject_date", "output_file", "human_input", "verbose", "cache"):
        assert words in said, said
    assert imported.crew.agents[0].delegates is True
    assert imported.crew.tasks[0].expected_output.endswith("Format it as Markdown.")
    assert imported.crew.tasks[1].approval
    assert "delegat" not in said


def test_a_missing_input_is_named() -> None:
    writer = member("writer")
    with pytest.raises(
        InvalidCrew,
        match=r"goal of agent 'writer' needs the input 'topic'; of inputs the nearest is 'topics'",
    ):
        import_crew(crewai.Crew(agents=[writer], tasks=[task("Write.", writer)]), inputs={"topics": "tea"})


def test_an_agent_with_two_outputs_has_a_twin() -> None:
    writer = member("writer")
    crew = crewai.Crew(
        agents=[writer],
        tasks=[task("Write.", writer), task("Sum up.", writer, output_pydantic=Summary, name="sum")],
    )
    imported = import_crew(crew, inputs={"topic": "tea"})
    assert [a.role for a in imported.crew.agents] == ["writer", "writer (sum)"]
    assert [a.output_type for a in imported.crew.agents] == [None, Summary]
    assert [t.agent for t in imported.crew.tasks] == ["writer", "writer (sum)"]
    assert any("twin" in one for one in imported.said)


def test_what_is_no_crew_is_refused() -> None:
    with pytest.raises(InvalidCrew, match=r"str is no crew of CrewAI's"):
        import_crew("crew")
