"""Chooses the sentences of a passage that answer a question, to be quoted with their source."""

from __future__ import annotations

import re

from ..text import tokens
from .passages import sentences
from .question import Question

_MAX_CHARS = 500
_NUMBER = 0.15


def window(text: str, question: Question) -> str:
    """The sentence that speaks most of the question, with its neighbours, as many as fit."""
    parts = sentences(text)
    if not parts:
        return text[:_MAX_CHARS]
    scores = [
        question.cover(set(tokens(part)))
        + (_NUMBER if question.asks_number and re.search(r"\d", part) else 0.0)
        for part in parts
    ]
    first = last = max(range(len(parts)), key=scores.__getitem__)
    size = len(parts[first])
    while True:
        after = len(parts[last + 1]) if last + 1 < len(parts) else _MAX_CHARS
        before = len(parts[first - 1]) if first > 0 else _MAX_CHARS
        take_after = size + after <= _MAX_CHARS
        take_before = size + before <= _MAX_CHARS
        if take_after and (not take_before or scores[last + 1] >= scores[first - 1]):
            last += 1
            size += after
        elif take_before:
            first -= 1
            size += before
        else:
            return " ".join(parts[first : last + 1])
