"""Entry: one memory, for whom it is, who said it and when, and what has become of it."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ...tools.text import language_of, normal, tokens, words

Kind = Literal["fact", "preference", "episode", "entity"]
"""What holds, what somebody likes, what happened in a run, or what one attribute of one thing is."""

LONGEST = 2_000
"""Characters of one memory: what is longer is a document."""
_MOST_SAID = 20
_HALF_LIFE = 90 * 86400.0
_IDS = uuid.UUID("0d9c1d4e-2d0b-5f0e-9a4c-6f3f1c1e7a55")


class Scope(BaseModel):
    """For whom a memory is, or who asks: a tenant, and within it a crew, an agent's role, a user, a conversation.

    Of a memory, "" means all of them; of somebody who asks, that there is none. So a memory of one user is not told to
    somebody of whom nobody knows who it is. The tenant is the one that always has to be the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str = ""
    crew: str = ""
    agent: str = ""
    user: str = ""
    thread: str = ""

    def told_to(self, asker: Scope) -> bool:
        """Whether a memory of this scope may be told to this asker."""
        return self.tenant == asker.tenant and all(
            getattr(self, name) in ("", getattr(asker, name)) for name in NARROWINGS
        )


NARROWINGS = ("crew", "agent", "user", "thread")
"""What narrows a scope within its tenant."""


class Provenance(BaseModel):
    """Where a memory comes from: the run, task and conversation, when (seconds since the epoch), and who said it.

    `by` is ``user``, an agent's role, or empty. `key` is the idempotency key under which it was remembered.
    """

    model_config = ConfigDict(frozen=True)

    by: str = ""
    run_id: str = ""
    task_id: str = ""
    thread: str = ""
    at: float = 0.0
    key: str = ""


class Entry(BaseModel):
    """One memory. `text` says it in a sentence; an `entity` also has `subject`, `attribute` and `value`.

    `provenance` has everybody who said it, the first first, and the last twenty. `confidence` is between 0 and 1. What a
    newer value has taken the place of names that one in `superseded_by`, and stays as history; after `expires` (seconds
    since the epoch) it is no longer told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    text: str
    kind: Kind = "fact"
    scope: Scope = Scope()
    provenance: tuple[Provenance, ...] = ()
    confidence: float = Field(default=1.0, ge=0, le=1)
    subject: str = ""
    attribute: str = ""
    value: str = ""
    superseded_by: str = ""
    superseded_at: float | None = None
    expires: float | None = None

    @property
    def at(self) -> float:
        """When it was said last."""
        return max((said.at for said in self.provenance), default=0.0)

    @property
    def about(self) -> tuple[str, str]:
        """What an entity fact tells of, in one form: "Ann Lee's" phone number is "ann lee's" ``phone number``."""
        return plain(self.subject), plain(self.attribute)

    @property
    def words(self) -> str:
        """All that it says, for those who look for it."""
        return f"{self.subject} {self.attribute} {self.text}".strip() if self.kind == "entity" else self.text

    def current(self, now: float) -> bool:
        """Whether it still holds: nothing has taken its place, and it has not expired."""
        return not self.superseded_by and (self.expires is None or self.expires > now)

    def strength(self, now: float | None = None) -> float:
        """How much of it is left, 0 to 1: half of its confidence 90 days after it was said last, and so on.

        Exponential decay with the time since the last use, as in Park et al., "Generative Agents" (2023), slower.
        """
        age = max(0.0, (time.time() if now is None else now) - self.at)
        return self.confidence * math.pow(0.5, age / _HALF_LIFE)

    def said_again(self, other: Entry) -> Entry:
        """This memory, said once more by those who said the other one."""
        known = {said.key for said in self.provenance if said.key}
        every = [
            *self.provenance,
            *(said for said in other.provenance if not said.key or said.key not in known),
        ]
        return self.model_copy(
            update={
                "provenance": (every[0], *every[1:][-(_MOST_SAID - 1) :]) if every else (),
                "confidence": max(self.confidence, other.confidence),
                "expires": None
                if None in (self.expires, other.expires)
                else _later(self.expires, other.expires),
            }
        )


def id_of(key: str, tenant: str) -> str:
    """The id of what is remembered under an idempotency key, so that remembering it twice makes one memory."""
    return str(uuid.uuid5(_IDS, f"{tenant}\n{key}")) if key else str(uuid.uuid4())


def plain(text: str) -> str:
    """A name in one form: lower case, one space between words, without an article."""
    said = " ".join(normal(text).split())
    return said.removeprefix("the ").strip(" .。,，")


def gist(text: str) -> tuple[str, ...]:
    """What a text says, word by word, with its denials: equal for texts that say the same in nearly the same words."""
    found = tokens(text) or tokens(text, stop=False)
    return (*found, *sorted(_denials(text)))


def same_said(one: str, other: str) -> bool:
    """Whether two texts that mean much the same may be one memory: one has only words more than the other, in one order.

    A word that stands for another one (left and right, red and white) hardly shows in a vector. Neither does a denial or
    a figure. Chinese is never told by vectors: small models hardly tell its texts apart.
    """
    first, second = sorted((tokens(one), tokens(other)), key=len)
    rest = iter(second)
    return (
        "zh" not in (language_of(one), language_of(other))
        and all(token in rest for token in first)
        and sorted(_denials(one)) == sorted(_denials(other))
        and _figures(first) == _figures(second)
    )


def _denials(text: str) -> list[str]:
    said = [word for word in words(text) if word in _DENYING or word.replace("’", "'").endswith("n't")]
    return [*said, *(character for character in text if character in _DENYING_ZH)]


def _figures(found: Iterable[str]) -> list[str]:
    return [token for token in found if any(c.isdigit() for c in token)]


def _later(one: float | None, other: float | None) -> float:
    return max(one or 0.0, other or 0.0)


_DENYING = frozenset(
    "no not never none nobody neither nor cannot without rarely seldom hardly barely except unless only".split()
)
_DENYING_ZH = frozenset("不没无别未非")
