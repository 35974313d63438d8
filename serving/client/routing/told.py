"""Owns what a reader has of one reply, and how the rest of it is asked for when its stream breaks off.

Two ways lead on. A reply that can be had again is asked for **again**, and what the reader has is skipped, for as long
as it is the same. Where it is not the same, and for sampled replies, the engine is to go **on**: it is given the text
so far as the beginning of its message. A constrained reply is only ever asked for again, for a grammar begins anew;
so is one that may call tools.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ....agents.model import Message, ModelClient, ModelDelta, ModelReply, ModelRequest, Usage
from ....runtime.errors import EngineError, InvalidInput, InvalidRequest, ModelError, StreamBroken

_COUNT_S = 2.0


class Deviated(Exception):
    """Control signal: what comes is not what the reader has; this attempt is left (see `StreamBroken`: it failed)."""


class Told:
    """One reply as its reader has it. Each attempt at the rest is an `Asking`."""

    def __init__(self, request: ModelRequest) -> None:
        self.request = request
        self.bound = request.constrained or bool(request.tools)
        self._same = request.temperature == 0 or request.seed is not None
        self._pieces: list[str] = []
        self._tokens = 0
        self._over: list[Asking] = []

    @property
    def begun(self) -> bool:
        """Whether the reader has any text."""
        return bool(self._pieces)

    @property
    def text(self) -> str:
        """What the reader has."""
        return "".join(self._pieces)

    @property
    def tokens_to_go_on(self) -> int:
        """The tokens of the text so far, without space at its end: that is not sent, and so comes again."""
        after = 0
        for piece in reversed(self._pieces):
            if piece.strip():
                break
            after += 1
        return self._tokens - after

    def ask(self, *, other_model: bool = False) -> Asking:
        """The next attempt. `other_model`: the same text is not to be expected from it."""
        on = self.begun and not self.bound and (other_model or not self._same)
        return Asking(self, on)

    def broke(self, asking: Asking) -> None:
        """An attempt is over, and its reply is not whole."""
        if asking.tokens:
            self._over.append(asking)

    def deviated(self, asking: Asking) -> None:
        """An attempt brought another text than the reader has: from now on the engine goes on, where it may."""
        self.broke(asking)
        self._same = False

    def full(self, asking: Asking) -> ModelReply | None:
        """The whole reply, where all the tokens that it may have are there and only its end was lost."""
        if not asking.on or max(self._tokens, asking.went_before) < self.request.max_tokens:
            return None
        return ModelReply(self.text, "length", self._used(Usage(), self._tokens))

    def error(self, error: Exception, asking: Asking) -> Exception:
        """What the reader is told when there is no way on after this error of that attempt."""
        request_s = isinstance(error, ModelError) or not isinstance(
            error, EngineError | Deviated | InvalidRequest
        )
        if not self.begun or (request_s and not asking.on):
            return error
        why = str(error) or "another try at it brought another text"
        return StreamBroken(
            f"A reply broke off after {len(self.text)} characters and could not be gone on with ({why.rstrip('.')}); "
            "what was shown is only its beginning: ask again."
        )

    def _add(self, text: str) -> None:
        self._pieces.append(text)
        self._tokens += 1

    def _used(self, last: Usage, went_before: int) -> Usage:
        """All attempts together. One that broke off was never counted by its engine: each piece is a token."""
        prompt = max(0, last.prompt_tokens - went_before)
        used = last
        for asking in self._over:
            used += Usage(prompt + asking.went_before, asking.tokens)
        return used


class Asking:
    """One attempt at a reply, or at the rest of it. `on`: the engine goes on; else it begins anew.

    `request` is what to send. `tokens` are those that it brought so far, `went_before` those it was given.
    """

    def __init__(self, told: Told, on: bool) -> None:
        self._told = told
        self.on = on
        self.tokens = 0
        self.went_before = told.tokens_to_go_on if on else 0
        self._has = "" if on else told.text
        self._at = 0
        self._seam = False
        self.request = self._going_on() if on else told.request

    async def measure(self, client: ModelClient, model: str | None = None) -> None:
        """Have the engine count what it is given, where it can: a piece is one token at least, and may be several."""
        if not self.on or not self.request.continue_last:
            return
        model = model or self.request.model
        try:
            async with asyncio.timeout(_COUNT_S):
                with_text = await client.count_tokens(replace(self.request, model=model))
                without = await client.count_tokens(replace(self._told.request, model=model))
        except (EngineError, InvalidInput, TimeoutError):
            return
        self.went_before = max(self.went_before, with_text - without)
        left = max(1, self._told.request.max_tokens - self.went_before)
        self.request = replace(self.request, max_tokens=left)

    def take(self, delta: ModelDelta) -> ModelDelta | None:
        """What of a piece is new to the reader, None if nothing is. Raises `Deviated`."""
        text = delta.text
        if text:
            self.tokens += 1
            text = self._new(text)
            if text:
                self._told._add(text)
        if delta.reply is not None:
            return ModelDelta(text, self._whole(delta.reply))
        if not text:
            return None
        return delta if text is delta.text else ModelDelta(text)

    def _new(self, text: str) -> str:
        if self._at < len(self._has):
            rest = len(self._has) - self._at
            if not (self._has.startswith(text, self._at) or text.startswith(self._has[self._at :])):
                raise Deviated
            self._at += min(rest, len(text))
            return text[rest:]
        if self._seam:
            text = text.lstrip()
            self._seam = not text
        return text

    def _whole(self, reply: ModelReply) -> ModelReply:
        if self._at < len(self._has):
            raise Deviated
        if not self._told._over and not self.on:
            return reply
        return replace(reply, text=self._told.text, usage=self._told._used(reply.usage, self.went_before))

    def _going_on(self) -> ModelRequest:
        """The request with the text so far as the beginning of the assistant's message.

        Space at its end is left off, for some chat templates take it off and others do not, and then space at the
        beginning of what comes is the reader's already.
        """
        asked = self._told.request
        text = self._told.text
        begun = text.rstrip()
        self._seam = begun != text
        if not begun:
            return asked
        messages = asked.messages
        if asked.continue_last and messages:
            *earlier, last = messages
            messages = (*earlier, replace(last, content=last.content + begun))
        else:
            messages = (*messages, Message("assistant", begun))
        left = max(1, asked.max_tokens - self.went_before)
        return replace(asked, messages=messages, max_tokens=left, continue_last=True)


def unfinished(name: str) -> StreamBroken:
    """The error for a stream that ended without its last piece."""
    return StreamBroken(
        f"The stream of {name} ended without an end of its reply; look into the engine's log."
    )
