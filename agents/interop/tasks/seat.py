"""Owns `Seat`: where another framework's code sits while it works on one task, with that task's model, tools and steps."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from pydantic_core import PydanticSerializationError, to_jsonable_python

from ....runtime.budget import Cost
from ....runtime.context import RunContext
from ....runtime.errors import (
    BudgetExceeded,
    ContextTooLong,
    CrewgraphError,
    EngineError,
    InvalidRequest,
    Rejected,
    ReplayDiverged,
    StepInDoubt,
    StoreError,
    Suspended,
    TaskFailed,
    ToolError,
)
from ....runtime.events import Effect
from ....tools.tool import Tool
from ....tools.toolset import Toolset
from ....tools.values import Stated
from ...architectures.architecture import Seen
from ...calls import ask_model
from ...desk import Desk
from ...model import ModelClient, ModelReply, ModelRequest
from ...working.delegation import HandedOff
from ..scope import CallScope

T = TypeVar("T")

_ONE = Cost(tool_calls=1)
_ENDS_IT = (BudgetExceeded, HandedOff, Rejected, ReplayDiverged, StepInDoubt, StoreError, Suspended)
"""What no framework may go on from, however many errors it catches: the next call gets it again, and in the end the task."""
_PLAIN = ModelRequest(())


@dataclass(frozen=True)
class Broken:
    """What an effect gave that was broken off for a question: `about` is what was asked. It is carried out again."""

    about: Any


class Seat:
    """One task that another framework works on; ``async with`` it, and everything in the block belongs to the task.

    Calls may come from any of the framework's threads and tasks; each is carried out on the loop of the task, as its step.
    When the block is left no call is under way any more, and a later one is refused. `effects` says by name what calling
    the framework's own tools twice would do (left out: `once`). `aloud` shows what models write, as it is written.
    """

    def __init__(
        self, desk: Desk, *, of: str, effects: Mapping[str, Effect] | None = None, aloud: bool = False
    ) -> None:
        self.desk = desk
        self.loop = asyncio.get_running_loop()
        self.seen: list[Seen] = []
        self.place: Callable[[], str] = lambda: ""
        """Where in the framework's own graph a call comes from, for frameworks that begin a part of it again."""
        self.aloud_where: Callable[[], bool] = lambda: aloud
        """Whether what a model writes here is shown as it is written."""
        self.patient = True
        """Whether the framework may go on after a model that could not be had; not where it would begin again by itself."""
        self._of = of
        self._effects = effects or {}
        self._scope = CallScope()
        self._token: Token[Seat | None] | None = None
        self._under_way: set[asyncio.Task[Any]] = set()
        self._over = False
        self._ended = asyncio.Event()
        self._failure: BaseException | None = None
        self._last: CrewgraphError | None = None
        self._done: dict[tuple[str, str], deque[Any]] = {}
        self._had: dict[tuple[str, str], deque[Any]] = {}

    @property
    def ctx(self) -> RunContext:
        """The run, as the task sees it."""
        return self.desk.ctx

    async def __aenter__(self) -> Seat:
        self._token = _here.set(self)
        self._scope.__enter__()
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._over = True
        self._scope.__exit__()
        if self._token is not None:
            _here.reset(self._token)
        await self._end_calls()
        task = asyncio.current_task()
        if error is not None and task is not None and task.cancelling():
            return
        if self._failure is not None:
            if error is not self._failure:
                raise self._failure from error
        elif isinstance(error, Exception) and not isinstance(error, CrewgraphError):
            if self._last is not None:
                raise self._last from error
            said = " ".join(str(error).split())[:300]
            raise TaskFailed(
                f"{self._of} of the agent {self.desk.agent.role!r} failed with {type(error).__name__}: {said}."
            ) from error
        elif isinstance(error, asyncio.CancelledError):
            raise TaskFailed(
                f"{self._of} of the agent {self.desk.agent.role!r} stopped before it had a result."
            ) from error

    async def ask(
        self,
        request: ModelRequest,
        *,
        say: Callable[[str], None] | None = None,
        client: ModelClient | None = None,
    ) -> ModelReply:
        """What the agent's model replies (or `client`, where the framework has one of its own)."""
        own = client is None
        request = self._ours(request) if own else request
        told = [say] if say is not None else []
        if self.aloud_where() and not request.tools and not request.constrained:
            told.append(self.ctx.text)

        def tell(piece: str) -> None:
            for one in told:
                one(piece)

        door = self.desk.client if client is None else client
        return await self.effect(
            request,
            lambda: ask_model(self.ctx, door, request, say=tell if told else None),
        )

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        """What one of our tools says, called as the desk would call it."""
        desk = self.desk

        async def call() -> Any:
            if tool.name in desk.toolset and desk.toolset[tool.name] is tool:
                value = await desk.call(tool.name, arguments)
                self.seen.append(Seen(tool.name, dict(arguments), value))
                return value
            self._permitted(tool.name, tool.effect)
            own = Toolset([tool])
            return await self._not_twice(
                tool.name,
                dict(arguments),
                tool.effect,
                lambda: own.call(tool.name, arguments, self.ctx, agent=desk.agent.role),
            )

        read = tool.read(await self.effect((tool.name, dict(arguments)), call))
        return read.statement(desk.brief.lang) if isinstance(read, Stated) else str(read)

    async def own(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        call: Callable[[], Awaitable[Any]],
        *,
        read: Callable[[Any], Any] = lambda kept: kept,
    ) -> Any:
        """What a tool of the framework's own gives, as a step of the task; `read` takes the JSON that is kept of it."""
        effect = self._effects.get(tool, "once")
        try:
            inputs = to_jsonable_python(dict(arguments))
        except PydanticSerializationError as error:
            raise InvalidRequest(
                f"The arguments of the tool {tool} are not JSON ({error}), so that a replay would not know them again."
            ) from error

        async def step() -> Any:
            self._permitted(tool, effect)
            kept = await self._not_twice(tool, inputs, effect, carry_out, whole=whole)
            return read(kept)

        async def carry_out() -> Any:
            return await self.ctx.step(
                f"tool:{tool}", call, inputs=inputs, effect=effect, cost=lambda _: _ONE, reserve=_ONE
            )

        def whole(kept: Any) -> bool:
            return not isinstance(read(kept), Broken)

        return await self.effect((tool, inputs), step)

    async def effect(self, what: object, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """One effect of the task, ended with the seat; one that the framework begins again after a question is kept."""
        if not (place := self.place()):
            return await self._carried_out(make)
        at = (place, repr(what))
        if had := self._had.get(at):
            return cast("T", had.popleft())  # the same call gave it before
        value = await self._carried_out(make)
        if not isinstance(value, Broken):
            self._done.setdefault(at, deque()).append(value)
        return value

    async def watch(
        self, work: Coroutine[Any, Any, T], stop: Callable[[], object], *, grace: float = 0.0
    ) -> T:
        """What `work` gives; when it is cancelled, or the task is to end, it is told to `stop`, and has ended afterwards.

        It may take `grace` seconds for that before it is cancelled.
        """
        doing = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait([doing, ending], return_when=asyncio.FIRST_COMPLETED)
            if self._failure is not None:
                raise self._failure
            return await doing
        finally:
            ending.cancel()
            if not doing.done():
                stop()
                self._over = True
                await self._end_calls()
                await asyncio.wait([doing], timeout=grace)
                doing.cancel()
                await asyncio.wait([doing])
            if not doing.cancelled():
                doing.exception()  # it was raised above, or is of no interest any more

    def again(self) -> None:
        """The framework begins a part of its graph again: what that part has done already is given to it at once."""
        self._had = {at: deque(values) for at, values in self._done.items()}

    async def _carried_out(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._failure is not None:
            raise self._failure
        if self._over:
            raise asyncio.CancelledError("the task that this call belongs to is over")
        work = asyncio.create_task(make())
        self._under_way.add(work)
        work.add_done_callback(self._under_way.discard)
        try:
            value = await work
        except _ENDS_IT as error:
            self._failure = self._failure or error
            self._ended.set()
            raise
        except CrewgraphError as error:
            self._last = error
            if isinstance(error, EngineError) and not (self.patient or isinstance(error, ContextTooLong)):
                self._failure = self._failure or error
                self._ended.set()
            raise
        self._last = None
        return value

    async def _end_calls(self) -> None:
        calls = list(self._under_way)
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls)
            for call in calls:
                if not call.cancelled():
                    call.exception()  # whoever waited for it has it, or is gone

    def _ours(self, request: ModelRequest) -> ModelRequest:
        agent = self.desk.agent
        return replace(
            request,
            model=request.model or agent.model,
            adapter=request.adapter or agent.adapter,
            max_tokens=agent.max_tokens if request.max_tokens == _PLAIN.max_tokens else request.max_tokens,
        )

    async def _not_twice(
        self,
        tool: str,
        arguments: Any,
        effect: Effect,
        make: Callable[[], Awaitable[Any]],
        *,
        whole: Callable[[Any], bool] = lambda value: True,
    ) -> Any:
        """The call; one with an effect that an earlier attempt at this task made is not made again (see `Desk.call`)."""
        if effect == "read_only":
            return await make()
        memo = self.desk.memo
        call = json.dumps([self.desk.agent.role, tool, arguments], sort_keys=True, default=str)
        if kept := memo.kept.get(call):
            return kept.popleft()
        value = await make()
        if whole(value):
            memo.effects.append((call, value))
        return value

    def _permitted(self, tool: str, effect: Effect) -> None:
        may = self.desk.agent.may
        if may is not None and effect not in may:
            raise ToolError(
                f"The agent {self.desk.agent.role!r} may not call {tool}: its effect is {effect!r}, "
                f"and it may have {', '.join(may) or 'none'}."
            )


_here: ContextVar[Seat | None] = ContextVar("crewgraph_seat", default=None)


def current_seat() -> Seat:
    """The seat that this code sits at; threads and tasks that frameworks start inherit it.

    Raises:
        InvalidRequest: it works on no task.
    """
    if (seat := _here.get()) is None:
        raise InvalidRequest(
            "This belongs to a task and was used outside of one: let a crew's agent work with it "
            "(Agent(…, architecture=…)), or make it with a model of your own."
        )
    return seat


def task_context() -> RunContext:
    """The run, as the task sees it that this code of another framework works on.

    For effects that a framework hides: ``await task_context().step("mail", send, inputs=…, effect="once")`` in a node of
    a graph is journalled like a tool call. Raises `InvalidRequest`: the code works on no task.
    """
    return current_seat().ctx
