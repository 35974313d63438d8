"""Owns counting a run's tokens as the protocol wants them: what went into the model, what came out."""

from __future__ import annotations

from collections.abc import Mapping

from ...runtime.events import Event, StepFinished


class Tally:
    """Listens to a run and adds up the usage of its model calls."""

    def __init__(self) -> None:
        self.prompt_tokens = 0
        self.completion_tokens = 0

    def event(self, event: Event) -> None:
        """Count a finished model call; everything else is passed over."""
        if not isinstance(event, StepFinished) or not isinstance(event.output, Mapping):
            return
        usage = event.output.get("usage")
        if isinstance(usage, Mapping):
            self.prompt_tokens += _count(usage.get("prompt_tokens"))
            self.completion_tokens += _count(usage.get("completion_tokens"))

    @property
    def usage(self) -> dict[str, int]:
        """The protocol's object."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
