"""How many calls of a tool go on at once, how long one may take, and how often a failed one is made again."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidCrew, ToolArgumentError, ToolError
from crewgraph.runtime.events import StepErred, TaskStarted
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.policy import Retry
from crewgraph.runtime.stepping.lanes import Lanes
from crewgraph.tools.tool import Tool, tool
from crewgraph.tools.toolset import Toolset

from ..clock import run_on_virtual_clock


class Crowd:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0

    async def visit(self) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        for _ in range(5):
            await asyncio.sleep(0)
        self.inside -= 1


def search(crowd: Crowd, limit: int | None) -> Tool:
    @tool(limit=limit)
    async def search(n: int) -> int:
        """Search for a number."""
        await crowd.visit()
        return n

    return search


async def call_all(found: Tool, ctx: RunContext, calls: int = 12) -> None:
    tools = Toolset([found])
    await asyncio.gather(*(tools.call("search", {"n": n}, ctx.for_task(f"t{n}")) for n in range(calls)))


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (4, 4), (None, 12)])
async def test_no_more_calls_at_once_than_the_tool_allows(limit: int | None, most: int) -> None:
    crowd = Crowd()
    await call_all(search(crowd, limit), RunContext(Journal("r-test")))
    assert crowd.most == most


async def test_the_operators_limit_counts_before_the_tools_own() -> None:
    crowd = Crowd()
    await call_all(search(crowd, 4), RunContext(Journal("r-test"), lanes=Lanes({"tool:search": 2})))
    assert crowd.most == 2


async def test_an_operator_may_limit_a_tool_that_sets_no_limit_itself() -> None:
    crowd = Crowd()
    await call_all(search(crowd, None), RunContext(Journal("r-test"), lanes=Lanes({"tool:search": 3})))
    assert crowd.most == 3


async def test_a_call_that_takes_too_long_is_stopped_and_is_a_tool_error() -> None:
    stopped = False

    @tool(timeout=0.01)
    async def slow(n: int) -> int:
        """Take long."""
        nonlocal stopped
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped = True
            raise
        return n

    with pytest.raises(ToolError, match=r"The tool slow took longer than 0\.01 s\."):
        await slow.call({"n": 1})
    assert stopped


async def test_a_sync_function_is_not_waited_for_any_longer() -> None:
    free = threading.Event()

    @tool(timeout=0.01)
    def slow(n: int) -> int:
        """Take long."""
        free.wait(60)
        return n

    with pytest.raises(ToolError, match="took longer"):
        await slow.call({"n": 1})
    free.set()


async def test_a_timeout_of_the_functions_own_is_told_as_what_it_is() -> None:
    @tool(timeout=60)
    async def asks(n: int) -> int:
        """Ask a server."""
        raise TimeoutError("the server is slow")

    with pytest.raises(ToolError, match="The tool asks failed: TimeoutError: the server is slow"):
        await asks.call({"n": 1})


def shaky(fails: int, retry: Retry | None, error: type[Exception] = OSError) -> tuple[Tool, list[int]]:
    calls: list[int] = []

    @tool(retry=retry)
    async def fetch(n: int) -> int:
        """Fetch a number."""
        calls.append(n)
        if len(calls) <= fails:
            raise error("no route")
        return n

    return fetch, calls


@pytest.mark.parametrize(("fails", "attempts", "made"), [(0, 3, 1), (2, 3, 3), (3, 3, 3), (1, 1, 1)])
async def test_a_failed_call_is_made_again_as_often_as_said(fails: int, attempts: int, made: int) -> None:
    fetch, calls = shaky(fails, Retry(attempts=attempts, wait=0))
    call = Toolset([fetch]).call("fetch", {"n": 1}, RunContext(Journal("r-test")).for_task("t"))
    if fails < attempts:
        assert (await call)["value"] == 1
    else:
        with pytest.raises(ToolError, match="fetch failed: OSError: no route"):
            await call
    assert len(calls) == made


async def test_arguments_that_the_tool_refuses_are_not_tried_again() -> None:
    fetch, calls = shaky(1, Retry(attempts=3, wait=0), ToolArgumentError)
    with pytest.raises(ToolArgumentError):
        await Toolset([fetch]).call("fetch", {"n": 1}, RunContext(Journal("r-test")).for_task("t"))
    assert len(calls) == 1


def test_each_failure_is_journalled_and_its_wait_grows() -> None:
    events: list[Any] = []
    fetch, calls = shaky(3, Retry(attempts=4, wait=1, factor=2, jitter=0))

    async def run() -> float:
        ctx = RunContext(Journal("r-test"), listeners=[events.append]).for_task("t")
        began = asyncio.get_running_loop().time()
        await Toolset([fetch]).call("fetch", {"n": 1}, ctx)
        return asyncio.get_running_loop().time() - began

    assert run_on_virtual_clock(run()) == pytest.approx(1 + 2 + 4)
    assert len([e for e in events if isinstance(e, StepErred)]) == 3
    assert len(calls) == 4


def test_a_failure_that_is_read_back_is_not_waited_for_again() -> None:
    fetch, calls = shaky(2, Retry(attempts=3, wait=30, jitter=0))

    async def run() -> float:
        ctx = RunContext(Journal("r-test")).for_task("t")
        tools = Toolset([fetch])
        await tools.call("fetch", {"n": 1}, ctx)
        began = asyncio.get_running_loop().time()
        ctx.write(TaskStarted(task_id="t"))
        assert (await tools.call("fetch", {"n": 1}, ctx))["value"] == 1
        return asyncio.get_running_loop().time() - began

    assert run_on_virtual_clock(run()) == 0
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [({"limit": 0}, "may be called 0 times at once"), ({"timeout": 0}, "has 0 s to answer")],
)
def test_limits_that_mean_never_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidCrew, match=f"The tool 'f' {said}"):

        @tool(name="f", **options)
        def f(n: int) -> int:
            """Do something."""
            return n
