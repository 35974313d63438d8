"""(c) Task graphs of agent calls that arrive together: the engine told what is left of each, and not told."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import Figures, percentile, table

from .children import Children
from .clients import crewgraph_client
from .server import Server, used
from .work import cpu_seconds, text

CALLS = 12
_WITHIN_S = 2.0
_PREAMBLE_WORDS = 795
_TASK_WORDS = 40
_TOKEN_S = 0.01  # what authors take a token for; only the order of tasks rests on it
_LOOK_S = 0.1


@dataclass(frozen=True)
class Request:
    """One graph: when it arrives, what its agents share, and for each call what it needs and how long its reply is."""

    arrives_s: float
    preamble: str
    needs: Sequence[Sequence[int]]
    tokens: Sequence[int]
    asked: Sequence[str]


def requests_of(seed: int, graphs: int, salt: str) -> list[Request]:
    """Layers of one to four calls, each needing one or two of the layer before; replies of 16 to 256 tokens.

    What a call is told of those before it is made-up text of their length, so that prompts are the same whatever the
    engine writes, and in whatever order.
    """
    chance = random.Random(seed)
    made = []
    for graph in range(graphs):
        needs: list[list[int]] = []
        before: list[int] = []
        while len(needs) < CALLS:
            width = min(chance.randint(1, 4), CALLS - len(needs))
            layer = list(range(len(needs), len(needs) + width))
            needs += [sorted(chance.sample(before, min(len(before), chance.randint(1, 2)))) for _ in layer]
            before = layer
        tokens = [round(2 ** chance.uniform(4, 8)) for _ in needs]
        name = f"{seed}/{graph}"
        told = [text(f"{name}/{n}/said", count) for n, count in enumerate(tokens)]
        made.append(
            Request(
                arrives_s=chance.uniform(0, _WITHIN_S),
                preamble=f"Crew {salt} {graph}: {text(name, _PREAMBLE_WORDS)}",
                needs=needs,
                tokens=tokens,
                asked=[
                    " ".join([text(f"{name}/{n}", _TASK_WORDS), *(told[m] for m in of)])
                    for n, of in enumerate(needs)
                ],
            )
        )
    return sorted(made, key=lambda request: request.arrives_s)


async def carried(name: str, url: str, seed: int, graphs: int, salt: str) -> dict[str, Any]:
    """All graphs through crewgraph, each a run with its journal; `name` is "hints", or "plain" for none."""
    from crewgraph import Message, ModelReply, ModelRequest, Task, TaskGraph, TaskResult
    from crewgraph.agents.calls import ask_model
    from crewgraph.agents.wrapping import Wrapping
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.scheduler import execute
    from crewgraph.runtime.store import open_store

    class Untold(Wrapping):
        """The same client, and the engine is not told anything that helps it to order calls."""

        async def complete(self, request: ModelRequest) -> ModelReply:
            """One call, without hints."""
            from dataclasses import replace

            return await self.inner.complete(replace(request, hints=None))

    session = crewgraph_client(url)
    model = session if name == "hints" else Untold(session)
    asked = requests_of(seed, graphs, salt)
    lasted: list[float] = []
    failed: list[str] = []
    server = Server(url)

    async def one(store: Any, request: Request, start: float) -> None:
        async def worker(task: Task, ctx: RunContext) -> TaskResult:
            n = int(task.id[1:])
            messages = (Message("system", request.preamble), Message("user", request.asked[n]))
            reply = await ask_model(ctx, model, ModelRequest(messages, max_tokens=request.tokens[n]))
            return TaskResult(value=reply.text, text=reply.text)

        await asyncio.sleep(start + request.arrives_s - time.perf_counter())
        tasks = [
            Task(
                id=f"t{n}",
                description="",
                depends_on=tuple(f"t{m}" for m in of),
                expected_seconds=request.tokens[n] * _TOKEN_S,
            )
            for n, of in enumerate(request.needs)
        ]
        try:
            journal = await store.create_run("crew", "a graph of calls")
            async with journal:
                await execute(TaskGraph(tasks), worker, RunContext(journal), limit=CALLS)
        except Exception as error:  # a graph that fails is reported, not stopped
            failed.append(f"{type(error).__name__}: {error}"[:300])
        lasted.append(time.perf_counter() - start - request.arrives_s)

    await session.models()
    with tempfile.TemporaryDirectory() as home:
        async with open_store(Path(home) / "runs.db") as store:
            before = server.metrics()
            with Looking(server) as looks:
                start, cpu = time.perf_counter(), cpu_seconds()
                await asyncio.gather(*(one(store, request, start) for request in asked))
                wall, cpu = time.perf_counter() - start, cpu_seconds() - cpu
            done = used(before, server.metrics())
    await session.aclose()
    return {
        "mean_s": statistics.mean(lasted),
        "p90_s": percentile(lasted, 0.9),
        "wall_s": wall,
        "cpu_s": cpu,
        "waiting": looks.waiting(),
        "running": looks.running(),
        "failed": len(failed),
        "why": failed[:1],
        **done,
    }


class Looking(threading.Thread):
    """Looks at how many calls run and wait on the server, ten times a second, for as long as its block lasts."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._over = threading.Event()
        self._seen: list[tuple[float, float]] = []

    def __enter__(self) -> Looking:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Until the block ends."""
        while not self._over.wait(_LOOK_S):
            now = self._server.metrics()
            self._seen.append((now.get("num_requests_running", 0.0), now.get("num_requests_waiting", 0.0)))

    def waiting(self) -> float:
        """Calls that waited, in the middle, while any did."""
        found = [waiting for _, waiting in self._seen if waiting]
        return statistics.median(found) if found else 0.0

    def running(self) -> float:
        """The most calls that ran at once."""
        return max((running for running, _ in self._seen), default=0.0)


def compare(server: Server, children: Children, *, seats: int, graphs: int, seeds: int) -> Figures:
    """The same graphs with hints and without, the one first with every other seed."""
    found: dict[str, list[dict[str, float]]] = {"hints": [], "plain": []}
    for seed in range(seeds):
        pair: dict[str, dict[str, float]] = {}
        for name in ("plain", "hints") if seed % 2 == 0 else ("hints", "plain"):
            server.rest()
            salt = f"{name} {seats} {int(time.time())}"
            came = children.tried("graphs", name, url=server.url, seed=seed, graphs=graphs, salt=salt)
            if came is None:
                continue
            if came["why"]:
                print(f"  {name}: {came['failed']} graphs failed, such as: {came['why'][0]}", flush=True)
            pair[name] = {k: float(v) for k, v in came.items() if k != "why"}
        for name, one in pair.items() if len(pair) == len(found) else ():
            found[name].append(one)
    if not found["hints"]:
        return {}
    better = [p["mean_s"] / h["mean_s"] for p, h in zip(found["plain"], found["hints"], strict=True)]
    late = [h["p90_s"] / p["p90_s"] for p, h in zip(found["plain"], found["hints"], strict=True)]
    rows = [
        (
            *(f"{name}, seed {seed}", m["mean_s"], m["p90_s"], m["wall_s"], m["cpu_s"]),
            *(int(m["running"]), int(m["waiting"]), int(m["num_preemptions"]), int(m["failed"])),
            better[seed] if name == "hints" else "",
        )
        for seed in range(len(better))
        for name, m in ((n, found[n][seed]) for n in ("plain", "hints"))
    ]
    head = (
        "engine",
        "mean s",
        "p90 s",
        "wall s",
        "CPU s",
        "run at most",
        "wait",
        "preempted",
        "failed",
        "better ×",
    )
    table(f"(c) {graphs} graphs of {CALLS} calls within {_WITHIN_S:.0f} s, {seats} seats", head, rows)
    waiting = statistics.median(m["waiting"] for m in found["plain"])
    figures = {
        f"c_{seats}_mean_x": statistics.median(better),
        f"c_{seats}_mean_x_least": min(better),
        f"c_{seats}_p90_x": statistics.median(late),
        f"c_{seats}_waiting_per_seat": waiting / seats,
    }
    print(
        f"{seats} seats, {waiting / seats:.2f} calls waiting for each: mean {statistics.median(better):.3f} × better "
        f"(bar 1.15 where more than one waits, 1.3 where two do, 0.98 where none), p90 × {statistics.median(late):.3f}"
    )
    return figures
