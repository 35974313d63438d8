"""Holds what a model wrote against the evidence, sentence by sentence.

A sentence stands only if every number in it is in the evidence, most of its content words are, and, where the
evidence compares things, it does not turn the comparison round. This is a check of words, not of meaning: it is
there so that a small model cannot add a figure or a claim of its own, and what it removes is said aloud.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..tools.knowledge.passages import sentences
from ..tools.text import language_of, normal, tokens

_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")
_MIN_SHARE = 0.75
_MORE = frozenset("more larger bigger higher greater most largest highest exceeds over above".split())
_LESS = frozenset("less fewer smaller lower least smallest lowest below under".split())


@dataclass(frozen=True, slots=True)
class Checked:
    """The sentences of a draft that the evidence bears out, and those that it does not."""

    kept: tuple[str, ...]
    dropped: tuple[str, ...]

    @property
    def text(self) -> str:
        """The kept sentences as prose."""
        return " ".join(self.kept)


def numbers(text: str) -> set[str]:
    """The numbers in a text in one form: no separators, no trailing zeros."""
    found = set()
    for match in _NUMBER.findall(normal(text)):
        plain = match.replace(",", "")
        found.add(plain.rstrip("0").rstrip(".") if "." in plain else plain)
    return found


def check(draft: str, evidence: str, *, request: str = "") -> Checked:
    """Which sentences of a draft stand on the evidence. Words of the request may be used freely, its numbers too.

    A draft in another language than the request is dropped whole.
    """
    parts = sentences(draft)
    if request and language_of(draft) != language_of(request):
        return Checked((), tuple(parts))
    known = set(tokens(f"{evidence} {request}"))
    figures = numbers(evidence) | numbers(request)
    kept, dropped = [], []
    for part in parts:
        (kept if _stands(part, known, figures, evidence) and part not in kept else dropped).append(part)
    return Checked(tuple(kept), tuple(dropped))


def _stands(sentence: str, known: set[str], figures: set[str], evidence: str) -> bool:
    said = [t for t in tokens(sentence) if not t[0].isdigit()]
    if not said or not sentence.rstrip().endswith((".", "!", "。", "！", ")", "]", '"')):
        return False
    if not numbers(sentence) <= figures:
        return False
    if sum(t in known for t in said) < _MIN_SHARE * len(said):
        return False
    return not _turned(sentence, evidence)


def _turned(sentence: str, evidence: str) -> bool:
    """Whether the sentence compares at all: who is ahead is for the comparing tool to say, so such a sentence goes.

    Only a sentence that says the evidence's own comparison word for word is let through.
    """
    said = set(normal(sentence).replace(".", " ").replace(",", " ").split())
    if not said & (_MORE | _LESS):
        return False
    return normal(sentence).rstrip(".") not in normal(evidence)
