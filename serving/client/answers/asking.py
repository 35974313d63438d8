"""Owns asking until a reply has its form: with more room, in another shape, or told what was wrong; never for ever."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from ....agents.model import ModelClient, ModelDelta, ModelReply, ModelRequest, Usage
from ....runtime.errors import ContextTooLong, ModelError, ReplyTruncated
from .following import Following, WentAnotherWay
from .forms.checks import Forms
from .reading import runs_away
from .shapes.shape import Shape
from .trying import ATTEMPTS, Deadline, Try


class Asking:
    """Gets constrained replies from `inner`, in at most `ATTEMPTS` calls each; `usage` is that of all of them."""

    def __init__(self, inner: ModelClient, forms: Forms, shape: Shape) -> None:
        self._inner = inner
        self._forms = forms
        self._shape = shape

    async def whole(self, request: ModelRequest) -> ModelReply:
        """The reply. Raises `ReplyTruncated` or `ModelError` when no attempt had the form."""
        deadline = Deadline(request.timeout_s)
        attempt: Try | None = Try.first(request, self._shape)
        spent = Usage()
        refusal: ModelError | None = None
        for number in range(1, ATTEMPTS + 1):
            if attempt is None:
                break
            try:
                reply = await self._inner.complete(deadline.within(attempt.request))
            except ReplyTruncated as error:
                reply = _truncated(error)
            except ContextTooLong as error:
                raise refusal or error from error
            spent += reply.usage
            reply = replace(reply, usage=spent)
            cut = self._forms.cut_off(request, reply)
            wrong = cut or self._forms.fault(request, reply.text)
            if wrong is None:
                return reply
            refusal = _unusable(reply, wrong, number, cut=cut is not None)
            if cut is None:
                attempt = attempt.corrected(reply, wrong)
            elif request.schema is not None and runs_away(reply.text):
                attempt = attempt.compacted()
            else:
                attempt = attempt.with_room(await self._most_tokens(request, reply))
        assert refusal is not None, "there is a first attempt"
        raise refusal

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written; a later attempt goes on behind what was given, or ends in `ReplyTruncated`.

        Bounds stay on the wire here: a text that is too long cannot be taken back.
        """
        deadline = Deadline(request.timeout_s)
        attempt: Try | None = Try.first(request, self._shape.bounded)
        shown = Following(json=request.schema is not None)
        spent = _Spent()
        refusal: ModelError | None = None
        for number in range(1, ATTEMPTS + 1):
            if attempt is None:
                break
            shown.again()
            reply: ModelReply | None = None
            try:
                async with aclosing(self._inner.stream(deadline.within(attempt.request))) as deltas:
                    async for delta in deltas:
                        reply = delta.reply or reply
                        if new := shown.take(delta.text):
                            yield ModelDelta(new)
                        if shown.runaway:
                            break
            except ReplyTruncated as error:
                reply = _truncated(error)
            except WentAnotherWay:
                spent.broken_off(shown.pieces)
                raise _another_way(ModelReply(shown.text, "length", spent.usage)) from refusal
            except ContextTooLong as error:
                raise refusal or error from error
            if reply is None:
                spent.broken_off(shown.pieces)
                reply = ModelReply("", "stop" if shown.whole else "length")
            else:
                spent.told(reply.usage)
            reply = replace(reply, text=shown.text, usage=spent.usage)
            cut = self._forms.cut_off(request, reply)
            wrong = cut or self._forms.fault(request, reply.text)
            if wrong is None:
                yield ModelDelta("", reply)
                return
            refusal = _unusable(reply, wrong, number, cut=cut is not None)
            if cut is None or (shown.text and not _same_again(request)):
                break
            most = await self._most_tokens(request, reply)
            attempt = attempt.compacted() if shown.runaway else attempt.with_room(most)
        assert refusal is not None, "there is a first attempt"
        raise refusal

    async def _most_tokens(self, request: ModelRequest, reply: ModelReply) -> int | None:
        """How many tokens a reply may have beside its prompt, where the engine tells."""
        window = await self._inner.context_tokens(request.model)
        return None if window is None else window - reply.usage.prompt_tokens


class _Spent:
    """What all attempts at a stream used. An engine that was broken off does not get to count: its pieces are."""

    def __init__(self) -> None:
        self.usage = Usage()
        self._uncounted = 0

    def told(self, usage: Usage) -> None:
        self.usage += usage + Usage(prompt_tokens=self._uncounted * usage.prompt_tokens)
        self._uncounted = 0

    def broken_off(self, pieces: int) -> None:
        self.usage += Usage(completion_tokens=pieces)
        self._uncounted += 1


def _same_again(request: ModelRequest) -> bool:
    return request.temperature == 0 or request.seed is not None


def _truncated(error: ReplyTruncated) -> ModelReply:
    reply = error.reply if isinstance(error.reply, ModelReply) else ModelReply("")
    return replace(reply, finish_reason="length")


def _another_way(reply: ModelReply) -> ReplyTruncated:
    return ReplyTruncated(
        "The reply was cut off before it had its form, and asked for again it went another way than the text that had "
        "already been given; raise max_tokens, or ask without streaming.",
        reply,
    )


def _unusable(reply: ModelReply, wrong: str, attempts: int, *, cut: bool) -> ModelError:
    times = "" if attempts == 1 else f", asked for {attempts} times"
    who = reply.model or "the model"
    if not cut:
        return ModelError(
            f"The reply of {who} cannot be used: {wrong}{times}; ask otherwise, or loosen the constraint."
        )
    return ReplyTruncated(
        f"The reply of {who} was cut off before it had its form ({wrong}){times}; raise max_tokens, or ask for less.",
        reply,
    )
