"""A limit on a tool or an engine holds over every step that names it, in one run or in many."""

from __future__ import annotations

import asyncio

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.stepping.lanes import Lanes


class Crowd:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0

    async def enter(self) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.inside -= 1
        return self.inside


async def go(ctx: RunContext, crowd: Crowd, steps: int, lane: dict[str, int | None]) -> None:
    await asyncio.gather(*(ctx.step("s", crowd.enter, inputs=n, lanes=lane) for n in range(steps)))


async def test_a_steps_own_limit_holds() -> None:
    crowd = Crowd()
    await go(RunContext(Journal("r-test")), crowd, 20, {"tool:search": 3})
    assert crowd.most == 3


async def test_the_authors_limit_counts_more_than_the_steps_own() -> None:
    crowd = Crowd()
    await go(RunContext(Journal("r-test"), lanes=Lanes({"tool:search": 2})), crowd, 20, {"tool:search": 9})
    assert crowd.most == 2


async def test_a_lane_that_nobody_limits_is_open() -> None:
    crowd = Crowd()
    await go(RunContext(Journal("r-test")), crowd, 20, {"tool:search": None})
    assert crowd.most == 20


async def test_runs_that_share_lanes_share_the_places() -> None:
    crowd, lanes = Crowd(), Lanes({"engine:default": 4})
    runs = [RunContext(Journal(f"r-{n}"), lanes=lanes) for n in range(5)]
    await asyncio.gather(*(go(ctx, crowd, 8, {"engine:default": None}) for ctx in runs))
    assert crowd.most == 4


async def test_steps_in_two_lanes_never_wait_for_each_other_in_a_circle() -> None:
    crowd, ctx = Crowd(), RunContext(Journal("r-test"))
    one = {"tool:a": 1, "engine:b": 1}
    other = {"engine:b": 1, "tool:a": 1}
    async with asyncio.timeout(5):
        await asyncio.gather(go(ctx, crowd, 10, one), go(ctx.for_task("t"), crowd, 10, other))
    assert crowd.most == 1


async def test_a_cancelled_wait_gives_its_place_to_the_next() -> None:
    ctx, started, release = RunContext(Journal("r-test")), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        started.set()
        await release.wait()

    async def quick() -> str:
        return "through"

    lane: dict[str, int | None] = {"tool:a": 1}
    holder = asyncio.create_task(ctx.step("hold", hold, inputs=0, lanes=lane))
    await started.wait()
    waiter = asyncio.create_task(ctx.step("s", quick, inputs=1, lanes=lane))
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    release.set()
    await holder
    assert await ctx.step("s", quick, inputs=2, lanes=lane) == "through"
    assert ctx.journal.finished_steps == 2


async def test_a_step_that_waits_for_its_lane_has_not_begun() -> None:
    ctx, started, release = RunContext(Journal("r-test")), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        started.set()
        await release.wait()

    lane: dict[str, int | None] = {"tool:a": 1}
    holder = asyncio.create_task(ctx.step("send", hold, inputs=0, lanes=lane, effect="once"))
    await started.wait()
    waiter = asyncio.create_task(ctx.step("send", hold, inputs=1, lanes=lane, effect="once"))
    for _ in range(5):
        await asyncio.sleep(0)
    step = ctx.journal.steps.find(ctx.step_key("send", 1))
    assert step is None or not step.begun
    waiter.cancel()
    release.set()
    await asyncio.gather(holder, waiter, return_exceptions=True)
