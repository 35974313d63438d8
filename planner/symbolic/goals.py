"""Goals read off a request: by rules where things and predicates are named, else by a model that may fill in nothing else.

A predicate is named by its own words (``at``, ``clean``) or by those that a tool gives it in `Traits.gives`. A model gets
a schema in which only the predicates that some tool gives, and the things that exist, can be written: it never writes an
action.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from ...agents.calls import ask_model
from ...agents.model import Message, ModelClient, ModelRequest
from ...runtime.context import RunContext
from ...runtime.errors import ModelError
from ...tools.planning import Literal
from ...tools.text import normal, tokens
from ...tools.tool import Tool
from .problem import Problem

_CLAUSE = re.compile(r"[.;!?\n。；！？]+(?:\s|$)|[。；！？\n]+|\bbut\b|但是?")
_NOT = re.compile(r"\b(?:not|no longer|never|without)\b|n't\b|不|没|别|勿")
_MOST_GOALS = 8
_MOST_THINGS = 60
_AROUND = 12  # characters before the first thing, where an "at the" may stand


@dataclass
class Wish:
    """A predicate that some tool can make hold, or end: the kinds of things in each place ("" is any), and its words."""

    name: str
    kinds: list[set[str]]
    signs: set[bool] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    about: set[str] = field(default_factory=set)

    def takes(self, place: int, kind: str) -> bool:
        """Whether a thing of this kind can stand there."""
        return bool({kind, ""} & self.kinds[place])


class Mention(NamedTuple):
    """A thing named in a text, and where."""

    start: int
    end: int
    thing: str
    kind: str


def wishes(problem: Problem, tools: Mapping[str, Tool]) -> list[Wish]:
    """What can be wished for, by the tools' effects."""
    found: dict[tuple[str, int], Wish] = {}
    for operator in problem.operators:
        given = [one for one in operator.after if one.holds]
        for one in operator.after:
            wish = found.setdefault((one.name, len(one.terms)), Wish(one.name, [set() for _ in one.terms]))
            wish.signs.add(one.holds)
            wish.named |= set(tokens(re.sub(r"[_-]", " ", one.name), stop=False))
            if [one] == given and operator.name in tools:
                wish.about |= set(tokens(tools[operator.name].traits.gives))
            for place, term in enumerate(one.terms):
                own = problem.objects.get(term)
                wish.kinds[place].add(operator.kinds.get(term[1:-1], "") if own is None else own)
    return list(found.values())


def named_goals(request: str, problem: Problem, wished: Sequence[Wish]) -> tuple[Literal, ...]:
    """The goals that a request names, in its order; empty where it names none."""
    found: dict[Literal, None] = {}
    for literal in _written(request, wished):
        found[literal] = None
    if found:
        return tuple(found)
    for clause in _CLAUSE.split(normal(request)):
        things = _mentions(clause, problem.objects)
        holds = not _NOT.search(clause)
        for wish in wished:
            for terms in _filled(clause, wish, things):
                found[Literal(wish.name, terms, holds)] = None
    return tuple(found)


def unspoken(request: str, problem: Problem, goal: Sequence[Literal]) -> list[str]:
    """The things that a request names and of which no goal speaks: something may have been wished of them."""
    spoken = {term for literal in goal for term in literal.terms}
    named = dict.fromkeys(one.thing for one in _mentions(normal(request), problem.objects))
    return [thing for thing in named if thing not in spoken]


async def model_goals(
    ctx: RunContext, client: ModelClient, request: str, problem: Problem, wished: Sequence[Wish]
) -> tuple[Literal, ...]:
    """The goals as a model writes them, under a schema of the predicates and things that there are.

    Raises:
        EngineError: it does not answer.
    """
    schema = goal_schema(problem, wished)
    if schema is None:
        return ()
    shown = "\n".join(
        f"- {wish.name}({', '.join('/'.join(sorted(k or 'anything' for k in kinds)) for kinds in wish.kinds)})"
        for wish in wished
    )
    things = ", ".join(f"{name} ({kind})" if kind else name for name, kind in problem.objects.items())
    messages = (
        Message(
            "system",
            "Say what has to hold when the request is fulfilled. You do not plan how. Use only these facts:\n"
            f"{shown}\nThings: {things}",
        ),
        Message("user", f"Request: {request}\nWrite the goals as JSON."),
    )
    try:
        reply = await ask_model(ctx, client, ModelRequest(messages, max_tokens=300, schema=schema))
    except ModelError:
        return ()
    written = json.loads(reply.text)["goals"]
    return tuple(
        dict.fromkeys(Literal(one["fact"], tuple(one["things"]), bool(one["holds"])) for one in written)
    )


