"""Owns `TaskTool`: a tool in CrewAI's crews whose every call is a step of the task, be it ours or CrewAI's own."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

# CrewAI is an extra: where it is not installed, checkers take its names for Any.
from crewai.tools import BaseTool  # pyright: ignore[reportMissingImports]  # an extra
from pydantic import PrivateAttr
from pydantic_core import to_jsonable_python

from ....runtime.errors import ToolError
from ....tools.tool import Tool
from ....tools.toolset import as_tool
from ..loops import ClientLoop
from ..tasks.model import TaskModel
from ..tasks.seat import Seat, current_seat
from ..tasks.thread import in_own_thread


class TaskTool(BaseTool):  # type: ignore[misc]  # Any where CrewAI is not installed
    """One tool of a crew's agents; made by `crewai_tools`, and for every tool of a crew that works on a task."""

    _origin: Any = PrivateAttr()
    _seat: Seat | None = PrivateAttr(default=None)

    def serve(self, origin: Any, seat: Seat | None) -> None:
        """Take the tool, and the seat it is called at (None: of whoever calls)."""
        self._origin = origin
        self._seat = seat

    @property
    def origin(self) -> Any:
        """The tool behind it."""
        return self._origin

    def _run(self, **given: Any) -> Any:
        seat = self._seat or current_seat()
        return ClientLoop(TaskModel(seat)).run_now(lambda: self._called(seat, given))

    async def _arun(self, **given: Any) -> Any:
        seat = self._seat or current_seat()
        return await ClientLoop(TaskModel(seat)).run(lambda: self._called(seat, given))

    async def _called(self, seat: Seat, given: dict[str, Any]) -> Any:
        # CrewAI adds a context of its own to the arguments, with ids and times in it.
        arguments = {name: given[name] for name in self.args_schema.model_fields if name in given}
        origin = self._origin
        try:
            if isinstance(origin, Tool):
                return await seat.call(origin, arguments)
            return await seat.own(self.name, arguments, lambda: _their_own(origin, arguments))
        except ToolError as error:
            return f"That did not work: {error}"


def task_tool(given: object, seat: Seat | None = None) -> TaskTool:
    """The tool with each call as a step of the seat's task, or of the task of whoever calls."""
    origin: Any = given.origin if isinstance(given, TaskTool) else given
    if isinstance(origin, BaseTool):
        kept = ("name", "description", "args_schema", "cache_function", "result_as_answer", "max_usage_count")
        made = TaskTool(**{name: getattr(origin, name) for name in kept})
    else:
        origin = as_tool(origin)
        # CrewAI would give the first result again where our tool is to be called again.
        made = TaskTool(
            name=origin.name,
            description=origin.description,
            args_schema=origin.args,
            cache_function=_never,
        )
    made.serve(origin, seat)
    return made


async def _their_own(tool: Any, arguments: dict[str, Any]) -> Any:
    def call() -> Any:
        found = tool._run(**arguments)
        return asyncio.run(found) if inspect.iscoroutine(found) else found

    return to_jsonable_python(await in_own_thread(call, f"CrewAI tool {tool.name}"), fallback=str)


def _never(arguments: Any = None, result: Any = None) -> bool:
    return False
