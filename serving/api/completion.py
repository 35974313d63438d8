"""Owns the answer as the OpenAI protocol writes it: one completion, or chunks of one."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..telling import question_json
from .tally import Tally

if TYPE_CHECKING:
    from ...runtime.reading.questions import Question
    from ..house import Outcome

DONE = b"data: [DONE]\n\n"
PULSE = b": working\n\n"
"""A comment that clients skip: it keeps proxies from closing a connection while a crew is thinking."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer to one chat request."""

    id: str
    model: str
    tally: Tally
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, reply: Reply) -> dict[str, Any]:
        """The answer in one piece."""
        message = {"role": "assistant", "content": reply.text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": self.tally.usage,
            "crewgraph": reply.extension,
        }

    def opening(self) -> bytes:
        """The first chunk: who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def words(self, text: str) -> bytes:
        """A chunk of the answer."""
        return self._chunk({"content": text})

    def ending(self, reply: Reply, rest: str, *, include_usage: bool) -> Iterator[bytes]:
        """The chunks of what has not been sent of the answer yet, to the end of the stream."""
        for piece in split(rest):
            yield self.words(piece)
        yield self._chunk({}, finish_reason="stop", crewgraph=reply.extension)
        if include_usage:
            yield sse({**self._head("chat.completion.chunk"), "choices": [], "usage": self.tally.usage})
        yield DONE

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return sse({**self._head("chat.completion.chunk"), "choices": [choice], **more})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def sse(value: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def split(text: str) -> list[str]:
    """The text in words, each with the space before it; scripts without spaces in runs of a few signs."""
    return re.findall(r"\s*\S{1,12}|\s+", text)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a chat request is answered with, and what the protocol has no word for.

    Where a run waits for a person, the text says for what: clients that know nothing of waiting show it like any
    answer, and those that do find the questions in ``crewgraph.waiting``.
    """

    text: str
    extension: dict[str, Any]

    @classmethod
    def of(cls, outcome: Outcome) -> Reply:
        """The answer of a run; beside it which run this was, and what the answer rests on."""
        told = {
            "run_id": outcome.run_id,
            "thread_id": outcome.thread_id,
            "evidence": list(outcome.evidence),
            "seconds": round(outcome.seconds, 3),
        }
        return cls(outcome.answer, told)

    @classmethod
    def waiting(cls, run_id: str, questions: Sequence[Question]) -> Reply:
        """That a run waits for a person, and for what."""
        lines = [f"This has to wait until a person has answered (run {run_id}):"]
        for question in questions:
            about = "" if question.about is None else f" {json.dumps(question.about, ensure_ascii=False)}"
            lines.append(f"- {question.question}{about}")
        waiting = [question_json(question, run_id) for question in questions]
        return cls(
            "\n".join(lines), {"run_id": run_id, "thread_id": None, "evidence": [], "waiting": waiting}
        )
