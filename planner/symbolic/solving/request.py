"""What a solver is asked and what it answers, as they go over the pipe and into the journal."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from ..problem import Problem
from ..recipes import Recipe

Engine = Literal["recipes", "fast-downward-best", "fast-downward", "pyperplan", "tamer"]
"""Known recipes (gtpyhop); Fast Downward's A* with LM-cut, which proves its plan the cheapest; its LAMA, which takes the
first; Pyperplan, in Python alone; Tamer, which knows durations."""

Status = Literal["solved", "unsolvable", "unsolved", "late", "missing"]
"""A plan; proof that there is none; none found, which proves nothing; out of time; that engine is not installed."""


class Request(BaseModel):
    """A problem, the engine that is to solve it, and the seconds that it has.

    `costs` are whole numbers for each operator, by its place; what they add up to is made small where an engine can.
    `timed` asks for a plan in time by the operators' seconds.
    """

    model_config = ConfigDict(frozen=True)

    problem: Problem
    engine: Engine
    costs: tuple[int, ...] = ()
    timed: bool = False
    recipes: tuple[Recipe, ...] = ()
    limit: float = 30.0


class Reply(BaseModel):
    """What came of it: the steps, each an operator's name and its things; whether none is cheaper; what else is to be said."""

    model_config = ConfigDict(frozen=True)

    status: Status
    steps: tuple[tuple[str, tuple[str, ...]], ...] = ()
    cheapest: bool = False
    said: str = ""


INSTALL = "pip install 'crewgraph[symbolic]'"
"""What to do where the planners are missing."""

REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
