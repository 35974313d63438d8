"""What an agent costs beside its model: CPU of one task over the bare model calls, and memory of 1,000 agents.

A task is `react` with one tool call, a finish and a closing text, or `direct`. It walks its LangGraph graph, and each of
its model and tool calls is journalled in a real SQLite database; eight go on at once, as in a crew. The model is a script
and costs next to nothing; what that costs is taken away. CPU counts all threads; of several rounds the least is taken,
since other work on the machine only adds.

Figures: `cpu_ms` (react; bar 2) and `direct_cpu_ms`, the same one task at a time (`alone_cpu_ms`), `kb_per_agent` (1,000
agents with a tool each and an architecture; bar 30) and `working_kb_per_agent` (each of them waiting for its model inside
its graph), and of peers `node_cpu_ms` (a LangGraph graph of one node that calls the model), `prebuilt_cpu_ms` (LangGraph's
own ReAct agent), `autogen_cpu_ms` (AssistantAgent) and `crewai_cpu_ms` (Agent in a Crew). The peers keep no journal;
their agents make one tool call and a closing text, with our model client in them. AutoGen and CrewAI are measured where
they are installed: in the environment of `.ci/frameworks.sh`, or with the interpreter that `--peers` names.

    python benchmarks/agent_overhead.py [--quick] [--json -] [--peers PYTHON]
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

from _report import Figures, finish, in_child, parser, table

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE, AGENTS = 8, 1000
BARS = {"cpu_ms": 2.0, "kb_per_agent": 30.0}
Work = Callable[[], Awaitable[object]]


async def cpu_ms(work: Work, tasks: int, rounds: int, at_once: int = AT_ONCE) -> float:
    """CPU milliseconds a task, the least of the rounds; one more warms up."""

    async def some(count: int) -> None:
        for _ in range(count):
            await work()

    took: list[float] = []
    for _ in range(rounds + 1):
        gc.collect()
        began = time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(some(tasks // at_once))
        took.append((time.process_time() - began) * 1000 / (tasks // at_once * at_once))
    return min(took[1:])


def scripted() -> Any:
    """A model that calls the tool first, by a schema or natively, and then answers."""
    from crewgraph.agents.model import ModelClient, ModelDelta, ModelReply, ModelRequest, ToolCall, Usage

    class Scripted(ModelClient):
        calls = 0

        async def complete(self, request: ModelRequest) -> ModelReply:
            self.calls += 1
            looked = any(m.role in ("assistant", "tool") for m in request.messages)
            if request.schema is not None:
                chosen = {"tool": "finish"} if looked else {"tool": "price", "args": {"item": "pen"}}
                return ModelReply(json.dumps(chosen), "stop", Usage(40, 12))
            if request.tools and not looked:
                call = ToolCall("c1", "price", {"item": "pen"})
                return ModelReply("", "tool_calls", Usage(40, 12), tool_calls=(call,))
            return ModelReply("It is on the list.\nAnswer: 12.5 EUR", "stop", Usage(40, 12))

        async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
            reply = await self.complete(request)
            yield ModelDelta(reply.text)
            yield ModelDelta("", reply)

        async def models(self) -> list[str]:
            return ["scripted"]

        async def aclose(self) -> None:
            pass

    return Scripted()


def clerk(architecture: str) -> tuple[Any, Any]:
    """An agent with a tool, and its crew."""
    from crewgraph import Agent, Crew, tool

    @tool
    async def price(item: str) -> float:
        """The price of an item."""
        return 12.5

    agent = Agent("clerk", "Know prices.", tools=[price], architecture=architecture)
    return agent, Crew([agent])


def desk_of(agent: Any, crew: Any, client: Any, ctx: Any, name: str) -> Any:
    """The agent's desk at a task of its own."""
    from crewgraph import Task
    from crewgraph.agents.desk import Desk
    from crewgraph.agents.writing import Brief

    task = Task(id=name, description="Find the price.", agent=agent.role)
    brief = Brief("What does a pen cost?", "en")
    return Desk(agent, crew, client, ctx.for_task(name), task, brief, crew.tools_of(agent))


