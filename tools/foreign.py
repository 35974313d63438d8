"""Foreign tools: those of langchain-core, taken as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ..runtime.errors import InvalidCrew, ToolError
from .options import options_of
from .tool import Tool

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool


def from_langchain(base: BaseTool) -> Tool:
    """A langchain-core tool as one of ours: same name, description and arguments; its result is taken as text or JSON.

    Its effect is taken as `once`, for langchain tools do not say; wrap it with `dataclasses.replace` to say more.
    So only its own `ToolException` says that nothing has happened; any other error leaves the call in doubt.
    """
    schema = base.tool_call_schema
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        raise InvalidCrew(
            f"The langchain tool {base.name!r} has no pydantic argument schema: give it one (args_schema=…)."
        )

    async def run(**values: Any) -> Any:
        from langchain_core.tools import ToolException

        try:
            return await base.ainvoke(values)
        except ToolException as error:
            raise ToolError(f"The tool {base.name} failed: {error}") from error

    return Tool(base.name, base.description, schema, Any, run, "once", options_of(schema), origin=base)
