"""Segments: the parts of a request that may each ask for something, and which of them come after others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from .filling.phrases import sentences
from .lexicon import Lexicon, lexicon
from .reading import Reading, Span

_ASKING = (
    r"what(?:'s)?|how|who(?:'s)?|when|where(?:'s)?|which|why|is|are|does|do|did|can|could|will|would|should|"
    r"i(?:'d| would| want| need| also| am| wish|'m)|please|let|tell|give|provide|help|if"
)
_JOINT = (
    r"(?:\s*[,;，；、]\s*(?:and\s+|but\s+|or\s+)?|\s+(?:and|but)\s+|\s+(?=then\b|after that\b|followed by\b))"
)
_CONTAINED = re.compile(
    r"\"[^\"]*\"|“[^”]*”|「[^」]*」|《[^》]*》|(?<![A-Za-z0-9])'[^']*'(?![A-Za-z0-9])|\[[^\]]*\]|\([^)]*\)"
)
_CONDITION = re.compile(
    r"(?:given|if|assuming|considering|when|while|since|for|with|suppose|as|after|before|once|in case)\b"
)
_HEAD = re.compile(
    r"^(?:(?:and|but|so|then|also|next|finally|lastly|first(?:ly)?|second(?:ly)?|third(?:ly)?"
    r"|after(?:wards| that)?|additionally|please|now|once done|\w+ly)\b[\s,]*)+"
)
_WISH = re.compile(
    r"\bi(?:'d| would|'m| am)? (?:also )?(?:need|want|wish|like|hope|looking|interested|trying|going)"
    r"|\b(?:can|could|would|will) you\b|\bplease\b|\blet me know\b|\b(?:help|tell|give|show) me\b"
    r"|^\W*(?:what|how|who|when|where|which|why|is|are|does|do|did)\b|\bneeds? to\b|\bwants? to\b|\bwould like\b"
    r"|\b(?:also|then) \w+"
)
MOST = 24
"""A request is cut into so many segments at most; what follows belongs to the last one."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a request. `after` says that it is to be done when the one before is, `asks` that it
    begins as one does who wants something, and does not only tell how things stand."""

    span: Span
    after: bool = False
    asks: bool = True


def segments(reading: Reading, verbs: frozenset[str]) -> list[Segment]:
    """The parts of a request: its sentences, cut where a new verb of asking begins. `verbs` are those of the tools."""
    text = reading.lower
    hidden = [m.span() for m in _CONTAINED.finditer(text) if m.end() - m.start() < 0.9 * len(text)]
    opener = _openers(verbs)
    found: list[Segment] = []
    for start, end in _whole(sentences(reading.text), hidden):
        cuts = [start]
        waits = _CONDITION.match(text[start:end].lstrip(" \"'")) is not None
        for match in opener.finditer(text, start, end):
            if waits:
                waits = False
                continue
            at = match.start(match.lastgroup or 0)
            if match.start() > start + 2 and not any(s < at < e for s, e in hidden):
                cuts.append(at)
        ends = [*cuts[1:], end]
        found += [
            Segment((a, b), _after(text[a:b], reading.words_of), _asks(text[a:b], verbs))
            for a, b in zip(cuts, ends, strict=True)
        ]
    if len(found) > MOST:
        found = [
            *found[: MOST - 1],
            replace(found[MOST - 1], span=(found[MOST - 1].span[0], found[-1].span[1])),
        ]
    return found


def _whole(spans: Sequence[Span], hidden: Sequence[Span]) -> list[Span]:
    """Sentences, those put together again that were cut within quotation marks or brackets."""
    found: list[Span] = []
    for start, end in spans:
        if found and any(s < found[-1][1] < e or s < start < e for s, e in hidden):
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


@lru_cache(maxsize=256)
def _openers(verbs: frozenset[str]) -> re.Pattern[str]:
    """Where a new part begins: a joining word or sign, perhaps a word of order, and a verb of asking."""
    vocabulary = lexicon()
    order = "|".join(re.escape(w) for w in (*vocabulary.after, *vocabulary.also) if w.isascii())
    known = sorted((w for w in verbs | vocabulary.verbs if len(w) > 1), key=len, reverse=True)
    latin = "|".join(re.escape(w) for w in known if w.isascii() and len(w) > 2)
    han = "|".join(re.escape(w) for w in known if not w.isascii())
    later = "|".join(re.escape(w) for w in (*vocabulary.after, *vocabulary.also) if not w.isascii())
    return re.compile(
        rf"{_JOINT}(?P<head>(?:(?:{order})\b\s*,?\s*)?(?:(?:{_ASKING})\b|(?:{latin})\b(?!\s*(?:and|or|is|are|of|,)\b)))"
        rf"|[，,、；]?(?P<later>(?:{later})(?:请|帮我|把)?(?=\S))|[，；](?P<han>(?:请|帮我|把)*(?:{han}))"
    )


def _asks(text: str, verbs: frozenset[str]) -> bool:
    """Whether a part asks for something: a question, a wish, or a verb of doing at its head."""
    if not text.isascii() or text.rstrip().endswith("?"):
        return True
    said = _HEAD.sub("", text.lstrip(" ,;\"'"))
    first = re.match(r"[a-z']+", said)
    return _WISH.search(text) is not None or (first is not None and first[0] in verbs)


def _after(text: str, vocabulary: Lexicon) -> bool:
    said = text.lstrip(" ,;\"'“")
    said = re.sub(r"^and\s+", "", said)
    return any(
        said.startswith(w) and (not w.isascii() or not said[len(w) : len(w) + 1].isalnum())
        for w in vocabulary.after
    )
