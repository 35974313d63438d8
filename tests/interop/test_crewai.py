"""Our model client inside CrewAI's crews: text, tools, schemas, streams, and crews that are cancelled."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from crewgraph.agents.interop import CallScope, as_crewai
from crewgraph.agents.model import Message, ModelClient, ModelRequest, ToolCall
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import ContextTooLong, EngineError, InvalidRequest

from .frameworks import installed, without
from .scripted import Script, Talker

if not installed("crewai"):
    pytest.skip(without("CrewAI"), allow_module_level=True)

pytestmark = [
    pytest.mark.usefixtures("crewai_here"),
    # CrewAI's own, at its import
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Cannot set an attribute:ImportWarning"),
]


def crew_of(llm: Any, *, tools: Any = (), second: bool = True, **task: Any) -> Any:
    """A researcher and a writer, one after the other."""
    from crewai import Agent, Crew, Process, Task

    def agent(role: str, tools: Any = ()) -> Any:
        return Agent(
            role=role,
            goal=f"{role}s know.",
            backstory="Old hand.",
            llm=llm.twin(),
            tools=list(tools),
            verbose=False,
        )

    clerk, writer = agent("Clerk", tools), agent("Writer")
    find = Task(description="Find what ink costs.", expected_output="The price.", agent=clerk, **task)
    write = Task(description="Write it up.", expected_output="One line.", agent=writer, context=[find])
    tasks = [find, write] if second else [find]
    return Crew(agents=[clerk, writer], tasks=tasks, process=Process.sequential, verbose=False)


def price_tool(calls: list[str]) -> Any:
    from crewai.tools import tool

    @tool("price")
    def price(item: str) -> str:
        """The price of an item."""
        calls.append(item)
        return f"{item} costs 9 euros"

    return price


INK = ToolCall("c1", "price", {"item": "ink"})


async def test_a_crew_of_two_agents_works_through_its_tasks() -> None:
    client = Script("Ink costs 9 euros.", "Ink: 9 euros.")
    crew = crew_of(as_crewai(client, max_tokens=77))
    done = await crew.akickoff()
    assert [task.raw for task in done.tasks_output] == ["Ink costs 9 euros.", "Ink: 9 euros."]
    first, second = client.requests
    assert first.max_tokens == 77
    assert [message.role for message in first.messages] == ["system", "user"]
    assert "Clerk" in first.messages[0].content
    assert "Ink costs 9 euros." in second.messages[-1].content
    assert client.loops == {asyncio.get_running_loop()}, (
        "calls from CrewAI's threads reach the client's own loop"
    )


async def test_usage_is_counted_for_the_crew() -> None:
    client = Script("one two three", "four five")
    done = await crew_of(as_crewai(client)).akickoff()
    assert done.token_usage.successful_requests == 2
    assert done.token_usage.completion_tokens == 5
    assert done.token_usage.cached_prompt_tokens == 2
    assert done.token_usage.prompt_tokens == sum(
        len(message.content.split()) for request in client.requests for message in request.messages
    )


async def test_a_crew_in_a_thread_asks_on_the_clients_loop() -> None:
    client = Script("one", "two")
    done = await asyncio.to_thread(crew_of(as_crewai(client)).kickoff)
    assert done.raw == "two"
    assert client.loops == {asyncio.get_running_loop()}


def test_a_crew_without_any_loop_gets_one_for_the_client() -> None:
    client = Script("one", "two")
    llm = as_crewai(client)
    assert crew_of(llm).kickoff().raw == "two"
    assert len(client.loops) == 1
    llm.close()
    assert client.closed
    assert not any(thread.name == "crewgraph model client" for thread in threading.enumerate())


async def test_an_agents_tools_are_called_by_the_model() -> None:
    calls: list[str] = []
    client = Script(INK, "Ink costs 9 euros.")
    done = await crew_of(as_crewai(client), tools=[price_tool(calls)], second=False).akickoff()
    assert done.raw == "Ink costs 9 euros."
    assert calls == ["ink"]
    first, second = client.requests
    assert [spec.name for spec in first.tools] == ["price"]
    assert first.tools[0].parameters["required"] == ["item"]
    asked, told = [m for m in second.messages if m.tool_calls or m.role == "tool"]
    assert asked.tool_calls == (INK,)
    assert (told.tool_call_id, "ink costs 9 euros" in told.content) == ("c1", True)


async def test_tools_may_be_asked_for_in_crewais_own_text_instead() -> None:
    calls: list[str] = []
    act = 'Thought: I look.\nAction: price\nAction Input: {"item": "ink"}'
    client = Script(act, "Thought: I know.\nFinal Answer: 9 euros")
    crew = crew_of(as_crewai(client, tools="text"), tools=[price_tool(calls)], second=False)
    assert (await crew.akickoff()).raw == "9 euros"
    assert calls == ["ink"]
    assert not any(request.tools for request in client.requests)
    assert "\nObservation:" in client.requests[0].stop


class Price(BaseModel):
    item: str
    euros: int


async def test_a_tasks_model_is_decoded_under_its_schema() -> None:
    client = ScriptedModel(['{"item": "ink", "euros": 9}'] * 3)
    done = await crew_of(as_crewai(client), second=False, response_model=Price).akickoff()
    assert done.pydantic == Price(item="ink", euros=9) or '"euros":9' in done.raw.replace(" ", "")
    assert client.requests[0].schema is not None
    assert set(client.requests[0].schema["properties"]) == {"item", "euros"}


async def test_text_becomes_a_tasks_model_in_a_second_call_under_its_schema() -> None:
    client = Script("Ink is 9.", '{"item": "ink", "euros": 9}')
    done = await crew_of(as_crewai(client), second=False, output_pydantic=Price).akickoff()
    assert done.pydantic == Price(item="ink", euros=9)
    assert client.requests[-1].schema is not None


async def test_a_crew_streams_the_models_words() -> None:
    crew = crew_of(as_crewai(Script("one two three", "four five")))
    crew.stream = True
    heard = [chunk.content async for chunk in await crew.akickoff()]
    assert [piece for piece in heard if piece] == ["one", " two", " three", "four", " five"]


async def test_an_llm_is_one_however_often_crewai_copies_it() -> None:
    import copy

    client = Script("one", "two", "three", "four")
    crew = crew_of(as_crewai(client))
    await crew.copy().akickoff()
    llm = copy.deepcopy(crew.agents[0].llm)
    assert await llm.acall("hello") == "three"
    assert llm.get_token_usage_summary().successful_requests == 2, "one of the crew's, and this one"


async def test_a_context_too_long_is_told_in_words_that_crewai_knows() -> None:
    from crewai.utilities.agent_utils import is_context_length_exceeded

    class Full(Script):
        async def complete(self, request: ModelRequest) -> Any:
            raise ContextTooLong("7 tokens too many", 7)

    with pytest.raises(Exception, match="7 tokens too many") as caught:
        await as_crewai(Full()).acall("hello")
    assert is_context_length_exceeded(caught.value)
    assert isinstance(caught.value.__cause__, ContextTooLong)


async def test_an_engines_error_reaches_who_started_the_crew() -> None:
    class Away(Script):
        async def complete(self, request: ModelRequest) -> Any:
            raise EngineError("away")

    with pytest.raises(EngineError, match="away"):
        await crew_of(as_crewai(Away())).akickoff()


async def test_a_default_that_is_no_setting_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="warmth: not a setting"):
        as_crewai(Script(), warmth=1)


async def test_calling_on_the_clients_own_loop_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"asyncio\.to_thread"):
        as_crewai(Script("never")).call("hello")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_crew_leaves_no_call_under_way(stream: bool) -> None:
    client = Talker()
    crew = crew_of(as_crewai(client, stream=stream))

    async def run() -> None:
        with CallScope():
            await crew.akickoff()

    work = asyncio.create_task(run())
    await client.begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await client.stopped.wait()
    assert client.talking == 0


async def test_a_crew_in_a_thread_is_ended_by_its_scope() -> None:
    client = Talker()
    crew = crew_of(as_crewai(client))
    with CallScope():
        work = asyncio.create_task(asyncio.to_thread(crew.kickoff))
        await client.begun.wait()
    with pytest.raises(asyncio.CancelledError):
        await work
    await client.stopped.wait()
    assert (client.talking, client.calls) == (0, 1)


async def test_a_real_engine_drives_a_crew(engine: ModelClient) -> None:
    llm = as_crewai(engine, max_tokens=48, context_tokens=2048, stream=True)
    crew = crew_of(llm)
    crew.stream = True
    heard = []
    streaming = await crew.akickoff()
    async for chunk in streaming:
        heard.append(chunk.content)
    done = streaming.result
    assert len([piece for piece in heard if piece]) > 4
    assert len(done.tasks_output) == 2
    assert all(task.raw for task in done.tasks_output)
    assert done.token_usage.successful_requests >= 2
    assert done.token_usage.completion_tokens > 2


async def test_a_real_engine_calls_a_crews_tool(engine: ModelClient) -> None:
    calls: list[str] = []
    must = MustCallOnce(engine)
    done = await crew_of(
        as_crewai(must, max_tokens=48, context_tokens=2048), tools=[price_tool(calls)], second=False
    ).akickoff()
    assert len(calls) == 1
    assert done.raw


async def test_a_cancelled_crew_frees_a_real_engine(engine: ModelClient) -> None:
    llm = as_crewai(engine, max_tokens=1500, temperature=1.5, context_tokens=2048, stream=True)
    begun = asyncio.Event()

    async def tell() -> None:
        with CallScope():
            crew = crew_of(llm)
            crew.stream = True
            async for chunk in await crew.akickoff():
                if chunk.content:
                    begun.set()

    crews = [asyncio.create_task(tell()) for _ in range(3)]
    await begun.wait()
    for crew in crews:
        crew.cancel()
    await asyncio.gather(*crews, return_exceptions=True)
    async with asyncio.timeout(20):  # 3 texts of 1,500 tokens would have kept it busy for a minute
        assert await as_crewai(engine, max_tokens=8).acall("Say hello.")


class MustCallOnce(Script):
    """Has the engine call a tool where nothing came back of one yet, and then answer: chance does not decide it."""

    def __init__(self, inner: ModelClient) -> None:
        super().__init__()
        self._inner = inner

    async def complete(self, request: ModelRequest) -> Any:
        from dataclasses import replace

        called = any(message.role == "tool" for message in request.messages)
        choice = "none" if called else "required"
        return await self._inner.complete(replace(request, tool_choice=choice) if request.tools else request)


def test_messages_of_crewai_are_understood() -> None:
    from crewgraph.agents.interop.asking import message_of

    assert message_of({"role": "assistant", "content": None}) == Message("assistant", "")
    with pytest.raises(InvalidRequest, match="the role 'narrator'"):
        message_of({"role": "narrator", "content": "x"})
