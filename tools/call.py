"""A call: one call of a tool in a run, journalled as a step, made again where that is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..runtime.budget import Cost
from ..runtime.errors import CrewgraphError, InvalidInput, ToolArgumentError, ToolError
from ..runtime.stepping.doubt import Finding, Happened
from .caller import Caller
from .effects import IdempotencyKey, given
from .wrappers import in_thread

if TYPE_CHECKING:
    from ..runtime.context import RunContext
    from .tool import Tool

_ONE = Cost(tool_calls=1)


class Call:
    """One call of a tool: the arguments are checked and agreed to already."""

    def __init__(self, tool: Tool, arguments: Mapping[str, Any], ctx: RunContext, agent: str = "") -> None:
        self._tool = tool
        self._arguments = dict(arguments)
        self._ctx = ctx
        self._agent = agent
        self._live = False

    async def result(self) -> Any:
        """The tool's JSON result; a failed call is made again as the tool's `retry` says, under the same key.

        Raises:
            ToolArgumentError: the tool refused its arguments; it is not asked again.
            ToolError: it failed, and so did every further attempt.
            StepInDoubt: it is called once, and nobody knows whether it happened.
        """
        retry = self._tool.retry
        for attempt in range(1, retry.attempts if retry is not None else 1):
            try:
                return await self._step()
            except ToolArgumentError:
                raise
            except ToolError:
                if retry is not None and self._live:  # a failure that is read back was waited for long ago
                    await asyncio.sleep(retry.seconds_after(attempt))
        return await self._step()

    async def _step(self) -> Any:
        tool, self._live = self._tool, False
        try:
            found = await self._ctx.step(
                self._name,
                self._carry_out,
                inputs=self._arguments,
                effect=tool.effect,
                cost=lambda _: _ONE,
                reserve=_ONE,
                lanes={self._name: tool.limit},
                reconcile=self._reconcile() if tool.reconcile is not None else None,
            )
        except Exception as error:
            if isinstance(error, CrewgraphError) or tool.effect != "once":
                raise
            # It was in doubt and has been found out: it did not happen.
            raise ToolError(f"The tool {tool.name} failed: {type(error).__name__}: {error}") from error
        return self._fitting(found) if tool.effect == "once" else found

    @property
    def _name(self) -> str:
        return f"tool:{self._tool.name}"

    async def _carry_out(self) -> Any:
        self._live = True
        return await self._tool.call(self._arguments, self._key(), Caller.of(self._ctx, self._agent))

    def _key(self) -> IdempotencyKey:
        return IdempotencyKey(self._ctx.idempotency_key(self._name, self._arguments))

    def _reconcile(self) -> Callable[[str], Awaitable[Finding]]:
        tool = self._tool
        assert tool.reconcile is not None
        ask, values = in_thread(tool.reconcile), tool.values(self._arguments)
        taken = given(tool.reconcile, values, after=1)

        async def reconcile(key: str) -> Finding:
            said = await ask(key, **taken)
            return Happened(tool.dump(said.output, values)) if isinstance(said, Happened) else said

        return reconcile

    def _fitting(self, value: Any) -> Any:
        """What a person said of a call in doubt, in the form that the tool gives its results in.

        Raises:
            InvalidInput: it has none. Not a `ToolError`, which would say that nothing has happened: it has.
        """
        tool = self._tool
        try:
            tool.read(value)
        except ValidationError:
            pass
        else:
            return value
        with suppress(ValidationError):
            if tool.telling is not None:
                said = "it happened" if value is None else value
                return tool.dump(said, tool.values(self._arguments))
        raise InvalidInput(
            f"What was said of the call of {tool.name} in doubt, {value!r}, is not what the tool gives: "
            f"fork the run at this step and set another output."
        )
