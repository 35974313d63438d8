"""Holds what a model wrote against the evidence, sentence by sentence.

The evidence comes as units: a fact, a sentence of a document. A drafted sentence stands only if everything in it
that the evidence speaks of comes from one unit, numbers included, if it says something that the request did not
already say, if little in it is of the model's own, and if it neither compares nor denies where the unit does not.
This is a check of words, not of meaning: it keeps a small model from joining the figure of one thing to the name
of another or adding claims of its own. What it removes is said aloud.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..tools.knowledge.passages import sentences
from ..tools.text import language_of, normal, tokens

_NUMBER = re.compile(r"(?<![A-Za-z0-9_.])\d[\d,]*(?:\.\d+)?")
_OWN_SHARE = 0.25
_COMPARES = frozenset(
    (
        "more larger bigger higher greater most largest highest exceeds over above "
        "less fewer smaller lower least smallest lowest below under than same equal"
    ).split()
)
_DENIES = frozenset("not no never cannot none neither nor without yes".split())


@dataclass(frozen=True, slots=True)
class Checked:
    """The sentences of a draft that the evidence bears out, and those that it does not."""

    kept: tuple[str, ...]
    dropped: tuple[str, ...]


def numbers(text: str) -> set[str]:
    """The numbers in a text in one form: no separators, no trailing zeros."""
    found = set()
    for match in _NUMBER.findall(normal(text)):
        plain = match.replace(",", "")
        found.add(plain.rstrip("0").rstrip(".") if "." in plain else plain)
    return found


def check(draft: str, units: Sequence[str], *, request: str = "") -> Checked:
    """Which sentences of a draft stand on the evidence. A draft in another language than the request falls whole."""
    parts = list(dict.fromkeys(sentences(draft)))
    if request and language_of(draft) != language_of(request):
        return Checked((), tuple(parts))
    asked = set(tokens(request))
    bags = [(unit, set(tokens(unit)), numbers(unit)) for unit in units]
    known = {token for _, bag, _ in bags for token in bag}
    kept = [
        p for p in parts if any(_stands(p, unit, bag, figures, known, asked) for unit, bag, figures in bags)
    ]
    return Checked(tuple(kept), tuple(p for p in parts if p not in kept))


def _stands(
    sentence: str, unit: str, bag: set[str], figures: set[str], known: set[str], asked: set[str]
) -> bool:
    if not sentence.rstrip().endswith((".", "!", "。", "！", ")", "]", '"')):
        return False  # broken off
    if not numbers(sentence) <= figures:
        return False
    said = {t for t in tokens(sentence) if not t[0].isdigit()}
    shared = said & known
    if not shared <= bag or not (shared - asked or numbers(sentence)):
        return False  # joins two units, or says nothing that was not asked
    if len(said - known - asked) > _OWN_SHARE * len(said):
        return False
    if bool(_plain_words(sentence, _DENIES)) != bool(_plain_words(unit, _DENIES)):
        return False
    return _plain_words(sentence, _COMPARES | _DENIES) <= _plain_words(unit, _COMPARES | _DENIES)


def _plain_words(text: str, of_interest: frozenset[str]) -> set[str]:
    found = set(re.findall(r"[a-z]+", normal(text).replace("n't", " not")))
    return found & of_interest
