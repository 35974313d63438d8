"""Keys: what two calls must share so that the reply to one is the reply to the other."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Any

from ....agents.model import ModelRequest

_VERSION = 1
"""Raised when kept replies must not be read any more by what reads them now."""
_TELLING = re.compile(
    r"\d+(?:[.,:/]\d+)*|\b(?:not?|never|none|nothing|neither|nor|without|except|unless)\b|n['’]t\b|[不没無无非未]",
    re.IGNORECASE,
)
"""Words that turn a question into another one and hardly move its vector: figures, and those that deny."""
_NAME = re.compile(r"[^\W\d_]+")
_ENDS = ".!?:。！？：\n"


def determined(request: ModelRequest) -> bool:
    """Whether the same request gets the same reply: nothing is drawn, or what is drawn has a seed."""
    return request.temperature == 0 or request.seed is not None


def exact_key(request: ModelRequest, *, model: str, space: str = "") -> str:
    """One key for all that the reply depends on, and for whom it is.

    `model` is the one that will serve it, whether or not the request names it. Schemas and arguments count in the
    order in which they are written: engines write objects in the order of the schema.
    """
    return _hash(["exact", *_whose(request, model, space), _identity(request)])


def place_key(request: ModelRequest, *, model: str, space: str = "") -> str:
    """One key for all of a request but the words of its last message; figures, denials and names in those count."""
    last = request.messages[-1]
    said = _identity(request)
    said["messages"] = said["messages"][:-1]
    telling = [word.lower() for word in _TELLING.findall(last.content)]
    names = _names(last.content)
    return _hash(["semantic", *_whose(request, model, space), said, last.role, telling, names])


def _names(text: str) -> list[str]:
    """The words with a capital that no sentence begins with, in their order: who is older than whom."""
    return [
        word[0].lower()
        for word in _NAME.finditer(text)
        if len(word[0]) > 1
        and word[0][0].isupper()
        and (before := text[: word.start()].rstrip())
        and before[-1] not in _ENDS
    ]


def _whose(request: ModelRequest, model: str, space: str) -> list[Any]:
    return [_VERSION, space, request.hints.tenant if request.hints else "", model]


def _identity(request: ModelRequest) -> dict[str, Any]:
    said = request.identity()
    del said["model"]
    said["temperature"] = float(request.temperature)  # 0 and 0.0 are one temperature, and two texts
    if "top_p" in said:
        said["top_p"] = float(request.top_p)
    return said


def _hash(said: list[Any]) -> str:
    return sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()
