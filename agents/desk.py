"""The desk: what an agent has before it at one task, and the only ways in which it reaches its model and its tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import JsonValue

from ..runtime.context import RunContext
from ..runtime.graph import Task
from ..tools.toolset import Toolset
from .agent import Agent
from .calls import ask_model
from .crew import Crew
from .model import Message, ModelClient, ModelReply
from .writing import Brief


@dataclass(frozen=True)
class Desk:
    """One agent at one task of one run.

    `brief` is what it is given to work from, `toolset` what it may call. Everything that goes out from here is a step of
    `ctx`: it is journalled, counted against the run's budget, and read back in a replay.
    """

    agent: Agent
    crew: Crew
    client: ModelClient
    ctx: RunContext
    task: Task
    brief: Brief
    toolset: Toolset

    @property
    def asked(self) -> str:
        """The request, the task and what is known so far, as a user's message says it."""
        parts = [f"Request: {self.brief.request}"]
        if self.task.description and self.task.description not in self.brief.request:
            parts.append(f"Task: {self.task.description} {self.task.expected_output}".strip())
        if notes := self.brief.notes():
            parts.append(f"Known so far:\n{notes}")
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
        listener = aloud if callable(aloud) else self.ctx.text if aloud else None
        return await ask_model(self.ctx, self.client, request, say=listener)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> JsonValue:
        """The JSON result of one of its tools (see `Toolset.call` for what it raises)."""
        result: JsonValue = await self.toolset.call(tool, arguments, self.ctx, agent=self.agent.role)
        return result
