"""Owns what the next attempt at a constrained reply is, after one that cannot be used."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace

from ....agents.model import Message, ModelReply, ModelRequest
from ....runtime.errors import EngineTimeout
from .shapes.compact import compact_grammar
from .shapes.shape import Shape, fast_shape, longest_text
from .turns import joined

ATTEMPTS = 3
"""How often one reply is asked for at most."""

MORE_ROOM_TOKENS = 256
_QUOTED = 2_000
_SCHEMA_QUOTED = 4_000
_ONE_LINE = "Write the JSON in one line, without spaces or line breaks between its parts."


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt: `asked` is what the caller wants, `request` what is sent, `shape` how its schema goes."""

    asked: ModelRequest
    request: ModelRequest
    shape: Shape
    told: bool = False

    @staticmethod
    def first(asked: ModelRequest, shape: Shape) -> Try:
        """The first attempt: the fastest shape, and not more room than a reply of the form could fill."""
        made = Try(asked, asked, shape)._shaped(compact=shape.compact == "always")
        if asked.schema is None or shape.longest is None:
            return made
        longest = longest_text(asked.schema)
        if longest is None:
            return made
        room = min(asked.max_tokens, 2 * longest + 16)  # as much whitespace as text
        return replace(made, request=replace(made.request, max_tokens=room))

    def with_room(self, most: int | None) -> Try | None:
        """The next one after a reply that was cut off: twice the room, within `most` tokens; None when it is full."""
        now = self.request.max_tokens
        room = max(2 * now, now + MORE_ROOM_TOKENS, self.asked.max_tokens)
        if most is not None:
            room = min(room, most)
        if room <= now:
            return None
        made = replace(self, shape=self.shape.bounded)._shaped(compact=self.request.grammar is not None)
        return replace(made, request=replace(made.request, max_tokens=room))

    def compacted(self) -> Try | None:
        """The next one after a reply that ran away in whitespace: a form that allows none, or else it is told so."""
        made = replace(self, shape=self.shape.bounded)
        if self.shape.compact != "never" and self.request.schema is not None:
            made = made._shaped(compact=True)
            if made.request.schema is None:
                return made
        if self.told:
            return None
        return made._telling((Message("user", _ONE_LINE),))

    def corrected(self, reply: ModelReply, wrong: str) -> Try | None:
        """The next one after a reply of another form: bounds that were left off, or else it is told what was wrong."""
        if reply.finish_reason in ("filtered", "cancelled"):
            return None
        if self._left_bounds_off():
            return replace(self, shape=self.shape.bounded)._shaped(compact=self.request.grammar is not None)
        said = f"That reply cannot be used: {wrong}. Reply again, {_form_in_words(self.asked)}"
        quoted = (Message("assistant", reply.text[:_QUOTED]),) if reply.text.strip() else ()
        return replace(self, request=self.asked)._telling((*quoted, Message("user", said)))

    def _left_bounds_off(self) -> bool:
        schema = self.asked.schema
        if schema is None or self.shape.longest is None:
            return False
        return fast_shape(schema, self.shape) != fast_shape(schema, self.shape.bounded)

    def _telling(self, more: tuple[Message, ...]) -> Try:
        request = replace(self.request, messages=joined((*self.asked.messages, *more)))
        return replace(self, request=request, told=True)._shaped(compact=self.request.grammar is not None)

    def _shaped(self, *, compact: bool) -> Try:
        schema = self.asked.schema
        if schema is None:
            return self
        shaped = fast_shape(schema, self.shape)
        grammar = compact_grammar(shaped) if compact else None
        if grammar is not None:
            return replace(self, request=replace(self.request, schema=None, grammar=grammar))
        return replace(self, request=replace(self.request, schema=shaped, grammar=None))


class Deadline:
    """The time that all attempts at one reply have together."""

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._ends = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s

    def within(self, request: ModelRequest) -> ModelRequest:
        """The request with the time that is left. Raises `EngineTimeout`: none is."""
        if self._ends is None:
            return request
        left = self._ends - asyncio.get_running_loop().time()
        if left <= 0:
            raise EngineTimeout(
                f"No reply had the form asked for within the {self._timeout_s:g} s of the call; give it more time."
            )
        return replace(request, timeout_s=left)


def _form_in_words(request: ModelRequest) -> str:
    if request.choices:
        return f"with exactly one of these and nothing else: {' | '.join(request.choices)}"
    if request.schema is not None:
        schema = json.dumps(request.schema, ensure_ascii=False, separators=(",", ":"))
        return "only with JSON" + (
            f" that matches this schema: {schema}" if len(schema) <= _SCHEMA_QUOTED else ""
        )
    if request.regex is not None:
        return f"with a text that matches the regular expression {request.regex}"
    return "in the form that was asked for"