def goal_schema(problem: Problem, wished: Sequence[Wish]) -> dict[str, Any] | None:
    """The JSON schema of goals; None where nothing can be wished for."""
    forms: list[dict[str, Any]] = []
    for wish in wished:
        places = [
            [name for name, kind in problem.objects.items() if wish.takes(place, kind)][:_MOST_THINGS]
            for place in range(len(wish.kinds))
        ]
        if all(places):
            things: dict[str, Any] = {"type": "array", "minItems": len(places), "maxItems": len(places)}
            if places:
                things["prefixItems"] = [{"enum": names} for names in places]
            forms.append(
                _object(
                    {"fact": {"const": wish.name}, "things": things, "holds": {"enum": sorted(wish.signs)}}
                )
            )
    if not forms:
        return None
    return _object(
        {"goals": {"type": "array", "items": {"anyOf": forms}, "minItems": 1, "maxItems": _MOST_GOALS}}
    )


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _written(request: str, wished: Iterable[Wish]) -> Iterable[Literal]:
    """Literals that stand in the request as such: ``at(parcel, depot)``."""
    known = {(wish.name, len(wish.kinds)) for wish in wished}
    for found in re.finditer(r"(?:\bnot )?[A-Za-z][\w-]*\([^()]*\)", request):
        literal = Literal.parse(found[0])
        if (literal.name, len(literal.terms)) in known:
            yield literal


def _mentions(text: str, objects: Mapping[str, str]) -> list[Mention]:
    """The things that a text names, in its order, the longest where one name lies in another."""
    found: list[Mention] = []
    for name, kind in sorted(objects.items(), key=lambda one: -len(one[0])):
        plain = normal(name)
        pattern = re.escape(plain).replace("_", "[ _-]?").replace(r"\-", "[ _-]?").replace(r"\ ", "[ _-]?")
        if plain.isascii():
            pattern = rf"(?<![a-z0-9_]){pattern}(?![a-z0-9_])"
        for hit in re.finditer(pattern, text):
            if all(hit.end() <= one.start or hit.start() >= one.end for one in found):
                found.append(Mention(hit.start(), hit.end(), name, kind))
    return sorted(found)


def _filled(clause: str, wish: Wish, things: Sequence[Mention]) -> Iterable[tuple[str, ...]]:
    """The things that one clause puts in the places of a predicate which it names."""
    places = len(wish.kinds)
    fitting = [one for one in things if any(wish.takes(place, one.kind) for place in range(places))]
    if not _says(clause, wish, fitting):
        return
    if places == 0:
        yield ()
    elif places == 1:
        yield from ((one.thing,) for one in fitting)
    elif places == 2 and any(wish.takes(0, one.kind) and wish.takes(1, one.kind) for one in fitting):
        for left, right in pairwise(fitting):
            between = set(tokens(clause[left.end : right.start], stop=False))
            if between & (wish.named | wish.about):
                yield (left.thing, right.thing)
    elif places == 2:
        yield from _paired(wish, fitting)
    else:
        chosen = [[one.thing for one in fitting if wish.takes(place, one.kind)] for place in range(places)]
        if all(len(names) == 1 for names in chosen):
            yield tuple(names[0] for names in chosen)


def _paired(wish: Wish, things: Sequence[Mention]) -> Iterable[tuple[str, str]]:
    """Pairs of two kinds in a row: several of the one kind go with the next of the other."""
    rows: list[tuple[int, list[str]]] = []
    for one in things:
        place = 0 if wish.takes(0, one.kind) else 1
        if rows and rows[-1][0] == place:
            rows[-1][1].append(one.thing)
        else:
            rows.append((place, [one.thing]))
    for (place, names), (_, others) in zip(rows[::2], rows[1::2], strict=False):
        for name in names:
            for other in others:
                yield (name, other) if place == 0 else (other, name)


def _says(clause: str, wish: Wish, things: Sequence[Mention]) -> bool:
    """Whether a clause names a predicate: by what its tools give anywhere, by its own words near the things."""
    bare = clause
    for one in reversed(things):
        bare = f"{bare[: one.start]} {bare[one.end :]}"
    if wish.about & set(tokens(bare)):
        return True
    near = bare if len(things) < 2 else clause[max(0, things[0].start - _AROUND) : things[-1].end]
    return bool(wish.named) and wish.named <= set(tokens(near, stop=False))
