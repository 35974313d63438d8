"""Owns tools in LangGraph's graphs: ours as langchain-core's, and those of a `ToolNode` as steps of the task."""

from __future__ import annotations

import base64
import copy
from collections.abc import Awaitable, Callable
from types import MethodType
from typing import Any, cast

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.config import get_config
from langgraph.errors import GraphInterrupt
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel
from langgraph.types import Interrupt
from pydantic import PrivateAttr
from pydantic_core import to_jsonable_python

from ....runtime.errors import InvalidRequest, ToolError
from ....tools.tool import Tool
from ....tools.toolset import as_tool
from ..loops import ClientLoop
from ..tasks.model import TaskModel
from ..tasks.seat import Broken, current_seat

Execute = Callable[[Any], Awaitable[Any]]


class TaskTool(BaseTool):
    """One of our tools in a graph; made by `langchain_tools`."""

    _tool: Tool = PrivateAttr()

    def serve(self, tool: Tool) -> None:
        """Take the tool."""
        self._tool = tool

    async def _arun(self, **arguments: Any) -> str:
        try:
            return await current_seat().call(self._tool, arguments)
        except ToolError as error:
            raise ToolException(str(error)) from error  # what the model is told, where the graph has it so

    def _run(self, **arguments: Any) -> str:
        return ClientLoop(TaskModel()).run_now(lambda: self._arun(**arguments))


def langchain_tool(given: object) -> BaseTool:
    """One tool of ours as langchain-core's."""
    tool = as_tool(given)
    made = TaskTool(
        name=tool.name, description=tool.description, args_schema=tool.args, handle_tool_error=True
    )
    made.serve(tool)
    return made


def stepping(graph: Any) -> dict[str, Any]:
    """The graph's nodes, with the calls of every `ToolNode` in them as steps of the task; the graph stays as it is."""
    return {name: _stepping(node) for name, node in graph.nodes.items()}


def _stepping(node: Any) -> Any:
    bound = node.bound
    if isinstance(bound, ToolNode):
        return node.copy({"bound": _wrapped(bound)})
    if isinstance(bound, Pregel):
        return node.copy({"bound": bound.copy({"nodes": stepping(bound)})})
    return node


def _wrapped(node: ToolNode) -> ToolNode:
    inner: Any = getattr(node, "_awrap_tool_call", None)
    made: Any = copy.copy(node)
    for door in ("func", "afunc"):  # methods of the node that it was copied from
        method = getattr(node, door, None)
        if isinstance(method, MethodType) and method.__self__ is node:
            setattr(made, door, MethodType(method.__func__, made))

    async def call(request: Any, execute: Execute) -> Any:
        if isinstance(request.tool, TaskTool) or request.tool is None:
            return await execute(request)
        return await _step(request, execute)

    async def wrapped(request: Any, execute: Execute) -> Any:
        return await inner(request, lambda other: call(other, execute))

    made._awrap_tool_call = call if inner is None else wrapped
    return cast(ToolNode, made)


async def _step(request: Any, execute: Execute) -> Any:
    called = request.tool_call

    async def carry_out() -> Any:
        try:
            return _kept(await execute(request), called["name"])
        except GraphInterrupt as interrupt:
            return {"asked": [to_jsonable_python(one.value) for one in interrupt.args[0]]}

    found = await current_seat().own(
        called["name"], called["args"], carry_out, read=lambda kept: _read(kept, called)
    )
    if isinstance(found, Broken):
        place = get_config().get("configurable", {})["checkpoint_ns"]
        raise GraphInterrupt([Interrupt.from_ns(value, place) for value in found.about])
    return found


def _kept(found: Any, tool: str) -> dict[str, Any]:
    if isinstance(found, ToolMessage):
        return {"content": to_jsonable_python(found.content), "status": found.status}
    try:
        kind, data = _serializer().dumps_typed(found)
    except Exception as error:
        raise InvalidRequest(
            f"What the tool {tool} gave, a {type(found).__name__}, cannot be kept ({error})."
        ) from error
    return {"kind": kind, "data": base64.b64encode(data).decode()}


def _read(kept: Any, called: Any) -> Any:
    if "asked" in kept:
        return Broken(kept["asked"])
    if "kind" in kept:
        return _serializer().loads_typed((kept["kind"], base64.b64decode(kept["data"])))
    return ToolMessage(kept["content"], name=called["name"], tool_call_id=called["id"], status=kept["status"])


def _serializer() -> JsonPlusSerializer:
    return JsonPlusSerializer(pickle_fallback=False)
