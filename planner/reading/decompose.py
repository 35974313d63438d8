"""The deterministic decomposition: from a request and tool descriptions to tool calls and what joins them.

It is general: it knows types, descriptions and the vocabulary of comparing, adding up and ordering, and nothing
of any subject. It serves where a model is too weak to plan, and it is what a stronger model's plan is held to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from ...tools.text import tokens
from ...tools.tool import Option, Tool
from ...tools.values import Fact
from .errands import NO_HABIT, Habit, errands
from .filling.filling import about_of
from .filling.parameters import has_form, is_open
from .mentions import Mention, find
from .reading import Reading, Span
from .slots import Call, Fit, fit

_CLAUSE = re.compile(
    r"\s+(?:and(?: also)?|also|as well as)\s+|[;；,，。？?!！]\s*|\s+and,?\s+|并且|以及|还有|同时|和(?=[^和]*[?？]?$)"
)
_MIN_SIMILAR = 0.12
_WORTH = 0.9
_GUESSED = 2.0
_KIN = 0.6
_PAIR = 2
_ALSO_READ = 0.34
_ONLY_READ = 0.5
_NAME = 2.0


@dataclass(frozen=True)
class Group:
    """Calls whose results belong together, and the tool that joins them (None: they stand side by side)."""

    calls: tuple[Call, ...]
    join: str | None = None


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
    similar = _similarity(tools, reading)
    fits: list[Fit] = []
    for tool in tools:
        mine = {p: found.get((tool.name, p), []) for p in tool.options}
        theirs = {p: past.get((tool.name, p), []) for p in tool.options} if _leans(reading, mine) else None
        fits.append(fit(tool, mine, reading, earlier=theirs))
    bound = [f for f in fits if f.complete and not f.asks and _speaks_of(f, similar[f.tool.name], reading)]
    asked = [
        f for f in fits if f.complete and f.asks and (f.tool.effect == "read_only" or _said(f.tool, reading))
    ]
    chosen = _cover(bound, similar, reading)
    if asked and chosen and not collect:
        chosen = _told_or_looked_up(chosen, reading, own)
    why = [f"{f.tool.name} fits: {_used(f, reading)}" for f in chosen]
    unsaid = unexplained(chosen, reading) if chosen else 1.0
    if (not chosen or collect or unsaid > _ALSO_READ or all(f.spread for f in chosen)) and asked:
        best = max(similar[f.tool.name] for f in asked)
        near = [f for f in asked if similar[f.tool.name] >= 0.8 * best]
        chosen += near
        why += [f"{f.tool.name} takes the question as it is" for f in near]
    links = _chained(fits, chosen, reading)
    why += [f"{g.calls[0].tool.name} takes what another call gives" for g in links]
    groups = (*(g for f in chosen for g in _grouped(f, reading, own)), *links)
    return Decomposition(
        groups,
        tuple(why),
        certain=not any(f.asks or f.spread for f in chosen),
        named=any(f.used for f in chosen),
    )


def _said(tool: Tool, reading: Reading) -> bool:
    """Whether a request says what a tool is called: one that changes something is never run on a guess."""
    asked = {t.stem for t in reading.terms}
    kin = {other for t in asked for other in reading.words_of.relatives(t)}
    return bool((asked | kin) & set(tokens(tool.name.replace("_", " ")))) or bool(
        {t for t in asked if not t.isascii()} & {t for t in tokens(tool.description) if len(t) == _PAIR}
    )


def _speaks_of(f: Fit, similar: float, reading: Reading) -> bool:
    """Whether a request speaks of a tool at all: it names a value of it, or says what it does.

    A number alone fits every tool that takes numbers.
    """
    if f.tool.effect != "read_only" and not _said(f.tool, reading):
        return False
    named = any(f.tool.options.get(name) for name in f.known) and bool(f.used)
    return named or similar >= 2 * _MIN_SIMILAR or (f.coverage > 0 and (f.arithmetic or not f.counts))


def _told_or_looked_up(chosen: list[Fit], reading: Reading, own: Reading) -> list[Fit]:
    """The bound calls, unless what they leave unsaid of the request shows that it is about something else.

    A question for a reason is for the documents, and so is one most of whose words the calls do not use, unless
    it names two things that they do.
    """
    unsaid = unexplained(chosen, reading)
    if own.explains and unsaid > 0:
        return []
    sure = any(sum(weight >= 1.0 for weight in f.used.values()) > 1 for f in chosen)
    if (unsaid > _ONLY_READ and not sure) or (unsaid > _ALSO_READ and any(f.spread for f in chosen)):
        return []
    return chosen


def unexplained(chosen: Sequence[Fit], reading: Reading) -> float:
    """The share of a request's content words that calls do not use and general vocabulary does not account for."""
    vocabulary = reading.words_of
    spans = [span for f in chosen for span in f.used]
    spans += [span for _, span in (*reading.extremes, *reading.numbers)]
    about = " ".join(f"{f.tool.name.replace('_', ' ')} {f.tool.description.split(':')[0]}" for f in chosen)
    bound = " ".join(
        f"{o.value} {' '.join(o.names)}"
        for f in chosen
        for n, o in _bound(f)
        if len(f.tool.options[n]) <= _PAIR * 6
    )
    things = set(tokens(f"{about} {bound.replace('_', ' ')}"))
    kin = {other for t in things for other in vocabulary.relatives(t)}
    if reading.compares:
        kin |= {stem for row in vocabulary.kin for stem in row.stems}
    terms = set(reading.terms)
    content = [w for w in reading.words if w in terms and not w.text.isdigit()]
    told = things | kin | vocabulary.plain
    used = {place for s, e in spans for place in range(s, e)}
    pairs = {w.text for w in reading.terms if len(w.text) == _PAIR and not w.text.isascii()}
    known = "".join(p for p in pairs if p in told)
    left = [
        w
        for w in content
        if w.stem not in told and w.text not in known and not used.issuperset(range(w.start, w.end))
    ]
    return len(left) / max(1, len(content))


