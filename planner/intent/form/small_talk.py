"""Intent: whether a request is small talk, which needs no plan. Rules only; unsure means: plan."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ....tools.tool import Tool
from ...reading.known.mentions import find
from ...reading.reading import Reading

_LEFT_OVER = 3
_LONG = 200
_CODE = re.compile(r"[_`]|\b[A-Z]{3,}\b")


_YOU = re.compile(r"\b(you|your|yours|yourself|you're|you've|you'll|u)\b|你|您")
_DOES = (
    "tell|show|explain|give|find|list|compare|look|check|say|name|work|calculate|compute|convert|summari[sz]e|describe|"
    "search|write|read|help me (?:find|with|to|understand)"
)
_ASKS = re.compile(
    rf"\b(?:can|could|would|will|do) you (?:please |kindly |also |quickly )*(?:{_DOES})|\bdo you (?:know|happen)"
    r"|\b(?:tell|show|give|get|find|remind) (?:me|us)\b|\bi (?:want|need|would like|'d like)\b"
    r"|\bi (?:wonder|'m wondering|was wondering)\b|你知道|告诉|查|请问|帮我(?!做)|列出|比较|计算|解释|介绍"
)
_OPENERS = "i|i'm|i am|im|we|we're|that|that's|it|it's|wow|oh|ok|okay|cool|nice|great|well|ha|haha|lol|let's|my|just|no|yes|yeah"
_CHATS = re.compile(rf"^\W*({_OPENERS})\b|[吧啦呀哦哈嗯]\W*$")
_SAYS = re.compile(r"\b(?:i|i'm|i've|i was|we|that's|this is|that was)\b")
_SHORT = 12
_FEW = 5


def is_small_talk(request: str, tools: Iterable[Tool] = ()) -> bool:
    """Whether a request is greeting, thanks or chatter and little else.

    What names a value of one of the `tools` is never small talk; what speaks to the assistant about itself, or
    says something without asking for anything, is.
    """
    reading = Reading(request)
    if len(request) > _LONG:
        return False
    if greets(reading):
        return True
    named = find({(t.name, p): o for t in tools for p, o in t.options.items()}, reading)
    if (
        any(m.named for mentions in named.values() for m in mentions)
        or reading.numbers
        or reading.length > 2 * _SHORT
    ):
        return False
    if _ASKS.search(reading.lower) or _CODE.search(request):
        return False
    content = [w for w in reading.words if w in reading.terms and w.stem not in reading.words_of.plain]
    if _YOU.search(reading.lower):
        return len(content) <= _FEW * (1 if reading.lang == "en" else 2)
    says = "?" not in reading.text and reading.length <= _SHORT
    return says and (_CHATS.search(reading.lower) or _SAYS.search(reading.lower)) is not None


def greets(reading: Reading) -> bool:
    """Whether phrases of greeting, thanks and chatter make up most of it."""
    spans = reading.small_talk
    if not spans:
        return False
    rest = [t for t in reading.words if not any(s <= t.start and t.end <= e for s, e in spans)]
    content = [t for t in rest if t in reading.terms]
    return len(content) <= _LEFT_OVER or sum(e - s for s, e in spans) * 2 >= len(reading.text.strip())
