"""Owns reading a streamed chat completion: server-sent events as they come in, text out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ....agents.model import FinishReason, ModelReply, ToolCall, Usage
from ....runtime.errors import ModelError, NotAnEngine
from .answers import CallSaid, Gathered, Timings, UsageSaid, error_text, finish_of, said_of, shown, usage_of

MAX_EVENT_BYTES = 4 * 1024 * 1024
"""An event longer than this is no chat delta; reading on would fill the memory."""


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[CallSaid] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    model: str | None = None
    usage: UsageSaid | None = None
    timings: Timings | None = None
    error: Any = None
    message: Any = None


class CompletionStream:
    """The `Reading` of the OpenAI API. `model` is the one that was asked for until the engine names another.

    The same bytes give the same text, usage and tool calls however they are cut.
    """

    __slots__ = ("_calls", "_decode", "_rest", "done", "finish_reason", "model", "usage")

    def __init__(self) -> None:
        self.done = False
        self.finish_reason: FinishReason | None = None
        self.usage = Usage()
        self.model = ""
        self._rest = b""
        self._calls = Gathered()
        self._decode = _DECODER.decode

    def feed(self, data: bytes) -> str:
        """The text in these bytes, "" where there is none."""
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        text = ""
        for line in lines:
            if line.startswith(b"data: {"):
                text += self._event(line[6:])
            elif line and line != b"\r":
                text += self._odd_line(line)
        if len(self._rest) > MAX_EVENT_BYTES:
            raise NotAnEngine(
                "The engine sent a streamed event without end; check the server behind the URL."
            )
        return text

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, whole."""
        if not self._calls:
            return ()
        return self._calls.calls(ModelReply("", self.finish_reason or "stop", self.usage, self.model))

    def _event(self, data: bytes) -> str:
        try:
            chunk = self._decode(data)
        except msgspec.ValidationError as error:
            raise NotAnEngine(
                f"The engine sent a streamed event that is no piece of a chat completion ({shown(data)})."
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NotAnEngine(
                f"The engine sent a streamed event that is not JSON ({shown(data)}); look into its log."
            ) from error
        if chunk.usage is not None:
            self.usage = usage_of(chunk.usage, chunk.timings)
        if chunk.model:
            self.model = chunk.model
        if not chunk.choices:
            if chunk.error is not None or chunk.message is not None:
                said = said_of(chunk.error if chunk.error is not None else chunk.message)
                raise ModelError(f"The engine gave up in the middle of its answer: {said}")
            return ""
        choice = chunk.choices[0]
        delta = choice.delta
        if delta is not None and delta.tool_calls:
            for piece in delta.tool_calls:
                self._calls.add(piece)
        if choice.finish_reason:
            self.finish_reason = finish_of(choice.finish_reason, called=bool(self._calls))
            self.done = True
        return delta.content or "" if delta is not None else ""

    def _odd_line(self, line: bytes) -> str:
        name, colon, value = line.rstrip(b"\r").partition(b":")
        value = value.strip()
        if name == b"data":
            if value == b"[DONE]":
                self.finish_reason = self.finish_reason or finish_of(None, called=bool(self._calls))
                self.done = True
                return ""
            return self._event(value) if value else ""
        if name == b"error" or line.startswith(b"{"):
            raise ModelError(f"The engine gave up: {error_text(value if name == b'error' else line)}")
        if not colon or name not in (b"", b"event", b"id", b"retry"):
            raise NotAnEngine(
                f"The server streams something other than server-sent events ({shown(line)}); check the URL."
            )
        return ""  # comments (keep-alive pings) and the fields of events that we have no use for


class WholeStream(CompletionStream):
    """A stream whose text means nothing before it is whole: `unwrap` gives what it means, in one piece."""

    __slots__ = ("_pieces", "_unwrap")

    def __init__(self, unwrap: Callable[[str], str]) -> None:
        super().__init__()
        self._pieces: list[str] | None = []
        self._unwrap = unwrap

    def feed(self, data: bytes) -> str:
        """Nothing, until it is done; then all of it."""
        text = super().feed(data)
        if self._pieces is None:
            return text
        self._pieces.append(text)
        if not self.done:
            return ""
        whole, self._pieces = "".join(self._pieces), None
        return self._unwrap(whole)


_DECODER = msgspec.json.Decoder(_Chunk)
