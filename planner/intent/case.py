"""A case: one request for one crew, with what was said before it, read once and judged as often as more becomes known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ...agents.crew import Crew
from ...agents.model import Message
from ..reading.reading import Reading
from .examples import Shares, index, language_for, voted
from .form.signs import Signs, words
from .form.small_talk import greets, is_small_talk
from .judging import MANY_WORDS, Guess, for_crew, wanted
from .kinds import UNSURE, Kind
from .offers import Offer

HEAD = 4_000
"""Of a longer request only so many characters are read."""

KNOWN = ("en", "zh")
"""The languages whose words are known here."""

NOTHING: Mapping[str, float] = MappingProxyType({})


class Case:
    """One request for one crew, with what was said before it."""

    def __init__(self, request: str, crew: Crew, history: Sequence[Message], language: str) -> None:
        self.request, self.crew, self.history, self.language = request, crew, history, language
        self.signs = Signs(Reading(request[:HEAD]))
        earlier = next((m.content for m in reversed(history) if m.role == "user"), "")
        self.offer = Offer(crew, self.signs, earlier)
        self.open = UNSURE.why

    def guess(self, shares: Shares, means: Mapping[str, float] = NOTHING) -> Guess | None:
        """What it is, by the rules and by how the examples like it vote; None where only a planner can tell.

        `means` says how near each tool's description is in meaning, where that is known.
        """
        if self.history and self.signs.says("answers"):
            self.open = "It answers what was said before, so it is planned with that."
            return None
        if self.language not in KNOWN:
            return self._foreign()
        want = wanted(self.signs, shares, talks=self._talks())
        return for_crew(want, self.offer, self.signs, means=means)

    def letters(self) -> Shares:
        """How the examples vote that are written like it; all alike on a long one, for no example is long."""
        if self.signs.reading.length > MANY_WORDS:
            return voted(())
        return index(language_for(self.request)).shares(self.signs.head)

    def _talks(self) -> str:
        if any(kind != "tell" for kind, _ in self.signs.wishes):
            return ""
        if greets(self.signs.reading):
            return "surely"
        return "maybe" if is_small_talk(self.request, self.crew.toolset.values()) else ""

    def _foreign(self) -> Guess | None:
        """In a language whose words are not known here the form alone tells a little."""
        said = self.request.lower().split()
        plain = [w.strip(".,!?¡¿！？。、…") for w in said]
        if plain and sum(w in words().greetings for w in plain) * 2 >= len(plain):
            return Guess("small_talk", "small_talk:foreign", "It greets or thanks, in another language.")
        one = self.request.count("?") + self.request.count("？") + self.request.count("؟") == 1
        if one and len(said) <= 16 and not self.offer.tools:
            kind: Kind = "documents" if self.offer.documents else "question"
            return Guess(kind, f"{kind}:foreign", "It is one question, in another language.")
        if self.offer.fitting and len(said) <= 16:
            return Guess("tools", "tools:foreign", "It names what a tool must be told, in another language.")
        self.open = "It is in a language whose words are not known here, so it is planned."
        return None
