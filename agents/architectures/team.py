"""A team: whom a manager leads, how one of them gets a piece of the work, and how many calls all make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ..agent import Agent
from ..desk import Desk, tools_at
from ..model import ModelReply
from ..working.delegation import Waiting
from ..working.shift import Shift
from . import architecture_of
from .architecture import Concluded


class CallsUsedUp(Exception):
    """The team has made as many model calls as it may. It ends a colleague's work, and not the manager's."""


class Calls:
    """How many model calls are left; those of a team within a team count for both."""

    def __init__(self, left: int, within: Calls | None = None) -> None:
        self._left = left
        self._within = within

    def take(self) -> None:
        """Count one more. Raises `CallsUsedUp`: there is none left."""
        if self._left <= 0:
            raise CallsUsedUp("the team has made as many model calls as it may")
        if self._within is not None:
            self._within.take()
        self._left -= 1


@dataclass(frozen=True)
class CountedDesk(Desk):
    """A desk whose model calls are counted, also those that are read back; `plain` is the manager's without the count."""

    plain: Desk
    calls: Calls

    @classmethod
    def over(cls, desk: Desk, most: int) -> CountedDesk:
        """The desk, with so many calls at most for everybody who works at it or at one made from it."""
        within = desk.calls if isinstance(desk, CountedDesk) else None
        given = {field.name: getattr(desk, field.name) for field in fields(Desk)}
        return cls(**given, plain=desk, calls=Calls(most, within))

    async def say(self, *args: Any, **named: Any) -> ModelReply:
        """What the agent's model replies (see `Desk.say`). Raises `CallsUsedUp` too."""
        self.calls.take()
        return await super().say(*args, **named)


def colleagues_of(desk: Desk) -> list[Agent]:
    """Whom the agent may give work to: those it delegates to by name, else everybody else in the crew."""
    others = [one for one in desk.crew.agents if one.role != desk.agent.role]
    named = desk.agent.delegates
    return others if isinstance(named, bool) else [one for one in others if one.role in named]


async def handed(desk: Desk, role: str, instruction: str, results: Sequence[str], depth: int) -> Concluded:
    """What a colleague comes to with a piece of the task, in its own way, at a desk of its own.

    It knows the request and what the others came to. Whoever gave it the piece is no colleague at its desk, so that
    nothing goes round in a circle; at the last level one who leads others works alone.
    """
    from .supervisor import Supervisor

    colleague = desk.crew.agent(role)
    others = tuple(one for one in desk.crew.agents if one.role != desk.agent.role)
    crew = desk.crew.among(others)
    waiting = (*desk.waiting, Waiting(desk.agent.role, instruction, role))
    own = replace(
        desk,
        agent=colleague,
        crew=crew,
        task=desk.task.model_copy(
            update={"description": instruction, "expected_output": "", "agent": role, "tool": None}
        ),
        brief=replace(desk.brief, history=(), written=[*desk.brief.written, *results], refusal=None),
        toolset=tools_at(colleague, crew, waiting),
        waiting=waiting,
        had=(),
    )
    way = architecture_of(colleague, own)
    if isinstance(way, Supervisor):
        alone = depth <= 1 or not colleagues_of(own)
        way = (
            architecture_of(replace(colleague, architecture=None), own)
            if alone
            else replace(way, depth=min(way.depth, depth - 1))
        )
    return await Shift(own, architecture=way, asked=True).concluded()
