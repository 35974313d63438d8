"""The desk: what an agent has before it at one task, and the only ways in which it reaches its model and its tools."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import JsonValue

from ..runtime.context import RunContext
from ..runtime.graph import Task
from ..tools.toolset import Toolset
from .agent import Agent
from .calls import ask_model
from .crew import Crew
from .model import Message, ModelClient, ModelReply
from .working.blackboard import Blackboard
from .working.delegation import DELEGATION, Waiting, delegation_tools, not_from_here
from .working.desk_tool import DeskTool
from .working.permission import permitted
from .writing import Brief


@dataclass
class Memo:
    """What is remembered of one task for as long as it is worked on, by all desks at it.

    `evidence` is that of colleagues who were asked, `effects` the calls with an effect that were made, each with its
    result, `kept` those of earlier attempts, which are given again instead of made again.
    """

    evidence: list[tuple[str, ...]] = field(default_factory=list)
    effects: list[tuple[str, JsonValue]] = field(default_factory=list)
    kept: dict[str, deque[JsonValue]] = field(default_factory=dict)
    counted: list[str] = field(default_factory=list)

    def mark(self) -> tuple[int, int]:
        """Where a piece of work begins."""
        return len(self.effects), len(self.counted)

    def again(self, mark: tuple[int, int]) -> None:
        """The work that began there begins again: what it has done is not done twice."""
        effects, counted = mark
        since: dict[str, deque[JsonValue]] = {}
        for call, value in self.effects[effects:]:
            since.setdefault(call, deque()).append(value)
        self.kept |= since
        del self.counted[counted:]


@dataclass(frozen=True)
class Desk:
    """One agent at one task of one run.

    `brief` is what it is given to work from, `toolset` what it may call. Everything that goes out from here is a step of
    `ctx`: it is journalled, counted against the run's budget, and read back in a replay. `waiting` are those who wait for
    what it comes to, `had` who had the task before and handed it on.
    """

    agent: Agent
    crew: Crew
    client: ModelClient
    ctx: RunContext
    task: Task
    brief: Brief
    toolset: Toolset
    waiting: tuple[Waiting, ...] = field(default=(), kw_only=True)
    had: tuple[str, ...] = field(default=(), kw_only=True)
    memo: Memo = field(default_factory=Memo, kw_only=True, repr=False)

    @property
    def asked(self) -> str:
        """The request, the task and what is known so far, as a user's message says it; what is remembered; what was wrong."""
        parts = [f"Request: {self.brief.request}"]
        if self.task.description and self.task.description not in self.brief.request:
            parts.append(f"Task: {self.task.description} {self.task.expected_output}".strip())
        if notes := self.brief.notes():
            parts.append(f"Known so far:\n{notes}")
        if self.brief.recalled:
            parts.insert(0, self.brief.recalled)
        if self.brief.refusal is not None:
            parts.append(self.brief.refusal.told())
        return "\n\n".join(parts)

    async def say(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        schema: dict[str, Any] | None = None,
        choices: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int | None = 0,
        aloud: bool | Callable[[str], None] = False,
    ) -> ModelReply:
        """What the agent's model replies. `aloud` shows it to whoever listens, as it is written; or gives it to a function.

        Raises:
            EngineError, ModelError: there is no usable reply.
            BudgetExceeded: the run or the task has used up what it may.
        """
        request = self.agent.asks(messages, max_tokens=max_tokens, schema=schema)
        request = replace(request, choices=tuple(choices), temperature=temperature, seed=seed)
        listener = aloud if callable(aloud) else self.ctx.text if aloud and not self.waiting else None
        return await ask_model(self.ctx, self.client, request, say=listener)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> JsonValue:
        """The JSON result of one of its tools (see `Toolset.call` for what it raises).

        A call with an effect that an earlier attempt at this task made is not made again: its result is given.

        Raises:
            ToolError: its effect is beyond what the agent `may`; nothing was called.
        """
        if tool not in self.toolset and tool in self.crew.toolset:
            permitted(self.agent, self.crew.toolset[tool])
        if tool not in self.toolset and tool in DELEGATION:
            raise not_from_here(self)
        found = self.toolset[tool]
        if isinstance(found, DeskTool):
            given: JsonValue = await found.at_desk(self, found.values(arguments))
            return given
        permitted(self.agent, found)
        if found.effect == "read_only":
            result: JsonValue = await self.toolset.call(tool, arguments, self.ctx, agent=self.agent.role)
            return result
        call = json.dumps([self.agent.role, tool, dict(arguments)], sort_keys=True, default=str)
        if kept := self.memo.kept.get(call):
            return kept.popleft()
        value: JsonValue = await self.toolset.call(tool, arguments, self.ctx, agent=self.agent.role)
        self.memo.effects.append((call, value))
        return value

    def counted(self, what: str) -> int:
        """How often this was done before at the task, in this attempt."""
        before = self.memo.counted.count(what)
        self.memo.counted.append(what)
        return before

    def beside(
        self,
        role: str,
        question: str,
        description: str = "",
        *,
        waiting: tuple[Waiting, ...] | None = None,
        written: Sequence[str] = (),
    ) -> Desk:
        """The desk of a colleague at the same task, who is asked something and has `written` to work from."""
        agent = self.crew.agent(role)
        task = self.task.model_copy(
            update={"description": description, "expected_output": "", "agent": role, "tool": None}
        )
        waits = self.waiting if waiting is None else waiting
        return replace(
            self,
            agent=agent,
            task=task,
            brief=Brief(question, self.brief.lang, (), (), tuple(written)),
            toolset=tools_at(agent, self.crew, waits),
            waiting=waits,
            had=(),
        )

    def handed_to(self, role: str, why: str) -> Desk:
        """The desk of a colleague who gets the task itself, as it is."""
        agent, had = self.crew.agent(role), (*self.had, self.agent.role)
        reason = f"The {self.agent.role} hands this to you{f': {why}' if why else '.'}"
        written = [*self.brief.written, reason]
        return replace(
            self,
            agent=agent,
            brief=replace(self.brief, written=written, refusal=None),
            toolset=tools_at(agent, self.crew, self.waiting, had),
            had=had,
        )


def tools_at(
    agent: Agent, crew: Crew, waiting: tuple[Waiting, ...] = (), had: tuple[str, ...] = ()
) -> Toolset:
    """What an agent may call at a task: its tools, and what it may do with colleagues and the board."""
    own = crew.tools_of(agent)
    more = desk_tools(agent, crew, waiting, had)
    return Toolset([*own.values(), *more]) if more else own


def desk_tools(
    agent: Agent, crew: Crew, waiting: tuple[Waiting, ...] = (), had: tuple[str, ...] = ()
) -> list[DeskTool]:
    """What an agent may do with its colleagues and on the board."""
    board: Blackboard | None = crew.board
    posting = board.tools_of(agent) if board is not None else []
    return [*delegation_tools(agent, crew, waiting, had), *posting]
