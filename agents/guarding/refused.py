"""Refused: a result that was sent back, as its agent is told of it, and as a run ends with it."""

from __future__ import annotations

from dataclasses import dataclass

from ...runtime.errors import TaskFailed

_SHOWN = 400
_TOLD = 1500


@dataclass(frozen=True)
class Refusal:
    """The last attempt and what was wrong with it."""

    attempt: str
    why: str

    def told(self) -> str:
        """What the agent is told before it tries again."""
        return (
            f"Your last answer was:\n{cut(self.attempt, _TOLD)}\n\n"
            f"It was refused: {self.why}\nAnswer again, corrected."
        )


class OutputRefused(TaskFailed):
    """An agent's result was refused by a guardrail, and so was every correction of it.

    `attempt` is the last of them, `why` what the guardrail says of it.
    """

    code = "output_refused"

    def __init__(self, message: str, attempt: str = "", why: str = "") -> None:
        super().__init__(message)
        self.attempt = attempt
        self.why = why

    @classmethod
    def of(cls, role: str, guardrail: str, refusal: Refusal, attempts: int) -> OutputRefused:
        """The sentence for a person."""
        times = f"all {attempts} attempts" if attempts > 1 else "its only attempt"
        return cls(
            f"{role}: the guardrail {guardrail!r} refused {times}: {refusal.why.rstrip('.')}. "
            f"The last one was: {cut(refusal.attempt, _SHOWN)!r}. Mend the task, the guardrail or the model, "
            "or allow more `corrections`.",
            refusal.attempt,
            refusal.why,
        )


def cut(text: str, most: int) -> str:
    """The text, or as much of its beginning as may be shown."""
    return text if len(text) <= most else text[: most - 1] + "…"