async def ours(architecture: str, tasks: int, rounds: int, at_once: int) -> Figures:
    from crewgraph.agents import architectures
    from crewgraph.agents.model import Message, ModelRequest
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.store import open_store

    way = architectures.architecture(architecture)
    agent, crew = clerk(architecture)
    client, numbers = scripted(), iter(range(10**9))
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(Path(folder) / "runs.db") as store, await store.create_run("b", "?") as journal:
            ctx = RunContext(journal)

            async def work() -> None:
                await way.conclude(desk_of(agent, crew, client, ctx, f"t{next(numbers)}"))

            found = await cpu_ms(work, tasks, rounds, at_once)
            calls = client.calls / (tasks // at_once * at_once) / (rounds + 1)
    request = ModelRequest((Message("user", "What does a pen cost?"),))
    bare = await cpu_ms(lambda: client.complete(request), tasks, rounds, at_once)
    return {"ms": found - round(calls) * bare}


async def memory(working: bool) -> Figures:
    """KB of resident memory for each of 1,000 agents, after a few have warmed everything up."""
    from crewgraph.agents import architectures
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.journalling.journal import Journal

    client, ctx, hold = scripted(), RunContext(Journal("r", [])), asyncio.Event()
    answer = client.complete

    async def held(request: Any) -> Any:
        await hold.wait()
        return await answer(request)

    def resident() -> float:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024

    async def make(count: int, first: int, group: asyncio.TaskGroup) -> list[Any]:
        made = [(*clerk("react"), f"t{first + n}") for n in range(count)]
        if working:
            for agent, crew, name in made:
                way = architectures.architecture_of(agent)
                group.create_task(way.conclude(desk_of(agent, crew, client, ctx, name)))
            for _ in range(60):
                await asyncio.sleep(0)
        return made

    client.complete = held
    async with asyncio.TaskGroup() as group:
        kept = await make(50, 0, group)
        before = resident()
        kept += await make(AGENTS, 50, group)
        found = (resident() - before) / AGENTS
        hold.set()
    assert len(kept) == AGENTS + 50
    return {"kb": found}


async def node(tasks: int, rounds: int) -> Figures:
    from typing import TypedDict

    from langgraph.graph import END, START, StateGraph

    from crewgraph.agents.model import Message, ModelRequest

    class State(TypedDict):
        text: str

    client = scripted()

    async def say(state: State) -> dict[str, str]:
        return {"text": (await client.complete(ModelRequest((Message("user", state["text"]),)))).text}

    builder = StateGraph(State)
    builder.add_node("say", say)
    builder.add_edge(START, "say")
    builder.add_edge("say", END)
    graph = builder.compile()
    return {"ms": await cpu_ms(lambda: graph.ainvoke({"text": "What does a pen cost?"}), tasks, rounds)}


async def prebuilt(tasks: int, rounds: int) -> Figures:
    from langchain_core.tools import tool
    from langgraph.prebuilt import create_react_agent

    from crewgraph.agents.interop import as_langchain

    @tool
    async def price(item: str) -> float:
        """The price of an item."""
        return 12.5

    graph = create_react_agent(as_langchain(scripted()), [price])
    asked: Any = {"messages": [("user", "What does a pen cost?")]}
    last = (await graph.ainvoke(asked))["messages"]
    assert len(last) == 4, last
    return {"ms": await cpu_ms(lambda: graph.ainvoke(asked), tasks, rounds)}


async def autogen(tasks: int, rounds: int) -> Figures:
    from autogen_agentchat.agents import AssistantAgent

    from crewgraph.agents.interop import as_autogen

    async def price(item: str) -> float:
        """The price of an item."""
        return 12.5

    client = as_autogen(scripted())

    async def work() -> Any:
        agent = AssistantAgent("clerk", client, tools=[price], reflect_on_tool_use=True)
        return await agent.run(task="What does a pen cost?")

    assert "12.5" in (await work()).messages[-1].content
    return {"ms": await cpu_ms(work, tasks, rounds)}


async def crewai(tasks: int, rounds: int) -> Figures:
    from crewai import Agent, Crew, Task
    from crewai.tools import tool

    from crewgraph.agents.interop import as_crewai

    @tool("price")
    def price(item: str) -> str:
        """The price of an item."""
        return "12.5"

    llm = as_crewai(scripted())

    async def work() -> Any:
        agent = Agent(role="clerk", goal="Know prices.", backstory="Old hand.", llm=llm.twin(), tools=[price])
        task = Task(description="What does a pen cost?", expected_output="The price.", agent=agent)
        return await Crew(agents=[agent], tasks=[task], verbose=False).akickoff()

    assert "12.5" in str(await work())
    return {"ms": await cpu_ms(work, tasks, rounds, 4)}


async def child(name: str, tasks: int, rounds: int) -> Figures:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    kind, _, how = name.partition(":")
    if kind == "memory":
        return await memory(how == "working")
    if kind in PEERS:
        return await PEERS[kind](tasks, rounds)
    return await ours(kind, tasks, rounds, 1 if how == "alone" else AT_ONCE)


PEERS: dict[str, Callable[[int, int], Awaitable[Figures]]] = {
    "node": node,
    "prebuilt": prebuilt,
    "autogen": autogen,
    "crewai": crewai,
}
NAMES = {
    "node": "LangGraph, one node and one call",
    "prebuilt": "LangGraph, prebuilt ReAct agent",
    "autogen": "AutoGen AssistantAgent",
    "crewai": "CrewAI Agent in a Crew",
}


def peer(name: str, python: str, tasks: int, rounds: int) -> float | None:
    """Milliseconds a task of a peer, or None where it is not installed or does not run there."""
    env = os.environ | {
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_TRACING_ENABLED": "false",
        "OTEL_SDK_DISABLED": "true",
        "CREWAI_STORAGE_DIR": tempfile.mkdtemp(prefix="crewai-"),
        "PYTHONPATH": str(ROOT / "src"),
    }
    module = {"autogen": "autogen_agentchat", "crewai": "crewai"}.get(name, "langgraph")
    known = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    if subprocess.run([python, "-c", known], env=env, check=False).returncode:
        return None
    command = [python, __file__, "--child", name, "--tasks", str(tasks), "--rounds", str(rounds)]
    made = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    if made.returncode:
        print(f"{NAMES[name]} did not run: {made.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return float(json.loads(made.stdout.strip().splitlines()[-1])["ms"])


def main() -> int:
    """Print the tables."""
    flags = parser(__doc__ or "", quick="fewer tasks and rounds")
    flags.add_argument(
        "--peers", metavar="PYTHON", help="an interpreter that has CrewAI and AutoGen installed"
    )
    flags.add_argument("--tasks", type=int, default=200, help="of a --child")
    flags.add_argument("--rounds", type=int, default=5, help="of a --child")
    options = flags.parse_args()
    if options.child:
        print(json.dumps(asyncio.run(child(options.child, options.tasks, options.rounds))))
        return 0
    usual = ROOT / ".venv-frameworks" / "bin" / "python"
    python = options.peers or (str(usual) if usual.exists() else sys.executable)
    tasks, rounds = (120, 2) if options.quick else (320, 9)
    amount = ("--tasks", str(tasks), "--rounds", str(rounds))
    figures: Figures = {}
    for figure, name in {
        "cpu_ms": "react",
        "alone_cpu_ms": "react:alone",
        "direct_cpu_ms": "direct",
        "direct_alone_cpu_ms": "direct:alone",
    }.items():
        figures[figure] = in_child(__file__, name, *amount)["ms"]
    figures["kb_per_agent"] = in_child(__file__, "memory:idle")["kb"]
    figures["working_kb_per_agent"] = in_child(__file__, "memory:working")["kb"]
    rows: list[tuple[object, ...]] = [
        ("crewgraph react, journalled", figures["cpu_ms"], f"bar {BARS['cpu_ms']:g}"),
        ("the same, one at a time", figures["alone_cpu_ms"], ""),
        ("crewgraph direct, journalled", figures["direct_cpu_ms"], ""),
        ("the same, one at a time", figures["direct_alone_cpu_ms"], ""),
    ]
    for name in PEERS:
        where = python if name in ("autogen", "crewai") else sys.executable
        few = max(16, tasks // 8) if name == "crewai" else tasks
        found = peer(name, where, few, min(rounds, 3) if name == "crewai" else rounds)
        rows.append((NAMES[name], "not installed" if found is None else found, "no journal"))
        if found is not None:
            figures[f"{name}_cpu_ms"] = found
    table("CPU of one agent task over its model calls, ms", ("who", "ms", ""), rows)
    table(
        "Memory of 1,000 agents in one process, KB each",
        ("what", "KB", ""),
        [
            ("made, with a tool and a crew each", figures["kb_per_agent"], f"bar {BARS['kb_per_agent']:g}"),
            ("each waiting for its model in its graph", figures["working_kb_per_agent"], ""),
        ],
    )
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
