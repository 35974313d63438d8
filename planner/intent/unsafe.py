"""Unsafe: what is asked to harm people, and the fixed sentences with which it is refused.

Narrow rules over English and Chinese, so that talk about dangerous things stays possible: of processes that are killed, of
history and stories, of protection. They are a first fence before any work is begun, and no moderation: who is set on it
finds words around them, and other languages are not read.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from .kinds import Harm

_HEAD, _TAIL = 6_000, 2_000
_SENTENCE = re.compile(r"(?<=[.!?。！？；\n])\s*")
_TOGETHER = 2
_HAN = re.compile(r"[\u3400-\u9fff]")
_HIDDEN = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")


class Rule(NamedTuple):
    """All of `every` stand together, and none of `none`; `chinese` says in which language it reads."""

    harm: Harm
    every: tuple[re.Pattern[str], ...]
    none: tuple[re.Pattern[str], ...]
    chinese: bool


@dataclass(frozen=True)
class Rules:
    """The rules of `unsafe.toml` and the answers, ready."""

    rules: tuple[Rule, ...]
    answers: Mapping[str, str]


@lru_cache(maxsize=1)
def rules() -> Rules:
    """The rules; read once."""
    raw: dict[str, Any] = tomllib.loads(files(__package__ or "").joinpath("unsafe.toml").read_text("utf-8"))
    phrases: dict[str, str] = {**raw["phrases"], **raw["phrases_zh"]}

    def pattern(text: str) -> re.Pattern[str]:
        filled = re.sub(r"\{([a-z_]+)\}", lambda found: f"(?:{phrases[found[1]]})", text)
        return re.compile(filled)

    made = [
        Rule(
            one["harm"],
            tuple(map(pattern, one["all"])),
            tuple(map(pattern, one["none"])),
            any(_HAN.search(text) or "{z_" in text for text in one["all"]),
        )
        for one in raw["rule"]
    ]
    return Rules(tuple(made), raw["answers"])


def harm_in(request: str) -> Harm:
    """What a request would harm, or with what; "" where nothing tells that it would.

    Of very long requests the beginning and the end are read.
    """
    text = request if len(request) <= _HEAD + _TAIL else f"{request[:_HEAD]}\n{request[-_TAIL:]}"
    low = _HIDDEN.sub("", unicodedata.normalize("NFKC", text)).replace("’", "'").lower()
    chinese = _HAN.search(low) is not None
    sentences = [s for s in _SENTENCE.split(low) if s.strip()]
    spans = [" ".join(sentences[n : n + _TOGETHER]) for n in range(max(1, len(sentences) - _TOGETHER + 1))]
    for rule in rules().rules:
        if rule.chinese and not chinese:
            continue
        for span in spans:
            if all(p.search(span) for p in rule.every) and not any(p.search(span) for p in rule.none):
                return rule.harm
    return ""


def refusal(language: str, harm: Harm = "") -> str:
    """The fixed answer to an unsafe request: a caring one where somebody would harm themselves. English unless "zh"."""
    own = "zh" if language == "zh" else "en"
    answers = rules().answers
    return answers.get(f"{own}_{harm}", answers[own])
