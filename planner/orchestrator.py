"""The orchestrator: from a request to an answer, by planning, scheduling and gathering the evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from ..agents.aptitude import Aptitude
from ..agents.crew import Crew
from ..agents.model import Message, ModelClient
from ..agents.worker import CrewWorker
from ..runtime.context import RunContext
from ..runtime.errors import CrewgraphError, RunWaiting, StepInDoubt, Suspended
from ..runtime.events import PlanMade, RunCancelled, RunErred, RunFinished, RunPaused, RunStarted
from ..runtime.graph import Task, TaskGraph, TaskResult
from ..runtime.reading.replay import plan_again
from ..runtime.scheduler import execute
from ..runtime.worker import Worker
from ..tools.text import language_of
from .plan import Plan
from .planner import Mode, Planner

Hands = Callable[[CrewWorker, RunContext], Worker]
"""What carries a run's tasks out in place of the crew's own worker: the cluster, say."""


@dataclass(frozen=True)
class Orchestrator:
    """Carries requests out with one crew on one model. `probe` finds out what that model can be trusted with.

    Without `hands`, tasks are carried out in this process, at most `limit` of a run at once: many, for an engine keeps its
    own line, and calls that are held back here only leave it idle.
    """

    crew: Crew
    client: ModelClient
    probe: Callable[[], Awaitable[Aptitude]]
    mode: Mode = "auto"
    limit: int = 64
    hands: Hands | None = None

    async def plan(self, request: str, ctx: RunContext, history: Sequence[Message] = ()) -> Plan:
        """The plan for a request, checked, not carried out."""
        planner = Planner(self.crew, self.client, lambda: self._aptitude(ctx), self.mode)
        return await planner.plan(request, ctx, history=history)

    async def _aptitude(self, ctx: RunContext) -> Aptitude:
        """A journalled step, so that a replay trusts the model just as far."""
        return await ctx.step("aptitude", self.probe, inputs={}, returns=Aptitude)

    async def carry_out(
        self,
        request: str,
        ctx: RunContext,
        *,
        history: Sequence[Message] = (),
        planned: PlanMade | None = None,
    ) -> RunFinished:
        """The answer to a request. With `planned`, the plan that an earlier sitting made is taken up again.

        However it ends, the run's last event says so; finished tasks keep their results.

        Raises:
            RunWaiting, StepInDoubt: a person has to say something first; nothing is held meanwhile.
            CrewgraphError: the run ended without an answer.
        """
        try:
            if planned is None:
                await ctx.emit(RunStarted(crew=self.crew.name, request=request))
                async with ctx.deadline():
                    plan = await self.plan(request, ctx, history)
                made = PlanMade(tasks=plan.tasks, strategy=plan.strategy, notes=plan.notes)
                planned = plan_again(ctx, made)
                await ctx.emit(planned)
            return await self._run(request, ctx, history, planned)
        except asyncio.CancelledError:
            await asyncio.shield(ctx.emit(RunCancelled()))
            raise
        except Suspended as waiting:  # planning itself asked a person
            await ctx.emit(RunPaused(keys=(waiting.key,), reason=waiting.question))
            raise RunWaiting(
                f"The run waits for an answer to: {waiting.question} Give it with crewgraph answer {ctx.run_id}."
            ) from None
        except (RunWaiting, StepInDoubt) as error:
            await ctx.emit(RunPaused(reason=str(error)))
            raise
        except CrewgraphError as error:
            await ctx.emit(RunErred(error=str(error), code=error.code))
            raise
        except Exception as error:
            await ctx.emit(RunErred(error=f"{type(error).__name__}: {error}", code=CrewgraphError.code))
            raise

    async def _run(
        self, request: str, ctx: RunContext, history: Sequence[Message], planned: PlanMade
    ) -> RunFinished:
        graph = TaskGraph(planned.tasks)
        reasons = planned.strategy == "model"
        own = CrewWorker(self.crew, graph, self.client, request, language_of(request), history, reasons)
        worker = self.hands(own, ctx) if self.hands is not None else own
        busy = {agent.role: agent.limit for agent in self.crew.agents if agent.limit is not None}
        results = await execute(graph, worker, ctx, limit=self.limit, agents=busy)
        finished = RunFinished(
            answer=_answer(planned.tasks, results),
            evidence=evidence(graph, results),
            seconds=round(ctx.meter.seconds, 3),
            tokens=ctx.spent.tokens,
        )
        await ctx.emit(finished)
        return finished


def evidence(graph: TaskGraph, results: Mapping[str, TaskResult]) -> tuple[str, ...]:
    """What all results rest on, each line once, in the order of the tasks."""
    ids = [
        *(task_id for task_id in graph.order if task_id in results),
        *(t for t in results if t not in graph),
    ]
    return tuple(dict.fromkeys(line for task_id in ids for line in results[task_id].evidence))


def _answer(tasks: Sequence[Task], results: Mapping[str, TaskResult]) -> str:
    """The text of the last task that has one: a condition may have passed the last ones over."""
    return next((results[task.id].text for task in reversed(tasks) if task.id in results), "")
