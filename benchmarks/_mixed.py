"""One sitting of a run that mixes frameworks, in a process of its own that may be killed at any moment.

The crew: a native agent, a LangGraph graph, a CrewAI crew and an AutoGen team; each model call and each note that one of
them files (a `once` effect with a reconcile) leaves a line in a file outside of the journal. Frameworks that are not
installed are left out.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from crewgraph import Agent, Crew, DidNotHappen, Happened, House, IdempotencyKey, Settings, Task, tool
from crewgraph.agents.interop import (
    as_langchain,
    autogen_agent,
    autogen_tools,
    crewai_agent,
    crewai_tools,
    langchain_tools,
    langgraph_agent,
    task_model,
)
from crewgraph.agents.model import ModelClient, ModelDelta, ModelReply, ModelRequest, ToolCall, Usage
from crewgraph.agents.testing import ForbiddenModel
from crewgraph.agents.wrapping import Wrapping

REQUEST = "Plan the tea stall at the summer fair."
SECONDS = 0.05
"""How long the scripted model takes for a call, and a note to be filed."""


def installed() -> list[str]:
    """The frameworks that are mixed here."""
    modules = {"LangGraph": "langgraph", "CrewAI": "crewai", "AutoGen": "autogen_agentchat"}
    return [name for name, module in modules.items() if importlib.util.find_spec(module) is not None]


def digest(identity: Any) -> str:
    """A model call's inputs, in a few letters."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]


def filed(folder: Path) -> list[str]:
    """The keys of the notes that were filed."""
    file = folder / "notes.txt"
    return [line.split("\t")[0] for line in file.read_text("utf-8").splitlines()] if file.exists() else []


class Counted(Wrapping):
    """Writes down each call before it is made; a call that offers tools has to call one, once."""

    def __init__(self, inner: ModelClient, folder: Path) -> None:
        super().__init__(inner)
        self._file = folder / "asked.txt"

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The inner client's reply."""
        return await self.inner.complete(self._counted(request))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The inner client's stream."""
        async for delta in self.inner.stream(self._counted(request)):
            yield delta

    def _counted(self, request: ModelRequest) -> ModelRequest:
        _append(self._file, digest(request.identity()))
        if not request.tools:
            return request
        called = any(message.role == "tool" for message in request.messages)
        return replace(request, tool_choice="none" if called else "required")


