"""Owns `ForeignAgent`: what is the same of every other framework's agent taken as an `Architecture`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, JsonValue
from pydantic_core import to_jsonable_python

from ....runtime.events import Effect
from ...agent import Agent
from ...architectures.architecture import Concluded
from ...desk import Desk
from .seat import Seat


class ForeignAgent(ABC):
    """An agent that reasons in its own framework; subclasses write `work`. It is an `Architecture`.

    It keeps nothing of a task: a task that was broken off begins again, and its steps are read back from the journal.
    """

    framework = "The function"

    def __init__(self, name: str, *, effects: Mapping[str, Effect] | None, aloud: bool) -> None:
        self._name = name
        self._effects: Mapping[str, Effect] = effects or {}
        self._aloud = aloud

    @property
    def name(self) -> str:
        """What it is called in crews, tables and drawings."""
        return self._name

    def most_calls(self, agent: Agent) -> int | None:
        """Nobody can tell: the framework decides."""
        return None

    async def conclude(self, desk: Desk) -> Concluded:
        """What the framework comes to.

        Raises:
            EngineError, ModelError, ToolError: what it needed could not be had.
            BudgetExceeded: the run or the task has used up what it may.
            TaskFailed: the framework failed; the message holds its words.
        """
        async with Seat(desk, of=self.framework, effects=self._effects, aloud=self._aloud) as seat:
            concluded = await self.work(seat)
        return replace(concluded, seen=(*concluded.seen, *seat.seen))

    @abstractmethod
    async def work(self, seat: Seat) -> Concluded:
        """What it comes to, at this seat."""


def concluded(found: object) -> Concluded:
    """Whatever a framework gives back, as words and, where it is more than words, a JSON value."""
    if isinstance(found, Concluded):
        return found
    if isinstance(found, str):
        return Concluded(found)
    if found is None:
        return Concluded("")
    value: JsonValue = to_jsonable_python(found)
    words: Any = found.model_dump_json(indent=2) if isinstance(found, BaseModel) else value
    return Concluded(words if isinstance(words, str) else _json(words), value=value)


def _json(value: JsonValue) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
