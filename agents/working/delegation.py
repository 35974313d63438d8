"""Delegation: asking a colleague, and handing one's task to one, with a limit to both and never in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, create_model

from ...runtime.errors import ToolError
from ...tools.text import tokens
from .desk_tool import DeskTool, desk_tool

if TYPE_CHECKING:
    from ..agent import Agent
    from ..architectures.architecture import Concluded
    from ..crew import Crew
    from ..desk import Desk

ASK = "ask_colleague"
HAND_OFF = "hand_off"
DELEGATION = (ASK, HAND_OFF)

_SAME = 0.6
_SHOWN = 80


@dataclass(frozen=True)
class Waiting:
    """Somebody who waits for an answer: the role, and what was asked of whom (of the first one: the task itself)."""

    role: str
    asked: str
    of: str


class HandedOff(BaseException):
    """Control signal: the agent has given its task to a colleague, and its own way of working is left.

    Not an `Exception`, so that no architecture swallows it (see `Suspended`, by which a task waits for a person).
    """

    def __init__(self, colleague: str, why: str) -> None:
        super().__init__(f"handed off to {colleague}")
        self.colleague = colleague
        self.why = why


def colleagues(agent: Agent, crew: Crew) -> list[Agent]:
    """Whom an agent may ask and hand its task to."""
    others = [one for one in crew.everyone if one.role != agent.role]
    if isinstance(agent.delegates, bool):
        return others if agent.delegates else []
    return [one for one in others if one.role in agent.delegates]


def delegation_tools(
    agent: Agent, crew: Crew, waiting: Sequence[Waiting] = (), had: Iterable[str] = ()
) -> list[DeskTool]:
    """The tools of an agent that delegates: none at the limit of the depth, and none for who has nobody left."""
    may = colleagues(agent, crew)
    if not may:
        return []
    asks, hands = _arguments(tuple(one.role for one in may))
    listed = "; ".join(one.description for one in may)
    tools: list[DeskTool] = []
    if len(waiting) < crew.depth:
        said = f"Ask a colleague, who sees only your question, so say all that it takes. Colleagues: {listed}"
        tools.append(desk_tool(ASK, said, asks, _ask))
    if any(one.role not in had for one in may):
        said = f"Give your whole task to a colleague who is better at it; you are done then. Colleagues: {listed}"
        tools.append(desk_tool(HAND_OFF, said, hands, _hand_off))
    return tools


@lru_cache(maxsize=256)
def _arguments(roles: tuple[str, ...]) -> tuple[type[BaseModel], type[BaseModel]]:
    who: Any = (Literal[roles], Field(description="The colleague's role."))
    return (
        create_model(ASK, colleague=who, question=(str, Field(min_length=1))),
        create_model(HAND_OFF, colleague=who, why=(str, "")),
    )


async def _ask(desk: Desk, given: dict[str, Any]) -> str:
    return (await asked(desk, given["colleague"], given["question"])).text


async def asked(desk: Desk, colleague: str, question: str) -> Concluded:
    """What a colleague comes to who is asked from this desk. All its steps are the task's.

    Raises:
        ToolError: it may not be asked that; the sentence says why, and what to do instead.
    """
    refuse_circle(desk, colleague, question)
    from .shift import Shift

    waiting = (*desk.waiting, Waiting(desk.agent.role, question, colleague))
    said = question if len(question) <= _SHOWN else question[: _SHOWN - 1] + "…"
    await desk.ctx.note(f"{desk.agent.role} asks {colleague}: {said}")
    whole = f"The {desk.agent.role} asks you this, who works on: {desk.brief.request}"
    return await Shift(desk.beside(colleague, question, whole, waiting=waiting), asked=True).concluded()


def refuse_circle(desk: Desk, colleague: str, question: str) -> None:
    """Nothing, where a colleague may be asked this from here.

    Raises:
        ToolError: it would go too deep, or in a circle.
    """
    if colleague == desk.agent.role:
        raise ToolError(f"You are the {colleague}: do it yourself, or ask somebody else.")
    if len(desk.waiting) >= desk.crew.depth:
        raise not_from_here(desk)
    for one in desk.waiting:
        if one.role == colleague and like(question, one.asked):
            raise ToolError(
                f"The {colleague} is waiting for you to answer just that: answer it from what you know, "
                "or ask somebody else."
            )
        if one.of == colleague and like(question, one.asked):
            raise ToolError(
                f"The {colleague} has been asked just that already and is at work on it: answer from what you know."
            )


def not_from_here(desk: Desk) -> ToolError:
    """The sentence for who delegates where that is not possible any more."""
    chain = " → ".join([*(one.role for one in desk.waiting), desk.agent.role])
    return ToolError(
        f"Nobody may be asked, and nothing handed on, from here ({chain}): answer from what you know."
    )


def like(one: str, other: str) -> bool:
    """Whether two questions are about the same thing: most of their words that count are the same."""
    a, b = set(tokens(one)), set(tokens(other))
    if not a or not b:
        return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()
    return len(a & b) >= _SAME * min(len(a), len(b))


async def _hand_off(desk: Desk, given: dict[str, Any]) -> str:
    colleague = given["colleague"]
    if colleague in desk.had or colleague == desk.agent.role:
        raise ToolError(
            f"The {colleague} has had this task already and gave it on: do it yourself, or ask somebody else."
        )
    raise HandedOff(colleague, given["why"])
