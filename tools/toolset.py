"""A toolset: the tools of a crew by name, and the one door through which they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..runtime.budget import Cost
from ..runtime.context import RunContext
from ..runtime.errors import InvalidCrew, InvalidInput, ToolArgumentError
from .tool import Tool, from_langchain


def as_tool(given: object) -> Tool:
    """A tool of ours as it is, a langchain-core tool wrapped.

    Raises:
        InvalidCrew: it is neither.
    """
    if isinstance(given, Tool):
        return given
    if hasattr(given, "tool_call_schema") and hasattr(given, "ainvoke"):
        return from_langchain(given)  # type: ignore[arg-type]  # checked by shape, so that langchain need not be imported
    hint = "put @tool above it" if callable(given) else "use @tool on a function, or a langchain-core tool"
    raise InvalidCrew(f"{getattr(given, '__name__', given)!r} is not a tool: {hint}.")


class Toolset(Mapping[str, Tool]):
    """Tools by name.

    Raises:
        InvalidCrew: two different tools share a name.
    """

    def __init__(self, tools: Iterable[object] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for given in tools:
            name = getattr(given, "name", None)
            known = self._tools.get(name) if isinstance(name, str) else None
            if known is not None and (known is given or known.origin is given):
                continue
            tool = as_tool(given)
            if self._tools.setdefault(tool.name, tool) is not tool:
                raise InvalidCrew(f"Two tools are called {tool.name!r}: rename one of them.")

    def __getitem__(self, name: str) -> Tool:
        try:
            return self._tools[name]
        except KeyError:
            raise InvalidInput(
                f"There is no tool {name!r} here; there are: {', '.join(self._tools) or 'none'}."
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    async def call(self, name: str, arguments: Mapping[str, Any], ctx: RunContext) -> Any:
        """Call a tool as a journalled step; its JSON result. Wrong arguments cost no step.

        Raises:
            ToolArgumentError: the arguments do not fit; the message is the correction.
            ToolError: the tool failed.
        """
        tool = self[name]
        tool.check(arguments)
        return await ctx.step(
            f"tool:{name}",
            lambda: tool.call(arguments),
            inputs=dict(arguments),
            effect=tool.effect,
            cost=lambda _: Cost(tool_calls=1),
            reserve=Cost(tool_calls=1),
        )


__all__ = ["ToolArgumentError", "Toolset", "as_tool"]
