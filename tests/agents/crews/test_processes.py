"""A crew goes about a request in the way its author chose, as an ordinary plan: it resumes, replays and is shown like any."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel

from crewgraph import Agent, Crew, ModelRequest, Task, tool
from crewgraph.agents.crew import Process

Run = Callable[..., Awaitable[Any]]
FINISH = json.dumps({"tool": "finish"})


class Trip(BaseModel):
    city: str
    days: int


def role(request: ModelRequest) -> str:
    return request.messages[0].content.split("You are the ", 1)[1].split(".", 1)[0]


def all_told(request: ModelRequest) -> str:
    return "\n".join(message.content for message in request.messages)


def speaks(request: ModelRequest) -> str:
    return f"Answer: {role(request)} spoke"


ANN = Agent("ann", "Find cities.", architecture="direct")
BEN = Agent("ben", "Check them.", architecture="direct")
CID = Agent("cid", "Write it up.", architecture="direct")


async def test_tasks_in_a_sequence_each_have_the_results_before_them(exact: Run) -> None:
    tasks = [
        Task(id="find", description="Find a city.", agent="ann"),
        Task(id="check", description="Check the city.", agent="ben"),
        Task(id="write", description="Write about it.", agent="cid"),
    ]
    ran = await exact(lambda _: Crew([ANN, BEN, CID], tasks=tasks, process="sequential"), speaks)
    assert ran.plan.strategy == "sequential"
    assert {t.id: t.depends_on for t in ran.plan.tasks} == {
        "find": (),
        "check": ("find",),
        "write": ("find", "check"),
    }
    assert ran.tasks == ["find", "check", "write"]
    assert ran.outcome.answer == "cid spoke"
    told = all_told(ran.requests[-1])
    assert "ann spoke" in told
    assert "ben spoke" in told


async def test_without_tasks_each_agent_in_turn_works_on_the_request(exact: Run) -> None:
    ran = await exact(lambda _: Crew([ANN, BEN, CID], process=Process.sequential), speaks, "Which city?")
    assert [(t.id, t.agent) for t in ran.plan.tasks] == [("t1", "ann"), ("t2", "ben"), ("answer", "cid")]
    assert [role(r) for r in ran.requests] == ["ann", "ben", "cid"]
    assert all("Which city?" in all_told(r) for r in ran.requests)
    assert ran.outcome.answer == "cid spoke"


async def test_in_a_sequence_the_calls_of_agents_without_a_way_of_their_own_are_bound(exact: Run) -> None:
    def make(effects: list[str]) -> Crew:
        @tool(unit="EUR")
        async def price(item: str) -> float:
            """The price of an item.

            Args:
                item: What is sold.
            """
            effects.append(item)
            return 12.5

        clerk = Agent("clerk", "Know prices.", tools=[price])
        task = Task(id="find", description="Find it.", tool="price", args={"item": "pen"})
        tasks = [task, Task(id="say", description="Say it.", agent="cid")]
        return Crew([clerk, CID], tasks=tasks, process="sequential")

    ran = await exact(make, speaks, "What does the pen cost?")
    assert ran.effects == ["pen"]
    assert "12.5 EUR" in all_told(ran.requests[-1])


@pytest.mark.parametrize(
    "planner", ["auto", "rules", "model", "stream", "stepwise", "rewoo", "guided", "adapt"]
)
@pytest.mark.parametrize("process", ["sequential", "hierarchical", "conversation"])
async def test_no_way_of_planning_comes_between_a_crew_and_its_process(
    ask: Run, planner: str, process: str
) -> None:
    ran = await ask(lambda _: Crew([ANN, BEN], process=process), lead(), planner=planner)
    assert ran.plan.strategy == process


def lead(first: str = "ann") -> Callable[[ModelRequest], str]:
    """Gives one piece to a colleague and then answers; ends a conversation when somebody may."""

    def script(request: ModelRequest) -> str:
        told = all_told(request)
        if request.choices:
            return request.choices[-1] if "done" not in request.choices else "done"
        if request.schema is not None:
            if " says: " in told:
                return json.dumps({"finish": True})
            return json.dumps({"colleague": first, "instruction": "Name a city in Norway."})
        return "Oslo it is." if role(request) not in ("ann", "ben") else f"Answer: {role(request)} says Oslo"

    return script


async def test_a_manager_really_delegates_and_puts_results_together(exact: Run) -> None:
    def make(effects: list[str]) -> Crew:
        @tool
        async def look_up(country: str) -> str:
            """The largest city of a country.

            Args:
                country: Its name.
            """
            effects.append(country)
            return "Oslo"

        ann = Agent("ann", "Find cities.", tools=[look_up], architecture="react", model="small")
        return Crew([ann, BEN], process="hierarchical")

    def script(request: ModelRequest) -> str:
        if role(request) == "ann" and request.schema is not None:
            seen = "Result:" in all_told(request)
            return FINISH if seen else json.dumps({"tool": "look_up", "args": {"country": "Norway"}})
        return lead()(request)

    ran = await exact(make, script)
    assert ran.plan.strategy == "hierarchical"
    assert [(t.id, t.agent) for t in ran.plan.tasks] == [("answer", "manager")]
    assert ran.effects == ["Norway"]
    assert ran.outcome.answer == "Oslo it is."
    assert any("Oslo" in line for line in ran.outcome.evidence)
    assert {r.model for r in ran.requests if role(r) == "ann"} == {"small"}


async def test_the_authors_tasks_are_what_a_manager_gets_done(exact: Run) -> None:
    tasks = [
        Task(id="find", description="Find a city.", agent="ann"),
        Task(id="tell", description="Tell of it.", expected_output="One sentence."),
    ]
    boss = Agent("boss", "Lead.", model="large")

    ran = await exact(
        lambda _: Crew([ANN, BEN], tasks=tasks, process="hierarchical", manager=boss), lead("ben")
    )
    assert [(t.id, t.agent, t.depends_on) for t in ran.plan.tasks] == [
        ("find", "boss", ()),
        ("tell", "boss", ("find",)),
    ]
    assert "(It is meant for the ann.)" in ran.plan.tasks[0].description
    assert {r.model for r in ran.requests if role(r) == "boss"} == {"large"}
    assert [role(r) for r in ran.requests].count("ben") == 2


async def test_what_a_colleague_gives_a_manager_is_held_by_its_guardrails(ask: Run) -> None:
    ann = Agent(
        "ann",
        "Find.",
        architecture="direct",
        guardrails=[lambda r: "say where" if "Norway" not in r.text else None],
    )

    def script(request: ModelRequest) -> str:
        if role(request) == "ann":
            return "Answer: Oslo, Norway" if "say where" in all_told(request) else "Answer: Oslo"
        return lead()(request)

    ran = await ask(lambda _: Crew([ann, BEN], process="hierarchical"), script)
    assert "ann says: Oslo, Norway" in all_told(ran.requests[-1])


async def test_a_conversation_goes_round_until_somebody_is_done(exact: Run) -> None:
    def script(request: ModelRequest) -> str:
        if request.choices:
            return "done" if "cid spoke" in all_told(request) else "go on"
        return speaks(request)

    ran = await exact(lambda _: Crew([ANN, BEN, CID], process="conversation"), script)
    assert ran.tasks == ["turn-1", "turn-2", "turn-3", "answer"]
    spoken = [role(r) for r in ran.requests if not r.choices]
    assert spoken == ["ann", "ben", "cid", "cid"]
    assert "ann: ann spoke" in all_told(ran.requests[-1])
    assert "The conversation is over." in all_told(ran.requests[-1])
    assert ran.outcome.answer == "cid spoke"
    assert [t.id for t in ran.plan.tasks] == ["turn-1", "answer"]


@pytest.mark.parametrize("turns", [1, 2, 5])
async def test_a_conversation_that_never_ends_is_ended(ask: Run, turns: int) -> None:
    def script(request: ModelRequest) -> str:
        return "go on" if request.choices else speaks(request)

    ran = await ask(lambda _: Crew([ANN, BEN], process="conversation", turns=turns), script)
    assert ran.tasks == [*(f"turn-{n}" for n in range(1, turns + 1)), "answer"]
    assert ran.outcome.answer == "ben spoke"
    assert f"The conversation ends after {turns} turns, as many as this crew may take." in ran.notes


async def test_a_manager_chooses_who_speaks_and_has_the_last_word(exact: Run) -> None:
    def script(request: ModelRequest) -> str:
        told = all_told(request)
        if request.choices:
            assert request.choices == ("ann", "ben", "cid", "done")
            return "done" if "ben: ben spoke" in told else "cid" if "cid spoke" not in told else "ben"
        return speaks(request)

    boss = Agent("boss", "Lead.", architecture="direct", model="large")
    ran = await exact(lambda _: Crew([ANN, BEN, CID], process="conversation", manager=boss), script)
    assert [role(r) for r in ran.requests if not r.choices] == ["ann", "cid", "ben", "boss"]
    assert {r.model for r in ran.requests if r.choices} == {"large"}
    assert ran.outcome.answer == "boss spoke"


async def test_the_last_word_may_have_a_type(ask: Run) -> None:
    def script(request: ModelRequest) -> str:
        if request.choices:
            return "done"
        return '{"city": "Oslo", "days": 3}' if request.schema else speaks(request)

    closer = Agent("closer", "Decide.", architecture="direct", output_type=Trip)
    ran = await ask(lambda _: Crew([ANN, closer], process="conversation"), script)
    assert json.loads(ran.outcome.answer) == {"city": "Oslo", "days": 3}


async def test_a_long_conversation_shows_what_was_said_last(ask: Run) -> None:
    def script(request: ModelRequest) -> str:
        if request.choices:
            return "go on"
        return f"Answer: {role(request)} said {'much ' * 200}"

    ran = await ask(lambda _: Crew([ANN, BEN], process="conversation", turns=6), script)
    last = all_told(ran.requests[-1])
    assert len(last) < 8000
    assert "ben: ben said" in last
