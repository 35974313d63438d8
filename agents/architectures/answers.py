"""Answers: how a final answer is asked for, found behind the thoughts before it, shown, and compared with another one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...tools.text import normal
from ..model import Message

if TYPE_CHECKING:
    from ..desk import Desk

HOW = "Think step by step. Then give your answer, on a line that begins with 'Answer:'."
"""What is said where an answer is wanted with the thoughts before it."""

_MARK = re.compile(
    r"^[ \t*_#>]*(?:(?:final )?answer|(?:最终)?答案)[ \t*_]*[:：][ \t*_]*", re.IGNORECASE | re.MULTILINE
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NOUGHTS = re.compile(r"(\.\d*?)0+(?!\d)")
_EDGES = " \t\r\n.,;:!?*_`'\"()[]{}=。，；：！？“”‘’（）"


def final(text: str) -> str:
    """What stands behind the first ``Answer:``; the whole text where there is none, or nothing behind it."""
    found = _MARK.search(text)
    return (text[found.end() :].strip() if found is not None else "") or _MARK.sub("", text).strip()


def has_answer(text: str) -> bool:
    """Whether an answer is marked in the text."""
    return _MARK.search(text) is not None


def same_form(answer: str) -> str:
    """An answer as votes count it: its first line, without case, markup, articles, or other ways to write a number."""
    line = next((line for line in answer.splitlines() if line.strip(_EDGES)), "")
    plain = normal(_THOUSANDS.sub("", line))
    plain = _NOUGHTS.sub(lambda m: m[1].rstrip("."), plain)
    words = plain.strip(_EDGES).split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in {"a", "an", "the"} else words)


def opening(desk: Desk, *asked: str, shared: str = "") -> list[Message]:
    """The messages that a task's calls begin with: who the agent is, what was said before, and what it is asked now."""
    said = "\n\n".join(part for part in (desk.asked, *asked) if part)
    return [desk.agent.system(shared), *desk.brief.history, Message("user", said)]


async def answered(
    desk: Desk, messages: Sequence[Message], *, temperature: float = 0.0, seed: int | None = 0
) -> str:
    """The answer that the model comes to, without its thoughts; it is shown as it is written."""
    shown = Shown(desk.ctx.text)
    reply = await desk.say(messages, temperature=temperature, seed=seed, aloud=shown)
    answer = final(reply.text)
    if not shown.begun:
        show(desk, answer)
    return answer


async def spoken(desk: Desk, messages: Sequence[Message]) -> str:
    """What the model writes, all of it shown as it is written: where nothing but the answer was asked for."""
    return (await desk.say(messages, aloud=True)).text.strip()


def show(desk: Desk, answer: str) -> None:
    """Say an answer aloud that was not shown while it was written."""
    if not desk.ctx.replaying:
        desk.ctx.text(answer)


class Shown:
    """Passes on of a text, which comes in pieces, what stands behind the first ``Answer:``."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.begun = False
        self._say = say
        self._held = ""

    def __call__(self, piece: str) -> None:
        """The next piece."""
        if self.begun:
            self._say(piece)
            return
        self._held += piece
        found = _MARK.search(self._held)
        if found is not None and (behind := self._held[found.end() :].lstrip()):
            self.begun = True
            self._say(behind)
