"""Sitting: one process that carries a run on, from opening the database to the answer, or to what it waits for.

It does what an orchestrator does, with the run's own tools and no model. It ends with one of the codes below.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from pydantic import JsonValue

from crash.job import Job, amount_of, answer, flaky_calls, gang_calls, given_back, list_of, total
from crash.trap import Trap
from crash.world import Done, World
from crewgraph.runtime.context import DidNotHappen, Happened, RunContext
from crewgraph.runtime.errors import CrewgraphError, NotFound, RunWaiting, StepInDoubt, StoreError, ToolError
from crewgraph.runtime.events import PlanMade, RunErred, RunFinished, RunPaused, RunStarted
from crewgraph.runtime.graph import Task, TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import Store, open_store
from crewgraph.tools.effects import IdempotencyKey
from crewgraph.tools.tool import tool
from crewgraph.tools.toolset import Toolset

FINISHED, ASKS, REFUSED, FAILED = 0, 10, 11, 12
"""How a sitting ends: with the answer; a person has to say something; the run is another's; it said what is wrong."""

_TAKEN = "is being carried out by"
_WAIT = 0.02
_FAILS = ("refused", "unsent", "unheard")


class Sitting:
    """One sitting. `pace` is how long an effect takes at most, in seconds; `patience` how long it waits for a claim.

    The claim of a killed process ends when its database notices; a person would wait that long too.
    """

    def __init__(
        self,
        database: str,
        run_id: str,
        job: Job,
        world: World,
        *,
        trap: Trap,
        seed: int,
        pace: float = 0.008,
        patience: float = 10.0,
    ) -> None:
        self._database = database
        self._run_id = run_id
        self._job = job
        self._world = world
        self._trap = trap
        self._rng = random.Random(seed)
        self._pace = pace
        self._patience = patience
        self._replays = False
        self._tools = Toolset(self._made_tools())

    def go(self) -> int:
        """Carry the run on in this process; how it ended. What is wrong is printed in one line."""
        try:
            asyncio.run(self._go())
        except (RunWaiting, StepInDoubt) as error:
            print(type(error).__name__, error, flush=True)
            return ASKS
        except CrewgraphError as error:
            print(type(error).__name__, error, flush=True)
            return REFUSED if isinstance(error, StoreError) and _TAKEN in str(error) else FAILED
        finally:
            self._world.close()
        return FINISHED

    async def replayed(self, journal: Journal) -> str:
        """The answer that the code gives when it is run again over a journal, with nothing called."""
        self._replays = True
        ctx = RunContext(journal)
        await self._plan(ctx)
        return await self._carried_out(ctx)

    async def _go(self) -> None:
        async with open_store(self._database) as store:
            self._trap.cross("opened")
            planned = False
            try:
                record = await store.find_run(self._run_id)
            except NotFound:
                journal = await store.create_run("crash sweep", "add it all up", run_id=self._run_id)
            else:
                events = await store.events(record.id)
                if any(isinstance(event, RunFinished) for event in events):
                    return
                journal = await self._claimed(store)
                planned = any(isinstance(event, PlanMade) for event in events)
            self._trap.cross("claimed")
            async with journal:
                await self._carry_on(RunContext(journal), planned)
            self._trap.cross("given back")

    async def _claimed(self, store: Store) -> Journal:
        late = time.monotonic() + self._patience
        while True:
            try:
                return await store.open_run(self._run_id)
            except StoreError as error:
                if _TAKEN not in str(error) or time.monotonic() > late:
                    raise
            await asyncio.sleep(_WAIT)

    async def _carry_on(self, ctx: RunContext, planned: bool) -> None:
        try:
            if not planned:
                await ctx.emit(RunStarted(crew="crash sweep", request="add it all up"))
                await self._plan(ctx)
                await ctx.emit(PlanMade(tasks=tuple(self._job.graph.tasks), strategy="given"))
            said = await self._carried_out(ctx)
            await ctx.emit(RunFinished(answer=said))
        except (RunWaiting, StepInDoubt) as error:
            await ctx.emit(RunPaused(reason=str(error)))
            raise
        except CrewgraphError as error:
            await ctx.emit(RunErred(error=str(error), code=error.code))
            raise

    async def _plan(self, ctx: RunContext) -> None:
        await ctx.step("plan", self._planning, inputs={"job": self._job.seed})

    async def _planning(self) -> str:
        await asyncio.sleep(self._delay())
        return "planned"

    async def _carried_out(self, ctx: RunContext) -> str:
        results = await execute(self._job.graph, self._work, ctx, limit=6, growth=self._stream(ctx))
        return answer({name: result.value for name, result in results.items()})

    async def _stream(self, ctx: RunContext) -> AsyncIterator[Task]:
        """A planner that thinks before each task it gives, in steps of its own."""
        for number, task in enumerate(self._job.stream):
            await ctx.step("next task", self._planning, inputs={"number": number})
            yield task

    async def _work(self, task: Task, ctx: RunContext) -> TaskResult:
        if task.tool is not None:
            value = await self._tools.call(task.tool, task.args, ctx)
        else:
            kinds: dict[str, Callable[[Task, RunContext], Awaitable[Any]]] = {
                "dice": self._dice,
                "list": self._list,
                "flaky": self._flaky,
                "gang": self._gang,
                "grow": self._grow,
                "grow-more": self._grow,
                "sum": self._sum,
            }
            value = await kinds[task.description](task, ctx)
        self._trap.cross("task over")
        return TaskResult(value=value, text=f"{task.id}: {value}")

    async def _dice(self, task: Task, ctx: RunContext) -> Any:
        return {"n": int(await ctx.random() * 1000)}

    async def _list(self, task: Task, ctx: RunContext) -> Any:
        return list_of(int(str(task.args["n"])))

    async def _flaky(self, task: Task, ctx: RunContext) -> Any:
        """Several effects in a row; between them it fails twice, whatever was done before."""
        values = []
        for name, args in flaky_calls(amount_of(1, task.args["given"])):
            values.append(await self._tools.call(name, args, ctx))
            if not self._replays and self._world.times(f"flaky after {args['name']}") == 1:
                raise OSError("it failed, as it does the first time")
        return {"n": total(values)}

    async def _gang(self, task: Task, ctx: RunContext) -> Any:
        """Effects of every kind at once, two of them the same."""
        calls = gang_calls(amount_of(1, task.args["given"]))
        if not self._replays:
            self._rng.shuffle(calls)
        values = await asyncio.gather(
            *(self._tools.call(name, args, ctx) for name, args in calls), return_exceptions=True
        )
        for value in values:
            if isinstance(value, BaseException):
                raise value
        return {"n": total(values)}

    async def _grow(self, task: Task, ctx: RunContext) -> Any:
        await asyncio.sleep(self._delay())
        batch = self._job.batches[task.description]
        await ctx.add_tasks(batch.tasks, then=batch.then)
        await ctx.step("think", self._planning, inputs={})
        return {"n": total(task.args.get("given", []))}

    async def _sum(self, task: Task, ctx: RunContext) -> Any:
        return {"n": total([ctx.results[need].value for need in task.needs if need in ctx.results])}

    def _delay(self) -> float:
        return self._rng.random() * self._pace

    def _effect(
        self,
        key: str,
        name: str,
        base: int,
        given: Any,
        put: Callable[[str, str, int, Callable[[], None]], None],
    ) -> dict[str, Any]:
        """One effect outside. What stands behind ``~`` in its name is how it fails the first time."""
        self._trap.cross("effect begins")
        self._world.leave("begun", key)
        _, _, mode = name.partition("~")
        first = mode in _FAILS and self._world.times(key) == 1
        if first and mode == "refused":
            raise ToolError("It is busy: nothing has happened.")
        if first and mode == "unsent":
            raise OSError("the connection broke off before")
        amount = amount_of(base, given)
        put(key, name, amount, lambda: self._trap.cross("effect within"))
        self._trap.cross("effect over")
        if first and mode == "unheard":
            raise OSError("the connection broke off afterwards")
        return given_back(name, amount)

    def _found_out(self, key: str) -> Happened | DidNotHappen:
        self._trap.cross("reconcile begins")
        done = self._world.find(key)
        self._world.leave("cleared", key)
        self._trap.cross("reconcile over")
        return DidNotHappen() if done is None else Happened(result_of(done))

    def _made_tools(self) -> list[object]:
        world = self._world

        def seen(key: IdempotencyKey) -> Happened | DidNotHappen:
            return self._found_out(key)

        async def looked_up(key: IdempotencyKey, name: str) -> Happened | DidNotHappen:
            await asyncio.sleep(self._delay())
            return self._found_out(key)

        @tool(effect="once", reconcile=seen)
        def pay(name: str, base: int, given: list[Any], key: IdempotencyKey) -> dict[str, Any]:
            """Insert into the database, from a thread; can be found out."""
            time.sleep(self._delay())
            return self._effect(key, name, base, given, world.insert)

        @tool(effect="once")
        def wire(name: str, base: int, given: list[Any], key: IdempotencyKey) -> dict[str, Any]:
            """Insert into the database, from a thread; only a person can find out."""
            time.sleep(self._delay())
            return self._effect(key, name, base, given, world.insert)

        @tool(effect="once", reconcile=looked_up)
        async def post(name: str, base: int, given: list[Any], key: IdempotencyKey) -> dict[str, Any]:
            """Append to the file; can be found out."""
            await asyncio.sleep(self._delay())
            value = self._effect(key, name, base, given, world.append)
            await asyncio.sleep(self._delay())
            return value

        @tool(effect="once", limit=2)
        async def mail(name: str, base: int, given: list[Any], key: IdempotencyKey) -> dict[str, Any]:
            """Append to the file, at most two at once; only a person can find out."""
            await asyncio.sleep(self._delay())
            return self._effect(key, name, base, given, world.append)

        @tool(effect="idempotent")
        def charge(name: str, base: int, given: list[Any], key: IdempotencyKey) -> dict[str, Any]:
            """Charge at a service that knows the key again."""
            time.sleep(self._delay())
            return self._effect(key, name, base, given, world.charge)

        @tool
        async def look(name: str, base: int, given: list[Any]) -> dict[str, Any]:
            """Change nothing."""
            await asyncio.sleep(self._delay())
            return given_back(name, amount_of(base, given))

        @tool
        async def quote(name: str, base: int, given: list[Any]) -> dict[str, Any]:
            """A price, another one each time."""
            await asyncio.sleep(self._delay())
            return {"n": random.SystemRandom().randrange(1000)}

        return [pay, wire, post, mail, charge, look, quote]


def result_of(done: Done) -> dict[str, JsonValue]:
    """What the tool would have given for an effect that has taken place."""
    return given_back(done.name, done.amount)