def _bound(chosen: Fit) -> Iterator[tuple[str, Option]]:
    """The values that a fit's calls give to enumerated parameters, each with its parameter."""
    for name, options in chosen.tool.options.items():
        given = {str(v) for call in chosen.calls for v in _listed(call.args.get(name))}
        yield from ((name, option) for option in options if option.value in given)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _leans(reading: Reading, mentions: Mapping[str, list[Mention]]) -> bool:
    """Whether a message leans on the one before: it says something of this tool, and little else."""
    said = any(m.named for found in mentions.values() for m in found)
    points_back = re.search(
        r"\b(it|its|they|their|them|there|that one|what about|how about)\b|它|他们|那|呢", reading.lower
    )
    return (said and len(reading.terms) <= 4) or points_back is not None


def _used(chosen: Fit, reading: Reading) -> str:
    parts = dict.fromkeys(reading.text[s:e] for s, e in sorted(chosen.used) if e - s < len(reading.text))
    return ", ".join(f"“{p}”" for p in parts) or "its description"


def _similarity(tools: Sequence[Tool], reading: Reading) -> dict[str, float]:
    """For each tool, the share of the request's content words (or, for less, of their kin) that describe it."""
    asked = {t.stem: set(reading.words_of.relatives(t.stem)) for t in reading.terms}
    bags = {t.name: set(tokens(f"{t.name.replace('_', ' ')} {t.description}")) for t in tools}
    return {
        name: sum(1.0 if t in bag else _KIN if kin & bag else 0.0 for t, kin in asked.items())
        / max(1, len(asked))
        for name, bag in bags.items()
    }


