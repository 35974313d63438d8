"""AutoGen's agents and teams as agents of a crew of ours: on our model and tools, journalled and stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from crewgraph import tool
from crewgraph.agents.interop import as_autogen, ask_person, autogen_agent, autogen_tools, task_model
from crewgraph.agents.model import Message, ModelRequest, ToolCall
from crewgraph.runtime.budget import Budget
from crewgraph.runtime.errors import BudgetExceeded, EngineError, InvalidCrew, TaskFailed
from crewgraph.runtime.events import Answer, TextDelta

from .floor import one
from .frameworks import installed, without
from .scripted import Endless, Script, Talker

if not installed("autogen"):
    pytest.skip(without("AutoGen"), allow_module_level=True)

pytestmark = pytest.mark.usefixtures("autogen_here")

INK = ToolCall("c1", "price", {"item": "ink"})


def assistant(model: Any, name: str = "clerk", tools: Any = (), **said: Any) -> Any:
    from autogen_agentchat.agents import AssistantAgent

    return AssistantAgent(name, model_client=model, tools=list(tools) or None, **said)


def team(model: Any) -> Any:
    from autogen_agentchat.teams import RoundRobinGroupChat

    return RoundRobinGroupChat([assistant(model, "clerk"), assistant(model, "writer")], max_turns=2)


def their_price(calls: list[str]) -> Any:
    async def price(item: str) -> str:
        """The price of an item."""
        calls.append(item)
        return f"{item} costs 9 euros"

    return price


async def test_a_team_speaks_in_turns_and_each_call_is_a_step(tmp_path: Path) -> None:
    client = Script("Ink costs 9 euros.", "Ink: 9 euros.")
    floor = one(autogen_agent(team), tmp_path, client, max_tokens=77, adapter="sales")
    assert (await floor.sitting())["t1"].text == "Ink: 9 euros."
    assert await floor.steps() == ["model", "model"]
    assert "What does ink cost?" in client.requests[0].messages[-1].content
    assert (client.requests[0].max_tokens, client.requests[0].adapter) == (77, "sales")
    assert client.requests[1].messages[-1].content == "clerk: Ink costs 9 euros."
    assert (await floor.replay())["t1"].text == "Ink: 9 euros."


async def test_a_chosen_speaker_is_chosen_again_in_a_replay(tmp_path: Path) -> None:
    from autogen_agentchat.teams import SelectorGroupChat

    def make(model: Any) -> Any:
        return SelectorGroupChat(
            [assistant(model, "clerk"), assistant(model, "writer")], model_client=model, max_turns=2
        )

    floor = one(autogen_agent(make), tmp_path, Script("writer", "Hm.", "9 euros."))
    done = await floor.sitting()
    assert await floor.replay() == done
    assert done["t1"].text == "9 euros."


async def test_one_team_works_on_one_task_at_a_time_and_forgets_between_them(tmp_path: Path) -> None:
    from crewgraph.agents.agent import Agent
    from crewgraph.agents.crew import Crew
    from crewgraph.runtime.graph import Task

    way = autogen_agent(team(as_autogen(task_model())))
    agents = [Agent(f"a{n}", "g", architecture=way) for n in range(3)]
    tasks = [Task(id=f"t{n}", description=f"number {n}", agent=f"a{n}") for n in range(3)]
    client = Endless(lambda request: f"{len(request.messages)} {request.messages[1].content[-1]}")
    floor = one(way, tmp_path, client)
    floor.crew = Crew(agents, tasks=tasks)
    done = await floor.sitting()
    assert {key: result.text for key, result in done.items()} == {f"t{n}": f"3 {n}" for n in range(3)}
    assert await floor.replay() == done


async def test_an_assistants_own_tools_are_steps_that_happen_once(tmp_path: Path) -> None:
    calls: list[str] = []

    def away(request: ModelRequest) -> str:
        raise EngineError("away")

    price = their_price(calls)
    way = autogen_agent(lambda model: assistant(model, tools=[price], reflect_on_tool_use=True))
    floor = one(way, tmp_path, Script(INK, away))
    with pytest.raises(TaskFailed, match="away"):
        await floor.sitting()
    floor.client = Script("9 euros.")
    assert (await floor.sitting())["t1"].text == "9 euros."
    assert "tool:price" in await floor.steps()
    await floor.replay()
    assert calls == ["ink"]


async def test_tools_of_ours_are_called_as_the_desk_calls_them(tmp_path: Path) -> None:
    calls: list[str] = []

    @tool(approval=True)
    def price(item: str) -> str:
        """The price of an item."""
        calls.append(item)
        return f"{item} costs 9 euros"

    tools = autogen_tools([price])
    way = autogen_agent(lambda model: assistant(model, tools=tools, reflect_on_tool_use=True))
    client = Script(INK, "9 euros.")
    floor = one(way, tmp_path, client, tools=[price])
    assert "price" in await floor.asked_and_answered(Answer(decision="approve"))
    assert calls == []
    assert (await floor.sitting())["t1"].text == "9 euros."
    assert await floor.steps() == ["model", "tool:price", "model"]
    assert [seen.tool for seen in floor.seen] == ["price"]
    await floor.replay()
    assert calls == ["ink"]


async def test_a_team_with_agents_that_are_tools_journals_their_calls(tmp_path: Path) -> None:
    from autogen_agentchat.tools import AgentTool

    def make(model: Any) -> Any:
        return assistant(model, tools=[AgentTool(assistant(model, "helper"))], reflect_on_tool_use=True)

    client = Script(ToolCall("c1", "helper", {"task": "Look."}), "9 euros.", "It is 9.")
    floor = one(autogen_agent(make), tmp_path, client)
    assert (await floor.sitting())["t1"].text == "It is 9."
    assert await floor.steps() == ["model", "model", "model"]
    await floor.replay()


async def test_earlier_messages_of_the_thread_come_first(tmp_path: Path) -> None:
    client = Script("9.")
    floor = one(autogen_agent(assistant), tmp_path, client)
    floor.history = [Message("user", "Hello."), Message("assistant", "Good day.")]
    await floor.sitting()
    assert ["Good day." in m.content for m in client.requests[0].messages[1:]] == [False, True, False]


@pytest.mark.parametrize("made", [team, assistant])
async def test_a_budget_ends_a_team(tmp_path: Path, made: Any) -> None:
    client = Script("never")
    with pytest.raises(BudgetExceeded):
        await one(autogen_agent(made), tmp_path, client).sitting(Budget(tokens=0))
    assert client.requests == []


@pytest.mark.parametrize("made", [team, assistant])
async def test_a_cancelled_team_leaves_no_call_under_way(tmp_path: Path, made: Any) -> None:
    client = Talker()
    work = asyncio.create_task(one(autogen_agent(made), tmp_path, client).sitting())
    await client.begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (client.talking, client.calls) == (0, 1)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_a_person_takes_part_by_the_runs_questions(tmp_path: Path) -> None:
    from autogen_agentchat.agents import UserProxyAgent
    from autogen_agentchat.teams import RoundRobinGroupChat

    def make(model: Any) -> Any:
        boss = UserProxyAgent("boss", input_func=ask_person)
        return RoundRobinGroupChat([assistant(model), boss, assistant(model, "writer")], max_turns=3)

    client = Script("Ink costs 9 euros.", "8 euros, then.")
    floor = one(autogen_agent(make), tmp_path, client)
    await floor.asked_and_answered(Answer(decision="answer", value="Too much."))
    assert (await floor.sitting())["t1"].text == "8 euros, then."
    assert "boss: Too much." in client.requests[1].messages[-1].content
    assert (await floor.replay())["t1"].text == "8 euros, then."


async def test_words_are_shown_as_they_are_written_where_that_is_wished_for(tmp_path: Path) -> None:
    floor = one(autogen_agent(assistant, aloud=True), tmp_path, Script("one two three"))
    await floor.sitting()
    assert [event.text for event in floor.events if isinstance(event, TextDelta)] == ["one", " two", " three"]


async def test_a_model_that_is_not_the_tasks_is_refused(tmp_path: Path) -> None:
    own = assistant(as_autogen(Script("hidden")))
    with pytest.raises(TaskFailed, match="a model that is not its task's"):
        await one(autogen_agent(own), tmp_path, Script()).sitting()


def test_what_is_nothing_of_autogens_is_refused() -> None:
    with pytest.raises(InvalidCrew, match="neither an AutoGen agent nor a team"):
        autogen_agent(7)
