"""Carries out one task: a bound tool call as it is, anything else by the agent's own reasoning and writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..runtime.context import RunContext
from ..runtime.graph import Task, TaskGraph, TaskResult
from ..tools.text import Language
from ..tools.tool import Tool
from ..tools.values import Stated
from .agent import Agent
from .crew import Crew
from .model import Message, ModelClient
from .writing import Brief, fill, write


@dataclass(frozen=True)
class CrewWorker:
    """A `Worker` over a crew: what the scheduler hands every ready task to.

    `reasons` says whether the model is trusted to choose its own actions (see `aptitude`); where it is not, tasks
    rest on the tool calls that the planner bound for them.
    """

    crew: Crew
    graph: TaskGraph
    client: ModelClient
    request: str
    lang: Language
    history: Sequence[Message] = ()
    reasons: bool = False

    async def __call__(self, task: Task, ctx: RunContext) -> TaskResult:
        """The task's result.

        Raises:
            ToolError, EngineError, ModelError: the tool or the model failed; the run says which task.
        """
        if task.tool is not None:
            tool = self.crew.toolset[task.tool]
            value = await self.crew.toolset.call(task.tool, task.args, ctx, agent=task.agent or "")
            return TaskResult(
                value=value, text=said(tool, value, self.lang), evidence=tuple(shown(tool, value, self.lang))
            )
        agent = self.crew.agent(task.agent)
        brief = self._brief(task, ctx)
        evidence: tuple[str, ...] = ()
        if (
            self.reasons
            and not brief.stated
            and any(not t.combines for t in self.crew.tools_of(agent).values())
        ):
            brief, evidence = await self._gather(agent, task, brief, ctx)
        if agent.output_type is not None:
            filled = await fill(agent, task, brief, self.client, ctx)
            return TaskResult(
                value=filled.model_dump(mode="json"), text=filled.model_dump_json(indent=2), evidence=evidence
            )
        text = await write(agent, task, brief, self.client, ctx)
        return TaskResult(value=text, text=text, evidence=evidence)

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

    async def _gather(
        self, agent: Agent, task: Task, brief: Brief, ctx: RunContext
    ) -> tuple[Brief, tuple[str, ...]]:
        from .architectures.react import React

        toolset = self.crew.tools_of(agent)
        found = await React(agent, toolset, self.client, ctx).run(task, brief)
        values = [toolset[name].read(value) for name, value in found]
        typed = [v for v in values if isinstance(v, Stated)]
        plain = [
            said(toolset[n], v, self.lang) for n, v in found if not isinstance(toolset[n].read(v), Stated)
        ]
        more = Brief(
            brief.request, brief.lang, brief.history, [*brief.stated, *typed], [*brief.written, *plain]
        )
        return more, tuple(line for name, value in found for line in shown(toolset[name], value, self.lang))


def said(tool: Tool, value: Any, lang: Language) -> str:
    """A tool's JSON result in words."""
    read = tool.read(value)
    return read.statement(lang) if isinstance(read, Stated) else read if isinstance(read, str) else str(value)


def shown(tool: Tool, value: Any, lang: Language) -> list[str]:
    """The lines of evidence behind a tool's JSON result."""
    read = tool.read(value)
    return read.evidence(lang) if isinstance(read, Stated) else [f"{tool.name}: {said(tool, value, lang)}"]