def _cover(fits: Sequence[Fit], similar: Mapping[str, float], reading: Reading) -> list[Fit]:
    """The fewest tools that use what the request names: the best first, then those that use names still unused."""
    compared = any(len(f.calls) > 1 for f in fits) and reading.compares
    chosen: list[Fit] = []
    used: set[Span] = set()
    rest = list(fits)

    def gain(f: Fit) -> float:
        return sum(w for span, w in f.used.items() if not any(_overlap(span, u) for u in used))

    def score(f: Fit) -> float:
        joined = 0.6 if compared and len(f.calls) > 1 else 0.0
        return gain(f) + joined + similar[f.tool.name] - (_GUESSED if f.spread else 0.0)

    while rest:
        best = max(rest, key=score)
        rest.remove(best)
        if chosen and best.spread:
            continue
        if chosen and not any(
            w >= _NAME and not any(_overlap(span, u) for u in used) for span, w in best.used.items()
        ):
            continue
        chosen.append(best)
        used |= set(best.used)
    return chosen


def _overlap(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def _chained(fits: Sequence[Fit], chosen: Sequence[Fit], reading: Reading) -> list[Group]:
    """Calls that lack only what a chosen call gives: each takes that call's result by type."""
    used = [span for f in chosen for span in f.used]
    groups: list[Group] = []
    for f in fits:
        fresh = [w for span, w in f.used.items() if not any(_overlap(span, u) for u in used)]
        changes = f.tool.effect != "read_only" and not _said(f.tool, reading)
        if f.complete or not f.missing or sum(fresh) < _WORTH or changes:
            continue
        args = dict(f.known)
        for name in f.missing:
            giver = next(
                (
                    g.calls[0]
                    for g in chosen
                    if gives(g.tool.returns, f.tool.args.model_fields[name].annotation) is not None
                ),
                None,
            )
            if giver is None:
                break
            args[name] = giver
        else:
            groups.append(Group((Call(f.tool, args),)))
    return groups


def gives(returns: Any, wanted: Any) -> str | None:
    """How a result of one type serves as an argument of another: "" as it is, ".value" by a field, None not at all."""
    if returns is wanted and wanted not in (str, Any):
        return ""
    if returns is Fact and wanted in (int, float):
        return ".value"
    if isinstance(returns, type) and issubclass(returns, BaseModel) and not issubclass(returns, Fact):
        return next(
            (
                f".{n}"
                for n, f in returns.model_fields.items()
                if f.annotation is wanted and wanted in (int, float)
            ),
            None,
        )
    return None


def _grouped(chosen: Fit, reading: Reading, own: Reading) -> list[Group]:
    """The calls of one tool: those that differ only in the thing asked about belong together."""
    join = _join(own if own.compares or own.says("total") else reading)
    together: dict[str, list[Call]] = {}
    for call in chosen.calls:
        rest = {n: v for n, v in call.args.items() if n not in (chosen.varied, chosen.paired)}
        together.setdefault(str(sorted(rest.items(), key=lambda item: item[0])), []).append(call)
    groups = [Group(tuple(calls), _joins(join, len(calls))) for calls in together.values()]
    if (
        len(groups) == 2
        and own.says("ratio")
        and all(len(g.calls) == len(groups[0].calls) for g in groups)
        and not chosen.spread
    ):
        return [Group(pair, "ratio") for pair in zip(groups[0].calls, groups[1].calls, strict=True)]
    return groups


def _joins(join: str | None, figures: int) -> str | None:
    """What joins so many figures: nothing joins one, and a ratio takes two."""
    if figures < 2:
        return None
    return "compare" if join == "ratio" and figures != 2 else join


def _join(reading: Reading) -> str | None:
    """The tool that joins figures as the request asks, if it asks for any."""
    if reading.says("total"):
        return "total"
    if reading.says("ratio") and not any(w.text.lower() == "than" for w in reading.words):
        return "ratio"
    return "compare" if reading.compares else None


def arguments_text(args: Mapping[str, Any]) -> str:
    """Arguments in words, for the description of a task."""
    return ", ".join(str(v) for v in args.values() if v is not None)
