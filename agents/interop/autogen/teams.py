"""Owns `AutoGenAgent`: an AutoGen AgentChat agent or team as an agent of our crews."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import Any
from weakref import WeakKeyDictionary

# AutoGen is an extra: where it is not installed, checkers take its names for Any.
from autogen_agentchat.base import ChatAgent, Team  # pyright: ignore[reportMissingImports]  # an extra
from autogen_agentchat.base import TaskResult as TeamResult  # pyright: ignore[reportMissingImports]  # an extra
from autogen_agentchat.messages import (  # pyright: ignore[reportMissingImports]  # an extra
    BaseChatMessage,
    StopMessage,
    StructuredMessage,
    TextMessage,
)
from autogen_core import CancellationToken  # pyright: ignore[reportMissingImports]  # an extra

from ....runtime.errors import InvalidCrew
from ....runtime.events import Effect
from ...architectures.architecture import Concluded
from ...desk import Desk
from ..tasks.foreign_agent import ForeignAgent, concluded
from ..tasks.model import TaskModel
from ..tasks.seat import Seat
from . import as_autogen
from .chat import CrewgraphChatCompletionClient
from .tools import SteppedWorkbench

_GRACE_S = 1.0
"""So long a team may take to end its runtime by itself, which it does unless one of its agents hangs."""


class AutoGenAgent(ForeignAgent):
    """An `Architecture` over an agent or a team of AutoGen's; made by `autogen_agent`."""

    framework = "The AutoGen team"

    def __init__(
        self,
        made: Any,
        *,
        effects: Mapping[str, Effect] | None,
        context_tokens: int | None,
        aloud: bool,
        name: str | None,
    ) -> None:
        self._one = made if isinstance(made, ChatAgent | Team) else None
        if self._one is None and not callable(made):
            raise InvalidCrew(
                f"{type(made).__name__} is neither an AutoGen agent nor a team, nor a function that makes one of them."
            )
        own = getattr(made, "name", None) or getattr(made, "__name__", "team")
        super().__init__(name or str(own), effects=effects, aloud=aloud)
        self._make = made
        self._window = context_tokens
        self._free: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def work(self, seat: Seat) -> Concluded:
        """Its last message."""
        token = CancellationToken()
        async with self._at_hand(seat, token) as runner:
            for agent in _agents(runner):
                _bind(agent)
            return await seat.watch(
                _run(runner, seat.desk, token),
                token.cancel,
                grace=_GRACE_S if isinstance(runner, Team) else 0.0,
            )

    @contextlib.asynccontextmanager
    async def _at_hand(self, seat: Seat, token: Any) -> AsyncIterator[Any]:
        if self._one is None:
            model = as_autogen(TaskModel(seat), context_tokens=self._window, name_speakers=True)
            made = self._make(model)
            if not isinstance(made, ChatAgent | Team):
                raise InvalidCrew(
                    f"What was to make an AutoGen agent or team made a {type(made).__name__}; return one of these."
                )
            yield made
            return
        async with self._free.setdefault(seat.loop, asyncio.Lock()):
            await (self._one.reset() if isinstance(self._one, Team) else self._one.on_reset(token))
            yield self._one


async def _run(runner: Any, desk: Desk, token: Any) -> Concluded:
    said = [*((m.content, m.role) for m in desk.brief.history), (desk.asked, "user")]
    task = [TextMessage(content=content, source=source) for content, source in said]
    result: Any = None
    async with aclosing(runner.run_stream(task=task, cancellation_token=token)) as events:
        async for event in events:
            if isinstance(event, TeamResult):
                result = event
    spoken = [one for one in result.messages if isinstance(one, BaseChatMessage) and one not in task]
    last = next((one for one in reversed(spoken) if not isinstance(one, StopMessage)), None)
    if last is None:
        return Concluded("")
    return concluded(last.content if isinstance(last, StructuredMessage) else last.to_text())


def _agents(runner: Any) -> Iterator[Any]:
    """The agent, or the team and all who take part in it."""
    yield runner
    inner = getattr(runner, "_team", None)
    for part in [*(getattr(runner, "_participants", None) or ()), *([inner] if inner is not None else ())]:
        yield from _agents(part)


def _bind(agent: Any) -> None:
    client = getattr(agent, "_model_client", None)
    if client is not None and not (isinstance(client, CrewgraphChatCompletionClient) and client.serves_tasks):
        raise InvalidCrew(
            f"The AutoGen agent {getattr(agent, 'name', 'team')!r} asks a model that is not its task's, so that nothing "
            "of it would be journalled: make it with as_autogen(task_model()), or by a function that is given the model."
        )
    benches = getattr(agent, "_workbench", None)
    if benches:
        agent._workbench = [
            bench if isinstance(bench, SteppedWorkbench) else SteppedWorkbench(bench) for bench in benches
        ]
