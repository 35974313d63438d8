"""One agent of a crew that is talked to, turn after turn, in crewgraph, in each framework beside it, and without any.

A talk is begun with an agent's number and gives a function: what is said to the agent in, its streamed reply out.
Every one keeps its history itself, in the way its framework has for that.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from .clients import client, crewgraph_client
from .server import NAME
from .work import GOAL, REPLY_TOKENS, ROLE, briefing, system_prompt

Say = Callable[[str], Awaitable[str]]
"""One turn: what is said to the agent, and what it says."""
Begin = Callable[[int], Awaitable[Say]]
"""Begins the talk with one agent."""

_EXTRA = {"ignore_eos": True}
_KEY = "x"


def crew(name: str, url: str, salt: str) -> AbstractAsyncContextManager[Begin]:
    """The crew of that name. `salt` makes its prompts begin otherwise than those of all other runs."""
    made: AbstractAsyncContextManager[Begin] = _MADE[name](url, salt)
    return made


@asynccontextmanager
async def _crewgraph(url: str, salt: str) -> AsyncIterator[Begin]:
    from crewgraph import Agent, Crew
    from crewgraph.runtime.events import Event, TextDelta
    from crewgraph.serving.house import House
    from crewgraph.serving.settings import Settings

    agent = Agent(role=ROLE, goal=GOAL, max_tokens=REPLY_TOKENS)
    ours = Crew(agents=[agent], briefing=briefing(salt))
    session = crewgraph_client(url)
    with tempfile.TemporaryDirectory() as home:
        async with House.open(Settings(home=Path(home), model_url=f"{url}/v1"), client=session) as house:

            async def begin(number: int) -> Say:
                thread = await house.store.create_thread()
                said: list[str] = []

                def listen(event: Event) -> None:
                    if isinstance(event, TextDelta):
                        said.append(event.text)

                async def say(asked: str) -> str:
                    said.clear()
                    done = await house.ask(
                        ours, asked, thread_id=thread.id, planner="rules", listeners=[listen]
                    )
                    assert said or not done.answer, "the reply was streamed"
                    return done.answer

                return say

            try:
                yield begin
            finally:
                await session.aclose()


def _bare(name: str) -> Callable[[str, str], Any]:
    @asynccontextmanager
    async def made(url: str, salt: str) -> AsyncIterator[Begin]:
        system = system_prompt(salt)
        async with client(name, url) as stream:

            async def begin(number: int) -> Say:
                messages: list[dict[str, Any]] = [{"role": "system", "content": system}]

                async def say(asked: str) -> str:
                    messages.append({"role": "user", "content": asked})
                    came = await stream(messages, REPLY_TOKENS)
                    messages.append({"role": "assistant", "content": came.text.strip()})
                    return came.text

                return say

            yield begin

    return made


@asynccontextmanager
async def _langgraph(url: str, salt: str) -> AsyncIterator[Begin]:
    import warnings

    warnings.simplefilter("ignore")
    from langchain_openai import ChatOpenAI
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.prebuilt import create_react_agent

    make: Any = ChatOpenAI
    model = make(
        model=NAME,
        base_url=f"{url}/v1",
        api_key=_KEY,
        max_tokens=REPLY_TOKENS,
        temperature=0,
        extra_body=_EXTRA,
        max_retries=0,
        timeout=180,
        streaming=True,
        stream_usage=True,
    )
    make_agent: Any = create_react_agent
    graph = make_agent(model, tools=[], prompt=system_prompt(salt), checkpointer=InMemorySaver())

    async def begin(number: int) -> Say:
        thread = {"configurable": {"thread_id": str(number)}}

        async def say(asked: str) -> str:
            said = []
            talk = graph.astream({"messages": [("user", asked)]}, thread, stream_mode="messages")
            async for message, _ in talk:
                said.append(message.content)
            return "".join(said)

        return say

    yield begin


@asynccontextmanager
async def _autogen(url: str, salt: str) -> AsyncIterator[Begin]:
    import logging

    logging.disable(logging.CRITICAL)
    from autogen_agentchat.agents import AssistantAgent
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    system = system_prompt(salt)
    make: Any = OpenAIChatCompletionClient
    model = make(
        model=NAME,
        base_url=f"{url}/v1",
        api_key=_KEY,
        max_tokens=REPLY_TOKENS,
        temperature=0,
        extra_body=_EXTRA,
        max_retries=0,
        timeout=180,
        model_info={
            "vision": False,
            "function_calling": True,
            "json_output": True,
            "family": "unknown",
            "structured_output": True,
        },
    )

    async def begin(number: int) -> Say:
        agent: Any = AssistantAgent(
            f"agent{number}", model_client=model, system_message=system, model_client_stream=True
        )

        async def say(asked: str) -> str:
            last: Any = None
            async for message in agent.run_stream(task=asked):
                last = message
            return str(last.messages[-1].content)

        return say

    try:
        yield begin
    finally:
        await model.close()


@asynccontextmanager
async def _openai_agents(url: str, salt: str) -> AsyncIterator[Begin]:
    from agents import (  # OpenAI's package, not our folder of that name
        Agent,
        ModelSettings,
        OpenAIChatCompletionsModel,
        Runner,
        set_tracing_disabled,
    )
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    system = system_prompt(salt)
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key=_KEY, max_retries=0, timeout=180) as session:

        async def begin(number: int) -> Say:
            agent = Agent(
                name=f"agent{number}",
                instructions=system,
                model=OpenAIChatCompletionsModel(model=NAME, openai_client=session),
                model_settings=ModelSettings(
                    max_tokens=REPLY_TOKENS, temperature=0, extra_body=_EXTRA, include_usage=True
                ),
            )
            history: list[Any] = []

            async def say(asked: str) -> str:
                nonlocal history
                run = Runner.run_streamed(agent, [*history, {"role": "user", "content": asked}])
                async for _ in run.stream_events():
                    pass
                history = run.to_input_list()
                return str(run.final_output)

            return say

        yield begin


@asynccontextmanager
async def _pydantic_ai(url: str, salt: str) -> AsyncIterator[Begin]:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    settings: Any = {"max_tokens": REPLY_TOKENS, "temperature": 0, "extra_body": _EXTRA, "timeout": 180}
    model = OpenAIChatModel(NAME, provider=OpenAIProvider(base_url=f"{url}/v1", api_key=_KEY))
    agent: Any = Agent(model, instructions=system_prompt(salt), model_settings=settings)

    async def begin(number: int) -> Say:
        history: Any = None

        async def say(asked: str) -> str:
            nonlocal history
            async with agent.run_stream(asked, message_history=history) as run:
                said = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
                history = run.all_messages()
            return "".join(said)

        return say

    yield begin


@asynccontextmanager
async def _crewai(url: str, salt: str) -> AsyncIterator[Begin]:
    import logging

    logging.disable(logging.CRITICAL)
    from crewai import LLM, Agent
    from crewai.events import LLMStreamChunkEvent, crewai_event_bus
    from crewai.events.utils.console_formatter import set_suppress_console_output

    set_suppress_console_output(True)  # it would draw a panel for each turn

    background = briefing(salt)

    def model() -> Any:
        return LLM(
            model=f"openai/{NAME}",
            base_url=f"{url}/v1",
            api_key=_KEY,
            max_tokens=REPLY_TOKENS,
            temperature=0,
            stream=True,
            timeout=180,
            max_retries=0,
            additional_params={"extra_body": _EXTRA},
        )

    def heard(source: Any, event: Any) -> None:
        """Its way of handing on what a model writes: an event for each piece."""

    bus: Any = crewai_event_bus
    bus.on(LLMStreamChunkEvent)(heard)

    async def begin(number: int) -> Say:
        agent = Agent(role=ROLE, goal=GOAL, backstory=background, llm=model(), verbose=False, max_iter=1)
        messages: list[Any] = []

        async def say(asked: str) -> str:
            messages.append({"role": "user", "content": asked})
            came: Any = await agent.akickoff(list(messages))
            messages.append({"role": "assistant", "content": came.raw})
            return str(came.raw)

        return say

    yield begin


_MADE: dict[str, Callable[[str, str], Any]] = {
    "crewgraph": _crewgraph,
    "aiohttp": _bare("aiohttp"),
    "openai": _bare("openai"),
    "langgraph": _langgraph,
    "autogen": _autogen,
    "openai-agents": _openai_agents,
    "pydantic-ai": _pydantic_ai,
    "crewai": _crewai,
}
NAMES = tuple(_MADE)
