"""Owns `Checked`: the wrapper below which no reply of a wrong form gets through, and above which tools work anywhere."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from ....agents.model import ModelClient, ModelDelta, ModelReply, ModelRequest, Usage
from ....agents.wrapping import Wrapping
from ....runtime.errors import ContextTooLong, ModelError, ReplyTruncated
from .asking import Asking
from .forms.checks import Forms
from .forms.schemas import value_of
from .offers import answer, decided, decision
from .shapes.shape import PLAIN, Shape
from .trying import Deadline
from .turns import plain, speaks_of_tools


class Checked(Wrapping):
    """A client whose constrained replies have their form, and which can call tools on every model.

    `inner` may check its replies or not, raise `ReplyTruncated` for one that was cut off or end it with the finish
    reason "length", and need not know what tools are. `native_tools` says whether the engine's chat template does: then
    tools go to it as they are, and a call that does not fit its tool's schema is asked for again under a schema. Else
    (False, or None: nobody knows) tools are offered in words and called under a schema. `shape` is how schemas go over
    the wire (`shape_of` knows the engines').

    Before anything is sent, raises `InvalidSchema`: a schema, pattern, grammar or tool that no engine could follow, or
    two constraints in one request. Afterwards, `ReplyTruncated`: a reply that was cut off, given more room and cut off
    again; `ModelError`: one of a wrong form, also after the model was told. A reply is asked for three times at most,
    all within the request's `timeout_s`; `usage` counts every time.

    A stream passes on what comes. When it is cut off, a request that is answered the same way twice (temperature 0, or
    a seed) is sent again with more room, and goes on behind what the reader has; text is never repeated or taken back.
    """

    def __init__(self, inner: ModelClient, *, native_tools: bool | None = None, shape: Shape = PLAIN) -> None:
        super().__init__(inner)
        self._native = native_tools is True
        self._forms = Forms()
        self._asking = Asking(inner, self._forms, shape)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole reply, in its form."""
        if request.tools or request.constrained:
            self._forms.check(request)
        if not request.tools:
            return await self._without_tools(self._told(request))
        deadline = Deadline(request.timeout_s)
        spent = Usage()
        if self._native:
            reply, spent = await self._natively(request)
            if reply is not None:
                return reply
        made = await self._decide(request, deadline)
        if not made.tool_calls:
            made = _with(made.usage, await self.inner.complete(deadline.within(answer(request))))
        return _with(spent, made)

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written. A tool call comes whole, in the last delta."""
        if not (
            request.tools or request.constrained
        ):  # there is nothing to check: no layer around each piece
            return self.inner.stream(self._told(request))
        return self._stream(request)

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        self._forms.check(request)
        if not request.tools:
            source = self._asking.stream(self._told(request))
        elif self._native:
            source = self._stream_natively(request, Deadline(request.timeout_s))
        else:
            source = self._stream_by_schema(request, Deadline(request.timeout_s), Usage())
        async with aclosing(source) as deltas:
            async for delta in deltas:
                yield delta

    def _told(self, request: ModelRequest) -> ModelRequest:
        """The request without tool messages where the engine may not know any."""
        if self._native or not speaks_of_tools(request.messages):
            return request
        return replace(request, messages=plain(request.messages))

    async def _without_tools(self, request: ModelRequest) -> ModelReply:
        if request.constrained:
            return await self._asking.whole(request)
        return await self.inner.complete(request)

    async def _stream_by_schema(
        self, request: ModelRequest, deadline: Deadline, spent: Usage
    ) -> AsyncGenerator[ModelDelta, None]:
        made = await self._decide(request, deadline)
        spent += made.usage
        if made.tool_calls:
            yield ModelDelta("", replace(made, usage=spent))
            return
        async with aclosing(self.inner.stream(deadline.within(answer(request)))) as deltas:
            async for delta in deltas:
                yield delta if delta.reply is None else replace(delta, reply=_with(spent, delta.reply))

    async def _decide(self, request: ModelRequest, deadline: Deadline) -> ModelReply:
        """A reply with a tool call, or one without any: then the model wants to answer, and has not yet."""
        if request.tool_choice == "none":
            return ModelReply("")
        reply = await self._asking.whole(deadline.within(decision(request)))
        call = decided(request, value_of(reply.text))
        if call is None:
            return replace(reply, text="")
        return replace(reply, text="", finish_reason="tool_calls", tool_calls=(call,))

    async def _natively(self, request: ModelRequest) -> tuple[ModelReply | None, Usage]:
        """The engine's own reply; None where its calls cannot be made, and what it cost."""
        try:
            reply = await self.inner.complete(request)
        except ContextTooLong:
            raise
        except ModelError as error:
            return None, _cost(error)
        return (reply if self._fits(request, reply) else None), reply.usage

    async def _stream_natively(
        self, request: ModelRequest, deadline: Deadline
    ) -> AsyncGenerator[ModelDelta, None]:
        shown: list[str] = []
        reply: ModelReply | None = None
        try:
            async with aclosing(self.inner.stream(request)) as deltas:
                async for delta in deltas:
                    reply = delta.reply or reply
                    if delta.text:
                        shown.append(delta.text)
                        yield ModelDelta(delta.text)
            spent = reply.usage if reply is not None else Usage()
        except ContextTooLong:
            raise
        except ModelError as error:
            reply, spent = None, _cost(error)
        if reply is not None and self._fits(request, reply):
            yield ModelDelta("", reply)
            return
        if not shown:
            async with aclosing(self._stream_by_schema(request, deadline, spent)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        # The reader has its words, so only the call is missing.
        made = _with(spent, await self._decide(replace(request, tool_choice="required"), deadline))
        yield ModelDelta("", replace(made, text="".join(shown)))

    def _fits(self, request: ModelRequest, reply: ModelReply) -> bool:
        if not reply.tool_calls:
            return request.tool_choice != "required"
        if request.tool_choice == "none":
            return False
        return all(self._forms.call_fault(request.tools, call) is None for call in reply.tool_calls)


def _with(spent: Usage, reply: ModelReply) -> ModelReply:
    return replace(reply, usage=spent + reply.usage)


def _cost(error: ModelError) -> Usage:
    if isinstance(error, ReplyTruncated) and isinstance(error.reply, ModelReply):
        return error.reply.usage
    return Usage()