class Notes(ModelClient):
    """A scripted model: it calls the tool that it is offered, and else writes the same words to the same call."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The words for these inputs."""
        await asyncio.sleep(SECONDS)
        mark = digest(request.identity())[:8]
        if request.tools and request.tool_choice == "required":
            call = ToolCall(f"call-{mark}", request.tools[0].name, {"about": "cake"})
            return ModelReply("", "tool_calls", Usage(20, 5), "notes", (call,))
        return ModelReply(f"Bring tea, cups and {mark}.", "stop", Usage(20, 5), "notes")

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The same, in one piece."""
        reply = await self.complete(request)
        yield ModelDelta(reply.text)
        yield ModelDelta("", reply)

    async def models(self) -> list[str]:
        """Its one name."""
        return ["notes"]

    async def aclose(self) -> None:
        """Nothing to give back."""


def crew_of(folder: Path) -> Crew:
    """The crew, with notes filed in that folder."""

    async def look(key: IdempotencyKey) -> Happened | DidNotHappen:
        return Happened("Filed.") if key in filed(folder) else DidNotHappen()

    @tool(effect="once", reconcile=look)
    async def file_note(about: Literal["tea", "cups", "cake"], key: IdempotencyKey) -> str:
        """File a note that this is needed."""
        await asyncio.sleep(SECONDS / 2)
        _append(folder / "notes.txt", f"{key}\t{about}")
        await asyncio.sleep(SECONDS / 2)
        return "Filed."

    agents = [Agent("host", "Say what a stall needs.", architecture="direct", max_tokens=32)]
    ways = {"LangGraph": graph, "CrewAI": crewai_crew, "AutoGen": autogen_team}
    for name in installed():
        way = ways[name](file_note)
        agents.append(Agent(name.lower(), f"Do the {name} part.", architecture=way, max_tokens=32))
    tasks = [
        Task(id=agent.role, description=f"The part of {agent.role}.", agent=agent.role, depends_on=needs)
        for agent, needs in zip(agents, [(), ("host",), ("host",), ("langgraph", "crewai")], strict=False)
    ]
    return Crew(agents, tasks=tasks, name="mixed")


def graph(note: object) -> Any:
    """A graph that writes, files a note of what it wrote, and writes again."""
    from langgraph.graph import END, START, MessagesState, StateGraph

    model = as_langchain(task_model())
    (file_note,) = langchain_tools([note])

    async def write(state: Any) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    async def keep(state: Any) -> Any:
        said = await file_note.ainvoke({"about": "tea"})
        return {"messages": [("user", f"{said} Say it in other words.")]}

    builder = StateGraph(MessagesState)
    for name, node in (("write", write), ("keep", keep), ("again", write)):
        builder.add_node(name, node)
    for one, other in ((START, "write"), ("write", "keep"), ("keep", "again"), ("again", END)):
        builder.add_edge(one, other)
    return langgraph_agent(builder.compile())


def crewai_crew(note: object) -> Any:
    """A crew of two that work one after the other, the first with a tool."""
    tools = crewai_tools([note])

    def make(llm: Any) -> Any:
        from crewai import Agent as Member
        from crewai import Crew as Members
        from crewai import Task as Job

        buyer = Member(role="buyer", goal="Buy.", backstory="Old hand.", llm=llm, tools=tools, max_iter=4)
        seller = Member(role="seller", goal="Sell.", backstory="Young.", llm=llm.twin(), max_iter=4)
        buy = Job(description="List what to buy.", expected_output="A list.", agent=buyer)
        sell = Job(description="Say how to sell it.", expected_output="A line.", agent=seller, context=[buy])
        return Members(agents=[buyer, seller], tasks=[buy, sell])

    return crewai_agent(make)


def autogen_team(note: object) -> Any:
    """Two assistants that speak in turns, the first with a tool."""
    tools = autogen_tools([note])

    def make(model: Any) -> Any:
        from autogen_agentchat.agents import AssistantAgent
        from autogen_agentchat.teams import RoundRobinGroupChat

        baker = AssistantAgent("baker", model_client=model, tools=tools, reflect_on_tool_use=True)
        return RoundRobinGroupChat([baker, AssistantAgent("cook", model_client=model)], max_turns=2)

    return autogen_agent(make)


async def sitting(folder: Path, run_id: str, url: str) -> dict[str, Any]:
    """Begin the run (no id), or go on with it, to its end; what came of it."""
    settings = settings_of(folder, url)
    async with AsyncExitStack() as stack:
        client: ModelClient = Notes()
        if url != "scripted":
            from crewgraph.serving.endpoints.opening import open_models

            client = await stack.enter_async_context(open_models(settings))
        house = await stack.enter_async_context(House.open(settings, client=Counted(client, folder)))
        crew = crew_of(folder)
        done = await (house.resume(run_id, crew) if run_id else house.ask(crew, REQUEST, planner="rules"))
        return {"run": done.run_id, "answer": done.answer}


async def replay(folder: Path, run_id: str, url: str) -> dict[str, Any]:
    """The run read back with a model that fails whoever calls it; how many calls were made all the same."""
    before = len((folder / "asked.txt").read_text("utf-8").splitlines())
    client = Counted(ForbiddenModel(), folder)
    async with House.open(settings_of(folder, url), client=client) as house:
        done = await house.replay(run_id, crew_of(folder))
    calls = len((folder / "asked.txt").read_text("utf-8").splitlines()) - before
    return {"run": done.run_id, "answer": done.answer, "calls": calls}


def settings_of(folder: Path, url: str) -> Settings:
    """Runs are kept in the folder; models lie where the user has them."""
    return replace(
        Settings(),
        database_url=f"sqlite:///{folder}/runs.db",
        model_url=url if url.startswith("http") else None,
        cache=None,
    )


def _append(file: Path, line: str) -> None:
    to = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(to, f"{line}\n".encode())
    finally:
        os.close(to)


def main() -> None:
    """Import everything, say so, wait for the word to go, and give what came of it as the last line."""
    if "CrewAI" in installed():
        importlib.import_module("crewai")  # loaded before anybody is killed: that takes seconds
    if "AutoGen" in installed():
        importlib.import_module("autogen_agentchat.teams")
    print("ready", flush=True)
    order = json.loads(sys.stdin.readline())
    work = {"sitting": sitting, "replay": replay}[order["do"]]
    print("begun", flush=True)
    print(json.dumps(asyncio.run(work(Path(order["folder"]), order["run"], order["url"]))), flush=True)
    os._exit(0)  # CrewAI's threads have nothing to tell any more


if __name__ == "__main__":
    main()
