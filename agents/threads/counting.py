"""Counting: about how many tokens a text is, where no engine says it; rather too many than too few."""

from __future__ import annotations

import re

PER_MESSAGE = 6
"""What a chat template puts around one message."""

_CHARS_A_TOKEN = 3.5
_WIDE = 0.9
"""Tokens for each byte beyond the first of a character: a Chinese one is about two, an accented letter about one."""
_DENSE = re.compile(r"[0-9!-/:-@\[-`{-~]")
"""Digits and punctuation, which most tokenizers keep apart."""


def estimate(text: str) -> int:
    """Tokens of a text: by its words, its digits and signs, and what is not ASCII."""
    dense = len(_DENSE.findall(text))
    wide = 0 if text.isascii() else len(text.encode("utf-8", "replace")) - len(text)
    return max(len(text.split()), int((len(text) - dense) / _CHARS_A_TOKEN + dense + wide * _WIDE) + 1)


def in_message(text: str) -> int:
    """Tokens of a text as a message of its own."""
    return estimate(text) + PER_MESSAGE
