"""Owns `function_agent`: a plain async function as an agent of a crew."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ....runtime.errors import InvalidCrew
from ....runtime.events import Effect
from ...architectures.architecture import Architecture, Concluded
from .foreign_agent import ForeignAgent, concluded
from .seat import Seat


class FunctionAgent(ForeignAgent):
    """An `Architecture` over one async function; made by `function_agent`."""

    def __init__(
        self, fn: Callable[[Any], Awaitable[Any]], *, whole: Effect | None, name: str, aloud: bool
    ) -> None:
        super().__init__(name, effects=None, aloud=aloud)
        self._fn = fn
        self._whole: Effect | None = whole
        self._takes_desk = _takes_desk(fn)

    async def work(self, seat: Seat) -> Concluded:
        """What the function gives for the desk, or for what is asked."""
        given: Any = seat.desk if self._takes_desk else seat.desk.asked
        if self._whole is None:
            return concluded(await self._fn(given))

        async def whole() -> dict[str, Any]:
            found = concluded(await self._fn(given))
            return {"text": found.text, "value": found.value}

        step = seat.ctx.step(
            f"function:{self.name}", whole, inputs={"asked": seat.desk.asked}, effect=self._whole
        )
        done: Any = await step
        return Concluded(done["text"], value=done["value"])


def function_agent(
    fn: Callable[[Any], Awaitable[Any]],
    *,
    effect: Effect | None = None,
    name: str | None = None,
    aloud: bool = False,
) -> Architecture:
    """An async function as an agent's way of working: ``Agent("clerk", "…", architecture=function_agent(file_it))``.

    It is given what is asked as a text, or the `Desk` where its parameter is annotated so or called ``desk``, and gives
    back a text, anything that is JSON, or a `Concluded`. What it does by the desk (`say`, `call`, `ctx.step`) and by
    `task_model` is journalled; other effects in it are not, and are done again when the task begins again: with `effect`
    the whole function is one step of that kind, which then takes none of its own. `aloud` shows what its model writes.

    Raises:
        InvalidCrew: it is no async function of one parameter.
    """
    if not (
        inspect.iscoroutinefunction(fn) or (callable(fn) and inspect.iscoroutinefunction(type(fn).__call__))
    ):
        raise InvalidCrew(
            f"{getattr(fn, '__name__', fn)!r} is no async function: write `async def`, with one parameter."
        )
    if len(_needed(fn)) != 1:
        raise InvalidCrew(
            f"{getattr(fn, '__name__', fn)!r} takes {len(_needed(fn))} parameters, and an agent's function takes one: "
            "the text that is asked, or the desk."
        )
    own = name or str(getattr(fn, "__name__", "function"))
    return FunctionAgent(fn, whole=effect, name=own, aloud=aloud)


def _needed(fn: Callable[..., Any]) -> list[inspect.Parameter]:
    every = list(inspect.signature(fn).parameters.values())
    must = [
        one
        for one in every
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    return must or every[:1]


def _takes_desk(fn: Callable[..., Any]) -> bool:
    first = _needed(fn)[0]
    named = (
        first.annotation if isinstance(first.annotation, str) else getattr(first.annotation, "__name__", "")
    )
    return first.name == "desk" or named.rpartition(".")[2] == "Desk"
