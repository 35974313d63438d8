"""Carries out one task: a bound tool call as it is, anything else by the agent's own reasoning and writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..runtime.context import RunContext
from ..runtime.graph import Task, TaskGraph, TaskResult
from ..tools.text import Language
from ..tools.toolset import Toolset
from ..tools.values import Stated
from .agent import Agent
from .crew import Crew, Process
from .desk import Desk, desk_tools
from .guarding.refused import OutputRefused
from .model import Message, ModelClient
from .working.permission import permitted
from .working.saying import said, shown
from .working.shift import Shift, held, lines_of, with_seen
from .writing import Brief, fill, write

if TYPE_CHECKING:
    from .memory.memory import Memory


@dataclass(frozen=True)
class CrewWorker:
    """A `Worker` over a crew: what the scheduler hands every ready task to.

    `reasons` says whether the model is trusted to choose its own actions (see `aptitude`); where it is not, tasks
    rest on the tool calls that the planner bound for them. `memory` is what a crew with a memory recalls from.
    """

    crew: Crew
    graph: TaskGraph
    client: ModelClient
    request: str
    lang: Language
    history: Sequence[Message] = ()
    reasons: bool = False
    memory: Memory | None = None

    async def __call__(self, task: Task, ctx: RunContext) -> TaskResult:
        """The task's result, once its guardrails let it pass.

        Raises:
            ToolError, EngineError, ModelError: the tool or the model failed; the run says which task.
            OutputRefused: a guardrail refuses what the agent gives, and all its corrections.
        """
        agent = self.crew.agent(task.agent)
        if agent.allowance is None or task.allowance is not None:
            return await self._carry_out(agent, task, ctx)
        ctx = ctx.for_task(task.id, ctx.results, allowance=agent.allowance)
        async with ctx.deadline():
            return await self._carry_out(agent, task, ctx)

    async def _carry_out(self, agent: Agent, task: Task, ctx: RunContext) -> TaskResult:
        guardrails = self._guardrails(task)
        if task.tool is not None:
            return await self._called(agent, task, task.tool, ctx, guardrails)
        desk = self._desk(agent, task, ctx)
        if self.crew.memory:
            desk = await self._remembering(desk)
        if self.crew.process == Process.conversation:
            from .working.conversation import turn

            return await turn(desk, guardrails, ctx.journal.added)
        more = desk_tools(agent, self.crew)
        if agent.architecture is not None or more:
            if more:
                desk = replace(desk, toolset=Toolset([*desk.toolset.values(), *more]))
            return await Shift(desk, guardrails).work()
        gathered: list[tuple[Brief, tuple[str, ...]]] = []

        async def write_it(desk: Desk) -> TaskResult:
            """What was gathered once is written, and written again where it is refused."""
            if not gathered:
                gathered.append(await self._gathered(desk))
            brief, evidence = gathered[0]
            return await _written(replace(desk, brief=replace(brief, refusal=desk.brief.refusal)), evidence)

        return await Shift(desk, guardrails, write_it).work()

    def _desk(self, agent: Agent, task: Task, ctx: RunContext) -> Desk:
        toolset = self.crew.tools_of(agent)
        return Desk(agent, self.crew, self.client, ctx, task, self._brief(task, ctx), toolset)

    async def _remembering(self, desk: Desk) -> Desk:
        """The desk with what is remembered of earlier runs beside the request."""
        from .memory.recalling import recalled

        found = await recalled(
            self.memory, desk.ctx, self.request, agent=desk.agent.role, crew=self.crew.name
        )
        return replace(desk, brief=replace(desk.brief, recalled=found.notes(self.lang)))

    async def _called(
        self, agent: Agent, task: Task, name: str, ctx: RunContext, guardrails: Sequence[Any]
    ) -> TaskResult:
        """A bound call, as it is. Nobody could correct what a tool gives: a guardrail of the task refuses it or not."""
        tool = self.crew.toolset[name]
        if task.agent is not None:
            permitted(agent, tool)
        value = await self.crew.toolset.call(name, task.args, ctx, agent=task.agent or "")
        evidence = tuple(shown(tool, value, self.lang))
        result = TaskResult(value=value, text=said(tool, value, self.lang), evidence=evidence)
        if not guardrails:
            return result
        refusal, rail, result = await held(result, guardrails, self._desk(agent, task, ctx))
        if refusal is not None:
            raise OutputRefused.of(name, rail, refusal, 1)
        return result

    def _guardrails(self, task: Task) -> Sequence[Any]:
        """Those of the task; of an entry of a list, those of the task that it is an entry of."""
        if not self.crew.guardrails:
            return ()
        head, _, number = task.id.rpartition(".")
        is_entry = number.isdigit() and head in self.graph and self.graph[head].each is not None
        whole = head if is_entry else task.id
        return self.crew.guardrails.get(task.id, self.crew.guardrails.get(whole, ()))

    def _brief(self, task: Task, ctx: RunContext) -> Brief:
        """What stands before the task: typed results of its tool calls, texts of its colleagues.

        A figure that went into a comparison is not stated again beside it.
        """
        known = {other: self._task(other, ctx) for other in ctx.results}
        used = {need for t in known.values() if t.tool for need in t.refers_to}
        stated: list[Stated] = []
        written: list[str] = []
        for need, result in ctx.results.items():
            tool_name = known[need].tool
            if tool_name is None or known[need].each is not None:
                written.append(result.text)
            elif need not in used:
                value = self.crew.toolset[tool_name].read(result.value)
                if isinstance(value, Stated):
                    stated.append(value)
                else:
                    written.append(result.text)
        return Brief(self.request, self.lang, self.history, stated, written)

    def _task(self, task_id: str, ctx: RunContext) -> Task:
        """A task of the plan, or one that the graph has grown by."""
        if task_id in self.graph:
            return self.graph[task_id]
        added = (task for event in ctx.journal.added for task in event.tasks)
        return next(task for task in added if task.id == task_id)

    async def _gathered(self, desk: Desk) -> tuple[Brief, tuple[str, ...]]:
        """The brief with what a trusted model looked up before it writes, and the evidence of that."""
        brief = desk.brief
        if not self.reasons or brief.stated or all(tool.combines for tool in desk.toolset.values()):
            return brief, ()
        from .architectures.react import React

        seen = await React().gather(desk)
        return with_seen(brief, seen, desk), tuple(lines_of(seen, desk))


async def _written(desk: Desk, evidence: tuple[str, ...]) -> TaskResult:
    agent, task, brief = desk.agent, desk.task, desk.brief
    if agent.output_type is not None:
        filled = await fill(agent, task, brief, desk.client, desk.ctx)
        return TaskResult(
            value=filled.model_dump(mode="json"), text=filled.model_dump_json(indent=2), evidence=evidence
        )
    text = await write(agent, task, brief, desk.client, desk.ctx)
    return TaskResult(value=text, text=text, evidence=evidence)
