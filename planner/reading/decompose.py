"""The deterministic decomposition: from a request and tool descriptions to tool calls and what joins them.

It is general: it knows types, descriptions and the vocabulary of comparing, adding up and ordering, and nothing
of any subject. It serves where a model is too weak to plan, and it is what a stronger model's plan is held to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...tools.text import tokens
from ...tools.tool import Tool
from ...tools.values import Fact
from .choosing import (
    ALSO_READ,
    covering,
    leans,
    says_its_name,
    similarity,
    speaks_of,
    told_or_looked_up,
    unexplained,
    words_used,
)
from .errands import NO_HABIT, Habit, errands
from .filling.filling import about_of
from .filling.parameters import has_form, is_open
from .joining import Group, chained, gives, grouped
from .known.mentions import find
from .known.slots import Call, Fit, fit
from .reading import Reading

__all__ = ["Decomposition", "Group", "arguments_text", "decompose", "gives"]

_CLAUSE = re.compile(
    r"\s+(?:and(?: also)?|also|as well as)\s+|[;；,，。？?!！]\s*|\s+and,?\s+|并且|以及|还有|同时|和(?=[^和]*[?？]?$)"
)


@dataclass(frozen=True)
class Decomposition:
    """Tool calls for a request, in groups; `why` says for people how each tool came to be chosen."""

    groups: tuple[Group, ...] = ()
    why: tuple[str, ...] = ()
    certain: bool = True
    named: bool = field(default=False)

    @property
    def calls(self) -> list[Call]:
        """All calls, each once."""
        return list({call.key: call for group in self.groups for call in group.calls}.values())


def decompose(
    request: str,
    tools: Iterable[Tool],
    *,
    earlier: str = "",
    outline: str = "",
    collect: bool = False,
    habit: Habit = NO_HABIT,
) -> Decomposition:
    """The calls that a request asks of these tools; none where no tool fits.

    `earlier` is the user's message before, read for what this one leaves unsaid. `outline` is an author's task
    text, read together with the request. With `collect` every tool that takes a question is asked too.
    """
    offered = [t for t in tools if not t.combines]
    if not offered:
        return Decomposition((), ())
    opened = [t for t in offered if is_open(t) or not (has_form(t) or t.returns is Fact)]
    if any(map(is_open, opened)) and not collect:
        run = errands(Reading(request), opened, habit=habit)
        free = Decomposition(tuple(Group((call,)) for call in run.calls), run.why)
        rest = [t for t in offered if t not in opened]
        known = decompose(request, rest, earlier=earlier, outline=outline) if rest else Decomposition()
        return _better(free, known, Reading(request))
    reading = Reading(f"{request}\n{outline}" if outline else request)
    own = Reading(request)
    before = Reading(earlier) if earlier else None
    whole = _choose(offered, reading, own, before, collect)
    if outline:
        return whole
    clauses = [c for c in _CLAUSE.split(request) if c and c.strip()]
    if len(clauses) < 2 or len(clauses) > 6:
        return whole
    parts = [_choose(offered, Reading(c), Reading(c), None, False) for c in clauses]
    if (
        all(p.groups and p.certain and p.named for p in parts)
        and len({g.calls[0].key for p in parts for g in p.groups}) > 1
    ):
        covered = {c.key for p in parts for c in p.calls}
        if len(covered) > 1 and not any(g.join for g in whole.groups):
            return Decomposition(
                tuple(g for p in parts for g in p.groups),
                tuple(dict.fromkeys(w for p in parts for w in p.why)),
                named=True,
            )
    return whole


def _better(free: Decomposition, known: Decomposition, reading: Reading) -> Decomposition:
    """Calls of tools that take anything, or those of tools over known things: whichever has more of the request in it."""
    if not free.groups or not known.groups:
        return known if known.groups else free
    return free if _held(free.calls, reading) > _held(known.calls, reading) else known


def _held(calls: Sequence[Call], reading: Reading) -> float:
    """The share of a request's words that tools and their arguments have; a question handed on whole has none."""
    held: set[str] = set()
    for call in calls:
        held |= about_of(call.tool)
        for value in call.args.values():
            if isinstance(value, str | int | float) and value != reading.request.strip():
                held |= set(tokens(str(value), stop=False))
                held |= {
                    t
                    for o in call.tool.options.values()
                    for x in o
                    if x.value == value
                    for n in x.names
                    for t in tokens(n)
                }
    content = [w.stem for w in reading.terms]
    return sum(w in held for w in content) / max(1, len(content))


def _choose(
    tools: Sequence[Tool], reading: Reading, own: Reading, before: Reading | None, collect: bool
) -> Decomposition:
    options = {(t.name, p): o for t in tools for p, o in t.options.items()}
    found = find(options, reading)
    past = find(options, before) if before else {}
    similar = similarity(tools, reading)
    fits: list[Fit] = []
    for tool in tools:
        mine = {p: found.get((tool.name, p), []) for p in tool.options}
        theirs = {p: past.get((tool.name, p), []) for p in tool.options} if leans(reading, mine) else None
        fits.append(fit(tool, mine, reading, earlier=theirs))
    bound = [f for f in fits if f.complete and not f.asks and speaks_of(f, similar[f.tool.name], reading)]
    asked = [
        f
        for f in fits
        if f.complete and f.asks and (f.tool.effect == "read_only" or says_its_name(f.tool, reading))
    ]
    chosen = covering(bound, similar, reading)
    if asked and chosen and not collect:
        chosen = told_or_looked_up(chosen, reading, own)
    why = [f"{f.tool.name} fits: {words_used(f, reading)}" for f in chosen]
    unsaid = unexplained(chosen, reading) if chosen else 1.0
    if (not chosen or collect or unsaid > ALSO_READ or all(f.spread for f in chosen)) and asked:
        best = max(similar[f.tool.name] for f in asked)
        near = [f for f in asked if similar[f.tool.name] >= 0.8 * best]
        chosen += near
        why += [f"{f.tool.name} takes the question as it is" for f in near]
    links = chained(fits, chosen, reading)
    why += [f"{g.calls[0].tool.name} takes what another call gives" for g in links]
    groups = (*(g for f in chosen for g in grouped(f, reading, own)), *links)
    return Decomposition(
        groups,
        tuple(why),
        certain=not any(f.asks or f.spread for f in chosen),
        named=any(f.used for f in chosen),
    )


def arguments_text(args: Mapping[str, Any]) -> str:
    """Arguments in words, for the description of a task."""
    return ", ".join(str(v) for v in args.values() if v is not None)
