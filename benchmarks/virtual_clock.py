"""Barriers: how much longer a graph takes than its longest chain, on a clock that counts nothing but waiting.

1,000 random graphs of 10 to 500 tasks, each task of a length of its own, nothing limited. Each is carried out as it
is; then again while it grows (workers add tasks in the middle of their work, some tasks wait for what was added, and
a planner streams the last third) and tasks fail and are tried again after a wait. The longest chain is computed apart,
from when each task is known, the ends of those it waits for, its attempts and the waits between them.

Figures: `ratio`, the worst makespan over longest chain of all; `plain_ratio` and `grown_ratio`, the worst of each kind;
`langgraph_ratio` and `autogen_ratio`, the medians of the peers on plain graphs, where they are installed. AutoGen pins
what others need in newer versions: give the interpreter of an environment that holds `autogen-agentchat`.

    python benchmarks/virtual_clock.py [--quick] [--autogen PYTHON] [--json -]
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import logging
import operator
import random
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from _report import finish, in_child, parser, table
from _virtual import makespan

PEER_TASKS = 60


@dataclass
class Job:
    """One task: whom it waits for, the length of one attempt, how often it fails, how long is waited then."""

    needs: list[int]
    seconds: float
    fails: int = 0
    wait: float = 1.0
    adder: int | None = None
    at: float = 0.0
    """When it becomes known: seconds after its adder has begun, or from the beginning where the planner streams it."""
    streamed: bool = False
    waits_too: list[int] = field(default_factory=list)
    """What others added, that this one was told to wait for."""

    @property
    def length(self) -> float:
        """All attempts, and the waits between them: `wait`, then twice that."""
        return self.seconds * (self.fails + 1) + sum(self.wait * 2**n for n in range(self.fails))


def plain(seed: int, most: int = 500) -> list[Job]:
    """A random graph: each task waits for up to three of those before it, near ones or any."""
    chance = random.Random(seed)
    reach = chance.choice([3, 10, 50, most])
    jobs: list[Job] = []
    for n in range(chance.randint(10, most)):
        near = range(max(0, n - reach), n)
        needs = sorted(chance.sample(near, min(len(near), chance.choice([0, 1, 1, 2, 3]))))
        jobs.append(Job(needs, chance.uniform(0.01, 1.0)))
    return jobs


def grown(seed: int) -> list[Job]:
    """The same graph, of which parts become known only while it is carried out, and in which tasks fail."""
    chance = random.Random(seed + 1_000_000)
    jobs = plain(seed)
    streamed_from = len(jobs) * 2 // 3
    clock = 0.0
    for n, job in enumerate(jobs):
        if chance.random() < 0.15:
            job.fails, job.wait = chance.randint(1, 2), chance.uniform(0.1, 2.0)
        if n >= streamed_from:
            clock += chance.uniform(0, 0.05)
            job.streamed, job.at = True, clock
    wanted = {m for job in jobs[:streamed_from] for m in job.needs}
    for n, job in enumerate(jobs[:streamed_from]):
        # Nobody in the given graph waits for it, so that somebody else may add it.
        givers = [m for m in range(n) if jobs[m].adder is None]
        if n not in wanted and givers and chance.random() < 0.7:
            job.adder = chance.choice(givers)
            job.at = chance.uniform(0, jobs[job.adder].seconds)
    for job in jobs:
        job.needs = [m for m in job.needs if jobs[m].adder is None]
    for n, job in enumerate(jobs[:streamed_from]):
        if job.adder is not None:
            # Later ones that wait for the adder have not begun: they may be told to wait for this one as well.
            later = [
                m for m in range(n + 1, streamed_from) if job.adder in jobs[m].needs and jobs[m].adder is None
            ]
            if later:
                jobs[chance.choice(later)].waits_too.append(n)
    return jobs


def longest_chain(jobs: Sequence[Job]) -> float:
    """When the last task must end if each begins as soon as it is known and all that it waits for has ended."""

    @cache
    def begin(n: int) -> float:
        job = jobs[n]
        known = job.at + (begin(job.adder) if job.adder is not None else 0.0)
        return max([known, *(begin(m) + jobs[m].length for m in [*job.needs, *job.waits_too])])

    return max(begin(n) + job.length for n, job in enumerate(jobs))


def crewgraph_seconds(jobs: Sequence[Job]) -> float:
    from crewgraph import Task, TaskGraph, TaskResult
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.journalling.journal import Journal
    from crewgraph.runtime.policy import Retry
    from crewgraph.runtime.scheduler import execute

    tasks = [
        Task(
            id=f"t{n}",
            description="",
            depends_on=tuple(f"t{m}" for m in job.needs),
            retry=Retry(attempts=job.fails + 1, wait=job.wait, jitter=0) if job.fails else None,
        )
        for n, job in enumerate(jobs)
    ]
    adds: dict[str, list[int]] = {}
    for n, job in enumerate(jobs):
        if job.adder is not None:
            adds.setdefault(f"t{job.adder}", []).append(n)
    left = [job.fails for job in jobs]

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        job, number = jobs[int(task.id[1:])], int(task.id[1:])
        began = asyncio.get_running_loop().time()
        for n in sorted(adds.get(task.id, ()), key=lambda n: jobs[n].at):
            await asyncio.sleep(began + jobs[n].at - asyncio.get_running_loop().time())
            then = [f"t{m}" for m, other in enumerate(jobs) if n in other.waits_too]
            await ctx.add_tasks([tasks[n]], then=then)
        await asyncio.sleep(began + job.seconds - asyncio.get_running_loop().time())
        if left[number]:
            left[number] -= 1
            raise ConnectionError("busy")
        return TaskResult()

    async def stream() -> AsyncIterator[Task]:
        for n, job in enumerate(jobs):
            if job.streamed:
                await asyncio.sleep(job.at - asyncio.get_running_loop().time())
                yield tasks[n]

    given = [tasks[n] for n, job in enumerate(jobs) if job.adder is None and not job.streamed]
    growth = stream() if any(job.streamed for job in jobs) else None
    ctx = RunContext(Journal("bench"))
    return makespan(execute(TaskGraph(given), worker, ctx, limit=len(jobs), growth=growth))


def langgraph_seconds(jobs: Sequence[Job]) -> float:
    from typing import Annotated, TypedDict

    from langgraph.graph import END, START, StateGraph

    class State(TypedDict):
        done: Annotated[list[int], operator.add]

    State.__annotations__["done"] = Annotated[list[int], operator.add]
    graph: Any = StateGraph(State)
    for n, job in enumerate(jobs):

        async def node(state: State, n: int = n, seconds: float = job.seconds) -> dict[str, list[int]]:
            await asyncio.sleep(seconds)
            return {"done": [n]}

        graph.add_node(f"t{n}", node)
        graph.add_edge([f"t{m}" for m in job.needs] if job.needs else START, f"t{n}")
    wanted = {m for job in jobs for m in job.needs}
    for n in set(range(len(jobs))) - wanted:
        graph.add_edge(f"t{n}", END)
    app = graph.compile()
    return makespan(app.ainvoke({"done": []}, {"recursion_limit": 10_000, "max_concurrency": None}))


def autogen_seconds(jobs: Sequence[Job]) -> float:
    from autogen_agentchat.agents import BaseChatAgent
    from autogen_agentchat.base import Response
    from autogen_agentchat.messages import TextMessage
    from autogen_agentchat.teams import DiGraphBuilder, GraphFlow

    class Sleeper(BaseChatAgent):
        def __init__(self, name: str, seconds: float) -> None:
            super().__init__(name, "sleeps")
            self._seconds = seconds

        @property
        def produced_message_types(self) -> Any:
            return (TextMessage,)

        async def on_messages(self, messages: Any, cancellation_token: Any) -> Response:
            await asyncio.sleep(self._seconds)
            return Response(chat_message=TextMessage(content="done", source=self.name))

        async def on_reset(self, cancellation_token: Any) -> None:
            pass

    agents = [Sleeper(f"t{n}", job.seconds) for n, job in enumerate(jobs)]
    builder = DiGraphBuilder()
    for agent in agents:
        builder.add_node(agent)
    for n, job in enumerate(jobs):
        for m in job.needs:
            builder.add_edge(agents[m], agents[n])
    flow = GraphFlow(participants=builder.get_participants(), graph=builder.build())
    return makespan(flow.run(task="go"))


OWN = {"plain": plain, "grown": grown}
PEERS = {"langgraph": langgraph_seconds, "autogen": autogen_seconds}


def child(name: str, graphs: int) -> None:
    logging.disable(logging.CRITICAL)
    if name in OWN:
        found = [OWN[name](seed) for seed in range(graphs)]
        ratios = [crewgraph_seconds(jobs) / longest_chain(jobs) for jobs in found]
    else:
        found = [plain(seed, PEER_TASKS) for seed in range(graphs)]
        ratios = [PEERS[name](jobs) / longest_chain(jobs) for jobs in found]
    tasks = sum(map(len, found))
    print(
        json.dumps(
            {
                "worst": max(ratios, key=lambda ratio: abs(ratio - 1)),  # one below 1 would be a wrong chain
                "median": statistics.median(ratios),
                "tasks": tasks,
            }
        )
    )


def peer(name: str, graphs: int, options: argparse.Namespace) -> dict[str, Any] | str:
    """A peer's figures, or in words why there are none."""
    if name == "autogen" and options.autogen:
        made = subprocess.run(
            [options.autogen, str(Path(__file__).resolve()), "--child", name, "--graphs", str(graphs)],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if made.returncode:
            return f"failed: {made.stderr.strip().splitlines()[-1][:60]}"
        found: dict[str, Any] = json.loads(made.stdout.strip().splitlines()[-1])
        return found
    module = {"langgraph": "langgraph", "autogen": "autogen_agentchat"}[name]
    if importlib.util.find_spec(module) is None:
        return "not installed here"
    return in_child(__file__, name, "--graphs", str(graphs))


def main() -> int:
    flags = parser(__doc__ or "", quick="100 graphs of each kind instead of 1,000")
    flags.add_argument("--graphs", type=int, help="so many random graphs of each kind")
    flags.add_argument(
        "--autogen", metavar="PYTHON", help="the interpreter of an environment with autogen-agentchat"
    )
    options = flags.parse_args()
    graphs = options.graphs or (100 if options.quick else 1000)
    if options.child:
        child(options.child, graphs)
        return 0
    own = {name: in_child(__file__, name, "--graphs", str(graphs)) for name in OWN}
    few = min(graphs, 20)
    peers = {name: peer(name, few, options) for name in PEERS}
    rows: list[Sequence[object]] = [
        ["crewgraph, as it is", graphs, own["plain"]["tasks"], own["plain"]["median"], own["plain"]["worst"]],
        [
            "crewgraph, grown, with retries",
            graphs,
            own["grown"]["tasks"],
            own["grown"]["median"],
            own["grown"]["worst"],
        ],
    ]
    titles = {"langgraph": "LangGraph StateGraph, as it is", "autogen": "AutoGen GraphFlow, as it is"}
    for name, found in peers.items():
        if isinstance(found, str):
            rows.append([titles[name], few, "", "", found])
        else:
            rows.append([titles[name], few, found["tasks"], found["median"], found["worst"]])
    table(
        "makespan / longest chain, on a virtual clock (bar: 1.000)",
        ("", "graphs", "tasks", "median", "worst"),
        rows,
    )
    figures = {
        "ratio": max(found["worst"] for found in own.values()),
        "plain_ratio": own["plain"]["worst"],
        "grown_ratio": own["grown"]["worst"],
        **{f"{name}_ratio": found["median"] for name, found in peers.items() if not isinstance(found, str)},
    }
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
