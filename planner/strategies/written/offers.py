"""Offers: which parts of a task that may be left out are worth offering for a request.

Small models use what they are offered, so a part is offered where the request speaks of it. Words of general language,
English and Chinese.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ....runtime.budget import Budget

_CONDITION = re.compile(
    r"\b(if|unless|only when|whenever|in case|otherwise|provided that|as long as)\b"
    r"|如果|若是|假如|要是|倘若|否则|除非|只有|的话",
    re.IGNORECASE,
)
_CONSENT = re.compile(
    r"\b(ask(ing)? me|ask(ing)? (for|first|before)|approv\w+|confirm\w*|permission|consent|my (ok|okay|go-ahead)|sign[- ]?off)\b"
    r"|批准|同意|确认|许可|允许|先问|问我|征求",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"\b(budget|at most|no more than|spend(ing)?|cheap\w*|limit(ed)? (to|of)|within \d+)\b"
    r"|预算|最多|不超过|花费|限制|以内",
    re.IGNORECASE,
)
LIMITS = ("tokens", "seconds", "tool_calls", "money")


@dataclass(frozen=True, slots=True)
class Offers:
    """What a plan may say of its tasks beside their calls.

    `when`: conditions. `approval`: that a person is asked first (of tools with an effect it may be said in any case).
    `limits`: what a task's own budget may limit; where there are any, tasks may be called optional too. `words`: what
    asks more of a model: tasks in words, for agents to work out by themselves, and calls for each of several values.
    """

    when: bool = False
    approval: bool = False
    limits: tuple[str, ...] = ()
    words: bool = False


def offers_of(request: str, budget: Budget | None = None, *, words: bool = False) -> Offers:
    """What is worth offering for a request under a budget."""
    limited = tuple(name for name in LIMITS if budget is not None and getattr(budget, name) is not None)
    return Offers(
        when=_CONDITION.search(request) is not None,
        approval=_CONSENT.search(request) is not None,
        limits=limited or (LIMITS if _LIMIT.search(request) else ()),
        words=words,
    )
