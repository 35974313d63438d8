"""Owns tools in AutoGen's teams: ours as AutoGen's, and the calls of its own as steps of the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# AutoGen is an extra: where it is not installed, checkers take its names for Any.
from autogen_agentchat.tools import AgentTool, TeamTool  # pyright: ignore[reportMissingImports]  # an extra
from autogen_core.tools import BaseTool, ToolResult, Workbench  # pyright: ignore[reportMissingImports]  # an extra
from pydantic import BaseModel

from ....tools.tool import Tool
from ....tools.toolset import as_tool
from ..tasks.seat import current_seat


class TaskTool(BaseTool):  # type: ignore[misc]  # Any where AutoGen is not installed
    """One tool of ours in a team; made by `autogen_tools`."""

    def __init__(self, tool: Tool) -> None:
        super().__init__(tool.args, str, tool.name, tool.description)
        self._tool = tool

    async def run(self, args: BaseModel, cancellation_token: Any) -> str:
        """What the tool says."""
        return await current_seat().call(self._tool, args.model_dump(mode="json", exclude_unset=True))


def task_tool(given: object) -> TaskTool:
    """One tool of ours as AutoGen's."""
    return TaskTool(as_tool(given))


class SteppedWorkbench(Workbench):  # type: ignore[misc]  # Any where AutoGen is not installed
    """A workbench of which each call is a step of the task of whoever calls."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def list_tools(self) -> Any:
        """The tools of the inner one."""
        return await self.inner.list_tools()

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: Any = None,
        call_id: str | None = None,
    ) -> Any:
        """What the tool gives, or gave."""

        async def call() -> Any:
            return await self.inner.call_tool(name, arguments, cancellation_token, call_id)

        if self._makes_its_own_steps(name):
            return await call()

        async def kept() -> Any:
            return (await call()).model_dump(mode="json")

        return await current_seat().own(name, arguments or {}, kept, read=ToolResult.model_validate)

    async def start(self) -> None:
        """Start the inner one."""
        await self.inner.start()

    async def stop(self) -> None:
        """Stop the inner one."""
        await self.inner.stop()

    async def reset(self) -> None:
        """Reset the inner one."""
        await self.inner.reset()

    async def save_state(self) -> Any:
        """The inner one's state."""
        return await self.inner.save_state()

    async def load_state(self, state: Any) -> None:
        """Give the inner one a state."""
        await self.inner.load_state(state)

    def _makes_its_own_steps(self, name: str) -> bool:
        """Ours, and agents that are tools: their calls are the steps."""
        tools = getattr(self.inner, "_tools", None) or ()
        tool = next((one for one in tools if one.name == name), None)
        return isinstance(tool, TaskTool | AgentTool | TeamTool)
