"""Intent: whether a request is small talk, which needs no plan. Rules only; unsure means: plan."""

from __future__ import annotations

from .reading import Reading

_LEFT_OVER = 3


def is_small_talk(request: str) -> bool:
    """Whether a request is greeting, thanks or chatter and little else."""
    reading = Reading(request)
    spans = reading.small_talk
    if not spans or len(request) > 200:
        return False
    rest = [t for t in reading.words if not any(s <= t.start and t.end <= e for s, e in spans)]
    content = [t for t in rest if t in reading.terms]
    return len(content) <= _LEFT_OVER or sum(e - s for s, e in spans) * 2 >= len(reading.text.strip())
