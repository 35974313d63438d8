"""The orchestrator: from a request to an answer, by planning, scheduling and gathering the evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from ..agents.aptitude import Aptitude
from ..agents.crew import Crew
from ..agents.model import Message, ModelClient
from ..agents.worker import CrewWorker
from ..runtime.budget import Budget
from ..runtime.context import RunContext
from ..runtime.errors import CrewgraphError, RunWaiting, StepInDoubt, Suspended, TaskFailed
from ..runtime.events import PlanMade, RunCancelled, RunErred, RunFinished, RunPaused, RunStarted
from ..runtime.graph import Task, TaskGraph, TaskResult, ordered
from ..runtime.journalling.row import decode
from ..runtime.reading.replay import plan_again
from ..runtime.scheduler import Growth, execute
from ..runtime.worker import Worker
from ..tools.text import language_of
from .asked import Asked
from .changing import all_tasks, changed, so_far
from .intent.unsafe import harm_in, refusal
from .plan import Plan, wrong
from .planner import REFUSED, Planner
from .services import NO_SERVICES, Services
from .ways import Mode

if TYPE_CHECKING:
    from ..agents.memory.memory import Memory

Hands = Callable[[CrewWorker, RunContext], Worker]
"""What carries a run's tasks out in place of the crew's own worker: the cluster, say."""


@dataclass(frozen=True)
class Orchestrator:
    """Carries requests out with one crew on one model. `probe` finds out what that model can be trusted with.

    Without `hands`, tasks are carried out in this process, at most `limit` of a run at once: many, for an engine keeps its
    own line, and calls that are held back here only leave it idle. `services` are what planning may use beside the model,
    `budget` what plans have to fit (left out: what the run may use).
    """

    crew: Crew
    client: ModelClient
    probe: Callable[[], Awaitable[Aptitude]]
    mode: Mode = "auto"
    limit: int = 64
    hands: Hands | None = None
    services: Services = field(default=NO_SERVICES)
    budget: Budget | None = None

    async def plan(self, request: str, ctx: RunContext, history: Sequence[Message] = ()) -> PlanMade:
        """The plan for a request, whole and checked, not carried out."""
        planner = self._planner(ctx)
        asked = await planner.asked(request, ctx, history)
        return _made(await planner.plan(asked, ctx), asked)

    def _planner(self, ctx: RunContext) -> Planner:
        aptitude = partial(self._aptitude, ctx)
        return Planner(self.crew, self.client, aptitude, self.mode, self.services, self.budget)

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
            planner = self._planner(ctx)
            if planned is None:
                await ctx.emit(RunStarted(crew=self.crew.name, request=request))
                async with ctx.deadline():
                    asked = await planner.asked(request, ctx, history)
                    growing = planner.growing(asked)
                    made = growing or _made(await planner.plan(asked, ctx), asked)
                planned = plan_again(ctx, made)
                await ctx.emit(planned)
            else:
                asked = await planner.asked_again(request, planned, ctx, history)
            return await self._to_the_end(planner, asked, ctx, planned)
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

    async def _to_the_end(
        self, planner: Planner, asked: Asked, ctx: RunContext, planned: PlanMade
    ) -> RunFinished:
        """Carry the plan out; where that fails, change it and go on, for as long as there is something useful to do."""
        if planned.strategy == REFUSED:
            answer = refusal(asked.intent.language, harm_in(asked.request))
            finished = RunFinished(
                answer=answer, seconds=round(ctx.meter.seconds, 3), tokens=ctx.spent.tokens
            )
            await ctx.emit(finished)
            return finished
        plans = [planned] if ctx.replaying else [*earlier_plans(ctx), planned]
        while True:
            try:
                results = await self._execute(planner, asked, ctx, planned)
                break
            except TaskFailed as error:
                before = so_far(plans, error)
                await planner.learn(asked, before.tasks, planned, ctx, worked=False)
                async with ctx.deadline():
                    plan = await planner.changed(replace(asked, so_far=before), ctx)
                if plan is None:
                    raise
                planned = plan_again(ctx, changed(plan, _made(plan, asked), before, planned), len(plans))
                plans.append(planned)
                await ctx.emit(planned)
        tasks = all_tasks(planned, [task for added in ctx.journal.added for task in added.tasks])
        answer = _answer(results, planned.tasks or tasks, planned.missing, asked.intent.language)
        if self.crew.memory:
            from ..agents.memory.recalling import remembered

            await remembered(self._memory, ctx, asked.request, answer, crew=self.crew.name)
        finished = RunFinished(
            answer=answer,
            evidence=evidence(tasks, results),
            seconds=round(ctx.meter.seconds, 3),
            tokens=ctx.spent.tokens,
        )
        await ctx.emit(finished)
        if len(plans) == 1:
            await planner.learn(asked, tasks, planned, ctx, worked=True)
        return finished

    @property
    def _memory(self) -> Memory | None:
        """What the crew's agents remember by: a memory of its own, or the one of whoever runs it."""
        own = self.crew.memory
        return self.services.remembers if own is True else own or None

    async def _execute(
        self, planner: Planner, asked: Asked, ctx: RunContext, planned: PlanMade
    ) -> dict[str, TaskResult]:
        graph = TaskGraph(planned.tasks)
        reasons = planned.trusted or planned.strategy == "model"
        own = CrewWorker(
            self.crew,
            graph,
            self.client,
            asked.request,
            language_of(asked.request),
            asked.history,
            reasons,
            self._memory,
        )
        worker = self.hands(own, ctx) if self.hands is not None else own
        busy = {agent.role: agent.limit for agent in self.crew.agents if agent.limit is not None}
        growth: Growth | None = planner.growth(asked, ctx, planned) if planned.growing else None
        guarded = planner.guarded(worker, ctx, planned)
        return await execute(graph, guarded, ctx, limit=self.limit, agents=busy, growth=growth)


def _made(plan: Plan, asked: Asked) -> PlanMade:
    return PlanMade(
        tasks=plan.tasks,
        strategy=plan.strategy,
        notes=(
            *plan.notes,
            *(str(finding) for finding in plan.findings if finding not in wrong(plan.findings)),
        ),
        missing=plan.missing,
        estimate=plan.estimate_json,
        intent=asked.intent.kind,
        trusted=asked.trusted,
    )


def earlier_plans(ctx: RunContext) -> list[PlanMade]:
    """The plans of a run that came before its present one."""
    return [cast(PlanMade, decode(row)) for row in ctx.journal.plans[:-1]]


def evidence(tasks: Sequence[Task], results: Mapping[str, TaskResult]) -> tuple[str, ...]:
    """What all results rest on, each line once, in the order of the tasks."""
    known = {task.id for task in tasks}
    order = ordered({task.id: [need for need in task.needs if need in known] for task in tasks})
    ids = [*(i for i in order if i in results), *(i for i in results if i not in known)]
    return tuple(dict.fromkeys(line for task_id in ids for line in results[task_id].evidence))


def _answer(
    results: Mapping[str, TaskResult], tasks: Sequence[Task], missing: Sequence[str], language: str
) -> str:
    """The text of the last task that has one: a condition may have passed the last ones over. What is missing is said."""
    text = next((results[task.id].text for task in reversed(tasks) if task.id in results), "")
    if not missing:
        return text
    head = "未能得到：" if language == "zh" else "Missing: "
    return "\n".join((text, "", *(head + line for line in missing))).strip()
