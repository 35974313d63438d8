"""The one protocol behind which every way of planning stands."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from ...runtime.context import RunContext
from ...runtime.graph import Task
from ...runtime.scheduling.ending import Settled
from ..asked import Asked
from ..plan import Plan


@runtime_checkable
class Strategy(Protocol):
    """Makes a plan for what is asked. Whoever calls it holds the plan against the checker; it may do so itself before.

    Effects (model calls above all) go through `ctx`, so that a plan is made once, and read back afterwards.
    """

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """The plan.

        Raises:
            InvalidPlan: there is none by this way; the message says why (`Unreachable`: by no way).
            EngineError: the model was needed and did not answer.
        """
        ...


class Seen(Protocol):
    """How the tasks fare that a streaming strategy has given so far."""

    async def settled(self) -> Settled:
        """Waits until each of them has ended or will not be begun, and says what came of all."""
        ...


@runtime_checkable
class Streaming(Strategy, Protocol):
    """A strategy whose tasks can be begun while it is still writing the rest."""

    def stream(self, asked: Asked, ctx: RunContext, seen: Seen) -> AsyncGenerator[Task, None]:
        """Each task as soon as it is whole and passes the checker; it refers only to those before it. The last one
        answers. Raises as `plan` does, where the tasks given so far stand.

        A sitting that was broken off streams again from the beginning, with the same first call of the model, so that a
        replay finds it; `asked.so_far` then holds the tasks that were given before (in a replay: all of them). Where the
        model now writes others, the given ones stand, and the rest is asked for anew with them before it.
        """
        ...
