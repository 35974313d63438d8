"""Signs: what the form of a request tells of what is wanted: its verbs, whether it asks, in which order, on which condition."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any, Literal, get_args

from ...reading.reading import Reading

Wish = Literal["tell", "write", "gather", "act", "plan"]
"""What the verb of a clause wishes for: to be told, a text, something found, something done, something organised."""

_HAN = re.compile(r"[\u3400-\u9fff]")
_CLAUSE = re.compile(
    r"(?<!\d)[.](?=\s|$)|[;!?\n,:；。！？，、：]"
    r"|\b(?:and then|and also|and|then|but|before you|or)\b|然后|接着|并且|之后|最后|随后|以及|(?<!合)并(?!不|非|没|列)"
)
_ENDS_ASKING = re.compile(r"(?:吗|呢|什么|多少|多久|怎样|怎么样|怎么办|哪里|几天|谁|怎样的|为什么)\W*$")
_SAID = (("see", "you"), ("see", "ya"), ("get", "well"), ("come", "on"), ("look", "forward"), ("name", "is"))
_ARTICLES = ("the", "my", "our", "them", "him", "her", "someone", "somebody")
_TOLD = re.compile(r"(?:告诉|通知|转告)(?!我|一下我|咱)\S{2}")
_MANY = 2
_LONG = 700


@dataclass(frozen=True)
class Words:
    """The vocabulary of `words.toml`, ready to match."""

    verbs: Mapping[str, Wish]
    verbs_zh: tuple[tuple[str, Wish], ...]
    leaders: Mapping[str, re.Pattern[str]]
    signs: Mapping[str, re.Pattern[str]]
    greetings: frozenset[str]


@lru_cache(maxsize=1)
def words() -> Words:
    """The vocabulary; read once."""
    raw: dict[str, Any] = tomllib.loads(files(__package__ or "").joinpath("words.toml").read_text("utf-8"))
    kinds: tuple[Wish, ...] = get_args(Wish)
    chinese: list[tuple[str, Wish]] = [
        (verb, kind) for kind in kinds for verb in raw["verbs_zh"][kind].split()
    ]
    return Words(
        verbs={verb: kind for kind in kinds for verb in raw["verbs"][kind].split()},
        verbs_zh=tuple(sorted(chinese, key=lambda pair: -len(pair[0]))),
        leaders={lang: re.compile(rf"^(?:\W*{one}(?![a-z]))+\W*") for lang, one in raw["leaders"].items()},
        signs={name: re.compile(pattern) for name, pattern in raw["signs"].items()},
        greetings=frozenset(raw["chat"]["greetings"].split()),
    )


@dataclass(frozen=True)
class Signs:
    """What stands in a request, whatever crew it is put to. Of a text that is pasted behind it only the beginning is read."""

    reading: Reading

    def says(self, sign: str) -> str:
        """The words by which a sign of the vocabulary shows; "" where it does not."""
        found = words().signs[sign].search(self.head)
        return found[0].strip(" ,.;") if found else ""

    @cached_property
    def head(self) -> str:
        """The request in lower case, without the text that it is about."""
        text = re.sub(r"[\"“「『][^\"”」』]{12,}[\"”」』]", "“…”", self.reading.lower)
        return text[:_LONG]

    @cached_property
    def numbered(self) -> int:
        """How many points a list in it has."""
        found = [m[0].strip() for m in words().signs["numbered"].finditer(self.head)]
        return len(found) if len(found) >= _MANY else 0

    @cached_property
    def wishes(self) -> tuple[tuple[Wish, str], ...]:
        """The clauses that wish for something, each with its kind and its verb, in order."""
        found: list[tuple[Wish, str]] = []
        for n, clause in enumerate(c for c in _CLAUSE.split(self.head) if c and c.strip()):
            wish = _chinese(clause) if _HAN.search(clause) else _english(clause, first=n == 0)
            if wish is not None:
                found.append(wish)
        return tuple(found)

    @cached_property
    def asks(self) -> bool:
        """Whether it has the form of a question, and is no wish put politely."""
        return bool(self.says("question")) and not (self.wishes and self.wishes[0][0] not in ("tell",))

    @cached_property
    def live(self) -> str:
        """The words by which it asks for what changes, or is somebody's own: no model knows it by heart."""
        return self.says("live") or ("" if self.says("howto") else self.says("mine"))


def _english(clause: str, *, first: bool) -> tuple[Wish, str] | None:
    vocabulary = words()
    text = clause.strip().replace("e-mail", "email")
    begun = vocabulary.leaders["en"].sub("", text)
    parts = re.findall(r"[a-z0-9'-]+", begun[:80])
    kind = vocabulary.verbs.get(parts[0]) if parts else None
    if kind is None:
        return None
    if len(parts) == 1 and not first and kind in ("write", "tell", "plan"):
        return None  # "fix", "name": as often a noun
    if kind == "tell" and parts[0] == "tell" and len(parts) > 1 and parts[1] not in ("me", "us", "about"):
        kind = "act"  # somebody else is to be told
    if tuple(parts[:2]) in _SAID:
        return None
    if parts[0] == "have" and not (len(parts) > 3 and parts[1] in _ARTICLES and not first):
        return None  # "have the editor cut it", not "have a nice day"
    if parts[0] == "turn" and "into" in parts:
        kind = "write"
    if vocabulary.signs["names"].match(begun):
        kind = "write"
    return kind, parts[0]


def _chinese(clause: str) -> tuple[Wish, str] | None:
    vocabulary = words()
    text = clause.strip()
    begun = vocabulary.leaders["zh"].sub("", text)
    bare = begun == text
    if _TOLD.match(begun):
        return "act", "告诉"
    for verb, kind in vocabulary.verbs_zh:
        if begun.startswith(verb):
            if bare and kind in ("act", "write") and "一" not in text[:4] and _ENDS_ASKING.search(text):
                return None  # a question about doing it: 退款要多久
            return kind, verb
    if re.search(r"^(?:把|将|给|为|用|从|跟|和|向|在|到|以|按|根据)", begun):
        inside = [pair for pair in vocabulary.verbs_zh if len(pair[0]) > 1 and pair[0] in begun]
        if inside and not vocabulary.signs["howto"].search(begun):
            verb, kind = min(inside, key=lambda pair: (begun.find(pair[0]), -len(pair[0])))
            return kind, verb
    return None
