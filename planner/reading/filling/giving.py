"""Giving: which phrase goes to which parameter, so that on the whole the evidence is best."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ....tools.text import STOPWORDS, stem
from ..reading import Span
from .evidence import Evidence
from .parameters import Parameter, worded
from .phrases import Phrase, lead_of

_SURE = 2.4
_ANY = -1.2
_NEEDED = 1.2
_NO = re.compile(r"\b(?:no|not|without|don't|doesn't|exclude|excluding|except|never)\b|不|没有")


@dataclass(frozen=True, slots=True)
class _Offer:
    """A value that a parameter may take, how much speaks for it, and where it stands."""

    score: float
    value: Any
    spans: tuple[Span, ...]
    phrase: Phrase | None


def _regret(offered: Sequence[_Offer], least: float) -> float:
    """What a parameter would lose if it did not get the likeliest of what it is offered; `least` is what nothing is worth."""
    second = max(offered[1].score, least) if len(offered) > 1 else least
    return offered[0].score - second + 0.1 * offered[0].score


_WAYS = frozenset(
    stem(w)
    for w in "from to start end origin destination source target first second departure arrival base height width length".split()
)


def _paired(one: Parameter, two: Parameter) -> bool:
    """Whether two parameters are the ends of one thing."""
    return bool(_WAYS & set(one.words)) and bool(_WAYS & set(two.words))


class Giving:
    """What has been given to which parameter so far, and which phrases are spent on it."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.values: dict[str, Any] = {}
        self.chosen: dict[str, Phrase] = {}
        self.spent: list[Span] = []
        self.guessed: list[str] = []
        self.sum = 0.0
        self.scores: dict[str, float] = {}

    def take(self, wanted: Sequence[Parameter]) -> None:
        """Give what can be given: what enumerates first, then the best matches of all, then what is left over."""
        self._stated(wanted)
        for parameter in wanted:
            if parameter.kind == "list" and parameter.name not in self.values:
                self._listed(parameter)
        self._best(
            [p for p in wanted if p.name not in self.values and p.kind not in ("object", "boolean", "choice")]
        )
        for parameter in wanted:
            if parameter.name not in self.values and parameter.kind == "object":
                self._object(parameter)
        self._rest([p for p in wanted if p.required])

    def free(self, phrase: Phrase) -> bool:
        """Whether no value was made of a phrase yet."""
        return not any(s < phrase.span[1] and phrase.span[0] < e for s, e in self.spent)

    def give(self, parameter: Parameter, value: Any, phrase: Phrase | None, score: float) -> None:
        """Give a value to a parameter."""
        self.values[parameter.name] = value
        self.sum += score
        self.scores[parameter.name] = score
        if phrase is not None:
            self.chosen[parameter.name] = phrase
            self.spent.append(phrase.span)

    def _stated(self, wanted: Sequence[Parameter]) -> None:
        """Values that parameters enumerate, and yes or no. What two of them enumerate is given to the likelier one."""
        graded: list[tuple[float, int, Parameter, Any, Span | None]] = []
        for at, parameter in enumerate(wanted):
            if parameter.kind == "boolean" or _flag(parameter):
                self._yes_or_no(parameter)
            elif parameter.choices and parameter.kind != "list":
                alike = sum(p.choices == parameter.choices for p in wanted) > 1
                for rank, (value, span) in enumerate(self.mentioned(parameter)):
                    score = -0.2 * rank
                    if str(value).isdigit() and span is not None:
                        number = Phrase(int(value), span, "number")
                        score += self.evidence.of(replace(parameter, kind="integer"), number) - 1.0
                        if score < 0.8 and not parameter.required:
                            continue
                    if alike and span is not None:
                        phrase = Phrase(value, span, "words", lead=lead_of(self.evidence.reading, span[0]))
                        score += self.evidence.led(parameter, phrase) + self.evidence.beside(
                            parameter, phrase
                        )
                    graded.append((-score, at, parameter, value, span))
        graded.sort(key=lambda g: g[:2])
        for _, _, parameter, value, span in graded:
            shared = [p for p in wanted if p.choices == parameter.choices and p is not parameter]
            taken = any(p.name in self.chosen and self.chosen[p.name].span == span for p in shared)
            if parameter.name not in self.values and not taken:
                self.give(parameter, value, Phrase(value, span, "words") if span else None, 2.0)

    def mentioned(self, parameter: Parameter) -> list[tuple[Any, Span | None]]:
        """The values of an enumeration that stand in the request: the longest names first."""
        words = [
            w for w in self.evidence.reading.words if self.evidence.span[0] <= w.start < self.evidence.span[1]
        ]
        stems = [w.stem for w in words]
        text = self.evidence.reading.lower[slice(*self.evidence.span)]
        found: list[tuple[int, int, Any, Span | None]] = []
        for choice in parameter.choices:
            parts = [stem(w.lower()) for w in re.findall(r"[A-Za-z0-9']+", worded(str(choice)))]
            if not parts:
                at = text.find(str(choice).lower()) if str(choice) else -1
                if at >= 0 and len(str(choice)) > 1:
                    found.append((-len(str(choice)), at, choice, None))
                continue
            if len(str(choice)) < 2 and not parameter.closed:
                continue
            for n in range(len(stems) - len(parts) + 1):
                if stems[n : n + len(parts)] == parts and not (
                    len(str(choice)) == 1 and words[n].text != str(choice)
                ):
                    found.append((-len(parts), n, choice, (words[n].start, words[n + len(parts) - 1].end)))
                    break
        found.sort(key=lambda f: f[:2])
        return [(choice, span) for _, _, choice, span in found]

    def _yes_or_no(self, parameter: Parameter) -> None:
        """Yes where the words of a parameter's name are said, no where they are denied."""
        own = [w for w in parameter.words if w not in STOPWORDS and w not in _FLAGS]
        if not own:
            return
        said = self.evidence.said
        hits = [w for w in own if w in said]
        if len(hits) == len(own):
            words = [
                w
                for w in self.evidence.reading.words
                if w.stem == hits[0] and self.evidence.span[0] <= w.start < self.evidence.span[1]
            ]
            before = (
                self.evidence.reading.lower[max(0, words[0].start - 24) : words[0].start] if words else ""
            )
            yes = not _NO.search(before)
            self.values[parameter.name] = yes if parameter.kind == "boolean" else _flag(parameter)[not yes]
            self.sum += 1.0

    def _best(self, wanted: Sequence[Parameter]) -> None:
        """Each parameter its likeliest phrase; the one that would lose most by another chooses first.

        What is not required is given only where something speaks for it.
        """
        offers = {p.name: offered for p in wanted if (offered := self._offers(p))}
        kinds = {p.name: p for p in wanted}
        while offers:
            for name in list(offers):
                offers[name] = [o for o in offers[name] if all(self._unspent(s) for s in o.spans)]
                if not offers[name]:
                    del offers[name]
            if not offers:
                return
            for name in offers:
                offers[name].sort(key=lambda o: (-o.score + self._stranger(kinds[name], o), o.spans[0]))
            name = max(
                offers,
                key=lambda n: (
                    _regret(offers[n], self._least(kinds[n])) + (_NEEDED if kinds[n].required else 0.0)
                ),
            )
            chosen = offers.pop(name)[0]
            self.give(kinds[name], chosen.value, chosen.phrase, chosen.score)
            self.spent += chosen.spans

    def _stranger(self, parameter: Parameter, offer: _Offer) -> float:
        """What speaks against a value whose neighbours in a row went to a parameter of another sort: they are subjects
        of calls of their own."""
        if offer.phrase is None or offer.phrase.group < 0 or offer.phrase.sort == "words":
            return 0.0
        for name, phrase in self.chosen.items():
            if phrase.group == offer.phrase.group and phrase is not offer.phrase:
                other = next((p for p in self.evidence.siblings if p.name == name), None)
                if (
                    other is not None
                    and not set(other.words) & set(parameter.words)
                    and not _paired(other, parameter)
                ):
                    return 2.0
        return 0.0

    def _offers(self, parameter: Parameter) -> list[_Offer]:
        """What may be the value of a parameter, the likeliest first; of equals the earlier one."""
        if parameter.kind == "list":
            found = self._rows(parameter)
        else:
            found = [
                _Offer(self.evidence.of(parameter, p), self.evidence.value(parameter, p), (p.span,), p)
                for p in self.evidence.phrases
                if self.free(p)
            ]
        least = self._least(parameter)
        return sorted((o for o in found if o.score >= least), key=lambda o: (-o.score, o.spans[0]))

    def _unspent(self, span: Span) -> bool:
        return not any(s < span[1] and span[0] < e for s, e in self.spent)

    def _least(self, parameter: Parameter) -> float:
        """What must speak for a value at least."""
        return _ANY if parameter.required else self._enough(parameter)

    def _enough(self, parameter: Parameter) -> float:
        if parameter.kind == "list":
            return _SURE + 0.8
        return _SURE if parameter.kind in ("integer", "number") else 3.6 if not parameter.dated else 2.9

    def _listed(self, parameter: Parameter) -> None:
        """The values that a list's items enumerate, a list in brackets, or the fields of one object."""
        item = parameter.inner[0]
        if item.choices:
            if said := self.mentioned(item):
                self.values[parameter.name] = [v for v, _ in sorted(said, key=lambda s: s[1] or (0, 0))]
                self.sum += 1.5
                return
            if item.closed:
                return
        brackets = [p for p in self.evidence.phrases if p.sort == "list" and self.free(p)]
        if brackets:
            best = max(brackets, key=lambda p: self.evidence.beside(parameter, p))
            if parameter.required or self.evidence.beside(parameter, best) > 1.0:
                self.give(parameter, best.value, best, 2.0)
        elif item.kind == "object" and parameter.required:
            fields = Giving(self.evidence)
            fields.spent = list(self.spent)
            fields._best(item.inner)
            if fields.values:
                self.values[parameter.name] = [fields.values]
                self.spent = fields.spent

    def _rows(self, parameter: Parameter) -> list[_Offer]:
        """Rows of neighbours, and single phrases, as the value of a list."""
        item = parameter.inner[0]
        if item.kind in ("list", "object", "boolean") or item.closed:
            return []
        single = replace(parameter, kind=item.kind, form=item.form, inner=())
        rows: dict[int, list[Phrase]] = {}
        for n, phrase in enumerate(self.evidence.phrases):
            if self.free(phrase):
                rows.setdefault(phrase.group if phrase.group >= 0 else -n - 1, []).append(phrase)
        found: list[_Offer] = []
        for row in rows.values():
            scores = [self.evidence.of(single, p) for p in row]
            if min(scores) > float("-inf"):
                score = max(scores) + 0.6 * (len(row) > 1) + 0.15 * len(row)
                found.append(
                    _Offer(
                        score, [self.evidence.value(single, p) for p in row], tuple(p.span for p in row), None
                    )
                )
        return found

    def _object(self, parameter: Parameter) -> None:
        if not parameter.inner:
            return
        inner = Giving(self.evidence)
        inner.spent = list(self.spent)
        inner._stated(parameter.inner)
        inner._best(
            [
                p
                for p in parameter.inner
                if p.name not in inner.values and p.kind in ("integer", "number", "text", "date")
            ]
        )
        if inner.values and (parameter.required or inner.sum > _SURE):
            self.values[parameter.name] = inner.values
            self.spent = inner.spent
            self.sum += inner.sum

    def _rest(self, wanted: Sequence[Parameter]) -> None:
        """What is required and was not said: yes or no is no, an enumeration takes its usual value."""
        for parameter in wanted:
            if parameter.name in self.values:
                continue
            if parameter.default is not None:
                self.values[parameter.name] = parameter.default
            elif parameter.kind == "boolean":
                self.values[parameter.name] = bool(set(parameter.words) & set(self.evidence.said))
            elif parameter.closed and parameter.choices:
                self.values[parameter.name] = parameter.choices[0]
            else:
                continue
            self.guessed.append(parameter.name)


_FLAGS = frozenset(
    stem(w)
    for w in "include included is has show get return use enable enabled with allow allowed flag want".split()
)


def _flag(parameter: Parameter) -> tuple[Any, ...]:
    """How an enumeration of two words says yes and no, if that is what it does."""
    said = {str(choice).lower(): choice for choice in parameter.choices}
    for yes, no in (("true", "false"), ("yes", "no")):
        if parameter.closed and set(said) == {yes, no}:
            return said[yes], said[no]
    return ()
