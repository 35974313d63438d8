"""Sentences: a message cut into pieces that each say one thing, with the place of each, and what is distinctive in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LONGEST = 320
_SENTENCE = re.compile(r"\S[^\n]*?(?:[.!?]+[\"'”’)\]]*(?=\s)|[。！？]+[”’」』）]*|(?=\n)|$)", re.MULTILINE)
_ABBREVIATED = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|Mrs?|Ms|Dr|Prof|Sr|Jr|St|Mt|No|Nr|vs|etc|cf|approx|e\.g|i\.e|a\.m|p\.m)\.$"
)
_QUESTION = re.compile(r"[?？][\"'”’」』）)\]]*\s*$|[吗呢]\s*$")
_MARK = re.compile(
    r"(?<![\w.])[A-Za-z_]*[-#/]?\d[\w.,:/%#-]*\w|(?<![\w.,])\d{2,}"  # codes, amounts, dates
    r"|[\w.+-]+@[\w-]+\.[\w.]+|https?://\S+"
    r"|“[^”\n]{1,60}”|\"[^\"\n]{1,60}\"|《[^》\n]{1,60}》|「[^」\n]{1,60}」"
    r"|(?<=[a-z,;] )[A-Z][\w'-]+"  # a name, where no sentence begins
)


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where each sentence begins and ends; a very long one is cut at a space."""
    begin = -1
    for found in _SENTENCE.finditer(text):
        begin = found.start() if begin < 0 else begin
        end = found.end()
        if end - begin < _LONGEST and _ABBREVIATED.search(text, begin, end) and text[end : end + 1] == " ":
            continue
        while end - begin > _LONGEST:
            space = text.rfind(" ", begin + _LONGEST // 2, begin + _LONGEST)
            cut = space if space > 0 else begin + _LONGEST
            yield begin, cut
            begin = cut + (space > 0)
        if begin < end:
            yield begin, end
        begin = -1
    if begin >= 0:
        yield begin, len(text.rstrip())


def asks(sentence: str) -> bool:
    """Whether it is a question."""
    return _QUESTION.search(sentence) is not None


def marks(text: str) -> frozenset[str]:
    """What is distinctive in a text, so that who says it again means the same: codes, amounts, quotations, names."""
    return frozenset(found.strip('"“”《》「」.,:;').lower() for found in _MARK.findall(text))
