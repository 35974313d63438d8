"""Owns `ask_person`: a question to a person, from code of other frameworks."""

from __future__ import annotations

from typing import Any

from ....runtime.events import Answer
from .seat import current_seat


async def ask_person(prompt: str, cancellation_token: Any = None) -> str:
    """What a person says to this, as words: ``UserProxyAgent("boss", input_func=ask_person)`` in a team of AutoGen's.

    The run waits without holding anything until somebody answers (`RunContext.ask`); approved and rejected without words
    are "yes" and "no". For code that works on a task, on the task's loop.

    Raises:
        Suspended: nobody has answered yet.
        InvalidRequest: the code works on no task.
    """
    seat = current_seat()
    answer: Answer = await seat.effect(
        ("ask", prompt),
        lambda: seat.ctx.ask(prompt, choices=("answer", "approve", "reject"), name="person"),
    )
    if answer.value is not None:
        return str(answer.value)
    return answer.note or ("no" if answer.decision == "reject" else "yes")
