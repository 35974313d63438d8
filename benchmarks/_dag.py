"""Random task graphs, the same for crewgraph and for its peers: for each task, the tasks that it waits for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crewgraph import TaskGraph

Needs = Sequence[Sequence[int]]


def random_dag(tasks: int, seed: int) -> list[list[int]]:
    """A graph of so many tasks: each but the first few waits for one to three earlier ones, any of them."""
    chance = random.Random(seed)
    return [sorted(chance.sample(range(n), min(n, chance.randint(1, 3)))) for n in range(tasks)]


def chain(tasks: int) -> list[list[int]]:
    """Each task waits for the one before it."""
    return [[n - 1] if n else [] for n in range(tasks)]


def task_graph(needs: Needs) -> TaskGraph:
    """The graph as crewgraph's."""
    from crewgraph import Task, TaskGraph

    return TaskGraph(
        [
            Task(id=f"t{n}", description="", depends_on=tuple(f"t{m}" for m in of))
            for n, of in enumerate(needs)
        ]
    )


async def dataflow(needs: Needs, carry_out: Callable[[int], Awaitable[Any]]) -> None:
    """Carry out a graph by plain asyncio, each task when those it waits for are done: what peers are given."""
    running: list[asyncio.Task[Any]] = []

    async def run(n: int) -> None:
        if needs[n]:
            await asyncio.wait([running[m] for m in needs[n]])
        await carry_out(n)

    running.extend(asyncio.create_task(run(n)) for n in range(len(needs)))
    await asyncio.gather(*running)
