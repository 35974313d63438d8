"""Values of one parameter, by type and never by a tool's subject: mentions, numbers, dates, arithmetic, names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ....tools.builtin.calculate import EXPRESSION
from ....tools.builtin.table import ORDINAL
from ....tools.knowledge.documents import QUERY
from ....tools.text import stem, tokens
from ....tools.tool import Option, Tool, enumerated
from ..lexicon import lexicon
from ..reading import Reading, Span
from .mentions import Mention

FEW = 8
"""An enumeration of at most so many values may be asked for whole."""

_QUESTION = frozenset("query question request prompt text topic subject keyword keywords search".split())
DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")


def kind_of(fragment: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What sort of value a parameter takes: integer, number, arithmetic, question, date, text, or other."""
    if "anyOf" in fragment:
        parts = [p for p in fragment["anyOf"] if p.get("type") != "null"]
        return kind_of(parts[0], schema) if len(parts) == 1 else "other"
    form = fragment.get("format", "")
    if form == EXPRESSION:
        return "arithmetic"
    if form == QUERY:
        return "question"
    if form == "date":
        return "date"
    kind = fragment.get("type", "other")
    if kind == "string":
        return "text"
    return kind if kind in ("integer", "number") and not enumerated(fragment, schema) else "other"


def by_role(tool: Tool, mentions: Mapping[str, list[Mention]], reading: Reading) -> dict[str, list[Mention]]:
    """Shares out mentions among parameters that take the same values: by preposition, else in order."""
    shared: dict[frozenset[str], list[str]] = {}
    for name, options in tool.options.items():
        shared.setdefault(frozenset(o.value for o in options), []).append(name)
    mine = {name: list(mentions.get(name, [])) for name in tool.options}
    for names in shared.values():
        if len(names) < 2:
            continue
        pool, given = list(mine[names[0]]), dict[str, list[Mention]]()
        for mention in list(pool):
            if target := next((n for n in names if n not in given and _leads(n, mention, reading)), None):
                given[target] = [mention]
                pool.remove(mention)
        for name in names:
            if name not in given:
                given[name] = [pool.pop(0)] if pool else []
        mine |= given
    return mine


def _leads(parameter: str, mention: Mention, reading: Reading) -> bool:
    """Whether the preposition before a mention is one that this parameter's name asks for."""
    before = reading.lower[: mention.span[0]].rstrip()
    parts = set(parameter.lower().split("_"))
    roles = lexicon().roles
    if parts & roles["source"].parameters and any(end == len(before) for _, (_, end) in reading.numbers):
        return True  # what is counted is what there is: "5 kg"
    for role in roles.values():
        if parts & role.parameters and any(
            re.search(rf"(?:^|\W){p}$", before) if p.isascii() else before.endswith(p)
            for p in role.prepositions
        ):
            return True
    return False


def mentioned(
    options: tuple[Option, ...], mentions: list[Mention], reading: Reading
) -> list[tuple[Any, Span | None, float]]:
    """The values of an enumeration that a request mentions, where, and how much each is worth."""
    scale = _scale(options)
    if scale and not any(m.named and m.span in {s for _, s in reading.extremes} for m in mentions):
        for extreme, span in reading.extremes:
            if extreme in scale:
                return [(scale[extreme], span, 1.0)]
        if reading.ordinal:  # "the fourth by size" counts from the top
            return [(scale["highest"], reading.ordinal[1], 1.0)]
        return []
    weigh = 2.0 if len(options) > FEW else 1.0
    return [(m.value, m.span, weigh * m.weight) for m in mentions]


def _scale(options: tuple[Option, ...]) -> dict[str, str]:
    """Where the options are the two ends of a scale, which end is which."""
    vocabulary = lexicon()
    top, bottom = vocabulary.kin[0].stems, vocabulary.kin[1].stems
    found: dict[str, str] = {}
    for option in options:
        said = {stem(name.lower()) for name in (option.value, *option.names)}
        if said & top:
            found |= {"highest": option.value, "latest": option.value}
        elif said & bottom:
            found |= {"lowest": option.value, "earliest": option.value}
    return found if len(found) == 4 and len(options) == 2 else {}


def numbers(
    name: str, fragment: Mapping[str, Any], kind: str, required: bool, reading: Reading, spent: list[Span]
) -> list[tuple[Any, Span | None, float]]:
    """The numbers that a parameter may take: those it counts, else the first that is left over."""
    if fragment.get("format") == ORDINAL:
        return [(reading.ordinal[0], reading.ordinal[1], 1.0)] if reading.ordinal else []
    nth = reading.ordinal[1] if reading.ordinal and not required else None
    fitting: list[tuple[Any, Span | None, float]] = [
        (value, span, 1.0)
        for value, span in reading.numbers
        if not (nth and span[0] < nth[1] and nth[0] < span[1])
        and not any(s < span[1] and span[0] < e for s, e in spent)
        and not (kind == "integer" and isinstance(value, float))
        and fragment.get("minimum", value) <= value <= fragment.get("maximum", value)
    ]
    unit = set(tokens(f"{name.replace('_', ' ')} {fragment.get('description') or ''}"))
    measured = [item for item in fitting if item[1] and _followed_by(unit, item[1], reading)]
    return measured or (fitting[:1] if required or reading.extremes else [])


def _followed_by(unit: set[str], span: Span, reading: Reading) -> bool:
    """Whether the word after a number is one that tells what the parameter counts: "250 grams" for `grams`."""
    after = next((w for w in reading.words if w.start >= span[1]), None)
    return after is not None and after.start - span[1] <= 1 and after.stem in unit


def texts(name: str, reading: Reading, spent: list[Span]) -> list[tuple[Any, Span | None, float]]:
    """The texts that a parameter may take: a quotation, the question itself, or names."""
    if quoted := reading.quoted():
        return [(text, span, 1.5) for text, span in quoted[:1]]
    if name.lower() in _QUESTION:
        return [(reading.request.strip(), None, 0.0)]
    free = [
        (text, span)
        for text, span in reading.names()
        if not any(s < span[1] and span[0] < e for s, e in spent)
    ]
    return [*((text, span, 1.0) for text, span in free)]
