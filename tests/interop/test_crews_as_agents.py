"""CrewAI's crews, agents and flows as agents of a crew of ours: on our model and tools, journalled and stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from crewgraph import tool
from crewgraph.agents.interop import as_crewai, crewai_agent, crewai_tools, task_model
from crewgraph.agents.model import Message, ModelRequest, ToolCall
from crewgraph.runtime.budget import Budget
from crewgraph.runtime.errors import BudgetExceeded, EngineError, InvalidCrew, StepInDoubt, TaskFailed
from crewgraph.runtime.events import Answer, TextDelta

from .floor import one
from .frameworks import installed, without
from .scripted import Endless, Script, Talker

if not installed("crewai"):
    pytest.skip(without("CrewAI"), allow_module_level=True)

pytestmark = [
    pytest.mark.usefixtures("crewai_here"),
    # CrewAI's own, at its import
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Cannot set an attribute:ImportWarning"),
]

INK = ToolCall("c1", "price", {"item": "ink"})


def member(role: str = "Clerk", tools: Any = (), llm: Any = None) -> Any:
    from crewai import Agent

    return Agent(
        role=role,
        goal=f"{role}s know.",
        backstory="Old hand.",
        llm=llm or as_crewai(task_model()),
        tools=list(tools),
    )


def crew_of(
    tools: Any = (), *, describe: str = "Find what is asked for.", second: bool = False, **crew: Any
) -> Any:
    from crewai import Crew, Task

    clerk, writer = member(tools=tools), member("Writer")
    find = Task(description=describe, expected_output="The price.", agent=clerk)
    write = Task(description="Write it up.", expected_output="One line.", agent=writer, context=[find])
    agents, tasks = ([clerk, writer], [find, write]) if second else ([clerk], [find])
    return Crew(agents=agents, tasks=tasks, **crew)


def their_price(calls: list[str], error: Exception | None = None) -> Any:
    from crewai.tools import tool as crewai_tool

    @crewai_tool("price")
    def price(item: str) -> str:
        """The price of an item."""
        calls.append(item)
        if error is not None:
            raise error
        return f"{item} costs 9 euros"

    return price


def our_price(calls: list[str], **said: Any) -> Any:
    @tool(**said)
    def price(item: str) -> str:
        """The price of an item."""
        calls.append(item)
        return f"{item} costs 9 euros"

    return price


async def test_a_crew_works_through_its_tasks_and_each_call_is_a_step(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    client = Script("Ink costs 9 euros.", "Ink: 9 euros.")
    floor = one(crewai_agent(crew_of(second=True)), tmp_path, client, max_tokens=77, adapter="sales")
    done = await floor.sitting()
    assert done["t1"].text == "Ink: 9 euros."
    assert await floor.steps() == ["model", "model"]
    assert "What does ink cost?" in client.requests[0].messages[-1].content
    assert (client.requests[0].max_tokens, client.requests[0].adapter) == (77, "sales")
    assert (await floor.replay())["t1"].text == "Ink: 9 euros."
    assert capfd.readouterr().out == "", "no panels"


async def test_a_description_may_name_what_is_asked(tmp_path: Path) -> None:
    client = Script("9 euros.")
    await one(crewai_agent(crew_of(describe="Answer: {request}")), tmp_path, client).sitting()
    said = client.requests[0].messages[-1].content
    assert "Answer: What does ink cost?" in said
    assert said.count("What does ink cost?") == 1


async def test_one_crew_serves_many_tasks_and_stays_as_it_was(tmp_path: Path) -> None:
    calls: list[str] = []
    crew = crew_of([their_price(calls)])
    way = crewai_agent(crew)
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
    floors = [one(way, tmp_path / place, Script(INK, f"9 for {place}.")) for place in ("a", "b")]
    done = await asyncio.gather(*(floor.sitting() for floor in floors))
    assert [result["t1"].text for result in done] == ["9 for a.", "9 for b."]
    assert calls == ["ink", "ink"]
    assert type(crew.agents[0].tools[0]).__name__ != "TaskTool"


async def test_a_crews_own_tools_are_steps_that_happen_once(tmp_path: Path) -> None:
    calls: list[str] = []

    def away(request: ModelRequest) -> str:
        raise EngineError("away")

    floor = one(
        crewai_agent(crew_of([their_price(calls)])),
        tmp_path,
        Endless(lambda r: INK if len(r.messages) < 3 else away(r)),
    )
    with pytest.raises(TaskFailed, match="away"):
        await floor.sitting()
    floor.client = Script("9 euros.")
    assert (await floor.sitting())["t1"].text == "9 euros."
    assert [name for name in await floor.steps() if name != "model"] == ["tool:price"]
    await floor.replay()
    assert calls == ["ink"]


async def test_a_tool_that_failed_in_the_middle_is_in_doubt_and_not_called_again(tmp_path: Path) -> None:
    calls: list[str] = []
    floor = one(
        crewai_agent(crew_of([their_price(calls, ConnectionError("dead line"))])),
        tmp_path,
        Endless(lambda request: INK),
    )
    for _ in range(2):
        with pytest.raises(StepInDoubt, match="tool:price"):
            await floor.sitting()
    assert calls == ["ink"]


async def test_tools_of_ours_are_called_as_the_desk_calls_them(tmp_path: Path) -> None:
    calls: list[str] = []
    price = our_price(calls)
    client = Script(INK, "9 euros.")
    floor = one(crewai_agent(crew_of(crewai_tools([price]))), tmp_path, client, tools=[price])
    await floor.sitting()
    assert await floor.steps() == ["model", "tool:price", "model"]
    assert [seen.tool for seen in floor.seen] == ["price"]
    assert "9 euros" in client.requests[1].messages[-1].content
    await floor.replay()
    assert calls == ["ink"]


async def test_a_tool_that_needs_approval_waits_for_a_person(tmp_path: Path) -> None:
    calls: list[str] = []
    price = our_price(calls, approval=True)
    floor = one(crewai_agent(crew_of(crewai_tools([price]))), tmp_path, Script(INK, "9 euros."))
    assert "price" in await floor.asked_and_answered(Answer(decision="approve"))
    assert calls == []
    assert (await floor.sitting())["t1"].text == "9 euros."
    assert calls == ["ink"]
    await floor.replay()


async def test_an_agent_alone_works_too(tmp_path: Path) -> None:
    client = Script("9 euros.")
    floor = one(crewai_agent(member()), tmp_path, client)
    floor.history = [Message("user", "Hello."), Message("assistant", "Good day.")]
    assert (await floor.sitting())["t1"].text == "9 euros."
    words = [message.content for message in client.requests[0].messages]
    assert any("Good day." in text for text in words)
    assert (await floor.replay())["t1"].text == "9 euros."


async def test_a_function_may_make_the_crew_for_each_task(tmp_path: Path) -> None:
    def make(llm: Any) -> Any:
        return member("Maker", llm=llm)

    assert (await one(crewai_agent(make), tmp_path, Script("made.")).sitting())["t1"].text == "made."


async def test_a_flow_works_on_the_tasks_model(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from crewai.flow.flow import Flow, listen, start

    calls: list[str] = []
    (price,) = crewai_tools([their_price(calls)])

    class Sale(Flow):  # type: ignore[misc,type-arg]  # Any where CrewAI is not installed
        @start()
        def look(self) -> str:
            return str(price.run(item="ink"))

        @listen(look)
        async def say(self, found: str) -> str:
            asked = [{"role": "user", "content": f"{self.state['request']} {found}"}]
            return str(await as_crewai(task_model()).acall(asked))

    client = Script("Nine.")
    floor = one(crewai_agent(Sale), tmp_path, client)
    assert (await floor.sitting())["t1"].text == "Nine."
    assert client.requests[0].messages[-1].content == "What does ink cost? ink costs 9 euros"
    assert await floor.steps() == ["tool:price", "model"]
    assert (await floor.replay())["t1"].text == "Nine."
    assert calls == ["ink"]
    assert capfd.readouterr().out == "", "no panels"


async def test_a_manager_leads_a_hierarchical_crew_on_the_tasks_model(tmp_path: Path) -> None:
    from crewai import Process

    client = Script(
        ToolCall(
            "c1", "delegate_work_to_coworker", {"task": "Look.", "context": "Ink.", "coworker": "Clerk"}
        ),
        "9 euros.",
        "It is 9 euros.",
    )
    crew = crew_of(process=Process.hierarchical, manager_llm=as_crewai(task_model()))
    floor = one(crewai_agent(crew), tmp_path, client)
    assert (await floor.sitting())["t1"].text == "It is 9 euros."
    assert (await floor.replay())["t1"].text == "It is 9 euros."


async def test_a_budget_ends_a_crew_whatever_it_catches(tmp_path: Path) -> None:
    client = Script("never")
    with pytest.raises(BudgetExceeded):
        await one(crewai_agent(crew_of()), tmp_path, client).sitting(Budget(tokens=0))
    assert client.requests == []


async def test_a_cancelled_crew_leaves_no_call_under_way(tmp_path: Path) -> None:
    client = Talker()
    work = asyncio.create_task(one(crewai_agent(crew_of()), tmp_path, client).sitting())
    await client.begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (client.talking, client.calls) == (0, 1)


async def test_words_are_shown_as_they_are_written_where_that_is_wished_for(tmp_path: Path) -> None:
    floor = one(crewai_agent(crew_of(), aloud=True), tmp_path, Script("one two three"))
    await floor.sitting()
    assert [event.text for event in floor.events if isinstance(event, TextDelta)] == ["one", " two", " three"]


def test_what_is_nothing_of_crewais_is_refused() -> None:
    with pytest.raises(InvalidCrew, match="neither a CrewAI Crew"):
        crewai_agent(7)
