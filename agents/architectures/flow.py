"""Flow: how a task goes through a graph, how calls are made side by side in one of its nodes, and what bounds must be."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ...runtime.errors import BudgetExceeded, InvalidCrew

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.types import Command

    from ..desk import Desk

T = TypeVar("T")


async def walk(
    graph: CompiledStateGraph[Any, Any, Any, Any], state: Mapping[str, Any], desk: Desk, *, nodes: int
) -> dict[str, Any]:
    """The state in which a task leaves the graph, after so many nodes at most. Nodes find the desk in their context."""
    try:
        last: dict[str, Any] = await graph.ainvoke(state, {"recursion_limit": nodes + 1}, context=desk)
    except Exception as error:
        # LangGraph makes an ordinary error of a cancellation that a node raised; here it stays what it is.
        if isinstance(error.__cause__, asyncio.CancelledError):
            raise error.__cause__ from None
        raise
    return last


def onward(to: str, update: Mapping[str, Any]) -> Command[Any]:
    """What a node gives: its change of the state, and the node that is next; "end" is the end of the graph.

    It costs LangGraph about half of what an edge with a condition does.
    """
    from langgraph.graph import END
    from langgraph.types import Command

    return Command(update=dict(update), goto=END if to == "end" else to)


async def side_by_side(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of them give, in their order. They are begun in that order, and one that fails ends the others.

    Raises:
        BudgetExceeded: one of them came upon a limit; other errors as they are, the first of them.
    """
    try:
        async with asyncio.TaskGroup() as group:
            begun = [group.create_task(call) for call in calls]
    except BaseExceptionGroup as errors:
        limit, _ = errors.split(BudgetExceeded)
        raise _first(limit or errors) from None
    return [task.result() for task in begun]


def at_least_one(name: str, **bounds: int) -> None:
    """Hold an architecture's bounds to what they can be.

    Raises:
        InvalidCrew: one of them is below 1.
    """
    for bound, value in bounds.items():
        if value < 1:
            raise InvalidCrew(f"The architecture {name!r} has {bound}={value}: it must be 1 or more.")


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
