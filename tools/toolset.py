"""A toolset: the tools of a crew by name, and the one door through which they are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from ..runtime.context import RunContext
from ..runtime.errors import InvalidCrew, InvalidInput, ToolArgumentError
from .approval import approved
from .call import Call
from .foreign import from_langchain
from .tool import Tool


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


def _each(given: Iterable[object]) -> Iterator[object]:
    """The tools themselves, of what brings several: documents, a memory."""
    for one in given:
        bring = getattr(one, "tools", None)
        if isinstance(one, Tool | type) or not callable(bring):
            yield one
        else:
            yield from cast(Callable[[], Iterable[object]], bring)()


class Toolset(Mapping[str, Tool]):
    """Tools by name. What brings several (it has a method `tools` that always gives the same ones) may be given whole.

    Raises:
        InvalidCrew: two different tools share a name.
    """

    def __init__(self, tools: Iterable[object] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for given in _each(tools):
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

    async def call(self, name: str, arguments: Mapping[str, Any], ctx: RunContext, *, agent: str = "") -> Any:
        """Call a tool as a journalled step; its JSON result. Wrong arguments cost no step.

        Where the tool needs a person's approval it is asked for first, and told which `agent` wants the call.

        Raises:
            ToolArgumentError: the arguments do not fit; the message is the correction.
            ToolError: the tool failed.
            Rejected: a person said no.
            StepInDoubt: it is a `once` tool, and nobody knows whether the call happened.
        """
        tool = self[name]
        tool.check(arguments)
        agreed = await approved(tool, arguments, ctx, agent)
        return await Call(tool, agreed, ctx, agent).result()


__all__ = ["ToolArgumentError", "Toolset", "as_tool"]
