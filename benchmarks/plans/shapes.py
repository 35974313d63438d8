"""Jobs of a known shape: the plan as a model writes it, and what a ReAct agent writes that makes the same calls."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PACE = 50.0
SEARCH = (0.3, 1.5)
PEAKS = ("Mount Everest", "Kilimanjaro", "Denali", "Mont Blanc", "Aconcagua")
FILMS = (
    "Forrest Gump",
    "The Godfather",
    "Pulp Fiction",
    "Fight Club",
    "Inception",
    "The Matrix",
    "Goodfellas",
    "Se7en",
)
_TOKEN = re.compile(r" ?[A-Za-z]{1,6}|\d{1,3}|[^\w\s]{1,3}|\s+|\w")


def tokens(text: str) -> list[str]:
    """About the pieces that a tokenizer would cut the text into."""
    return _TOKEN.findall(text)


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True)
class Turn:
    """One call that a ReAct agent makes, and what it thinks before."""

    thought: str
    name: str
    args: dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """One job: the plan as our model writes it, the turns of the agent that makes the same calls, the answer of both."""

    request: str
    plan: Sequence[dict[str, Any]]
    turns: Sequence[Turn]
    answer: str
    seed: int

    def latency(self, query: str) -> float:
        return random.Random(f"{self.seed} {query}").uniform(*SEARCH)


def search_for(peak: str) -> dict[str, Any]:
    return {"tool": "search", "args": {"query": f"height of {peak}"}}


def scaled(place: int, by: float) -> dict[str, Any]:
    return {"tool": "scale", "args": {"value": f"$t{place}.value", "by": by}}


def compared(*places: int) -> dict[str, Any]:
    return {"tool": "compare", "args": {"facts": [f"$t{place}" for place in places]}}


def eight(seed: int) -> Shape:
    plan = [*map(search_for, PEAKS[:4]), scaled(1, 0.8), scaled(2, 1.1), compared(5, 6), compared(3, 4)]
    return Shape("Compare four mountains, two of them changed.", plan, (), "Everest.", seed)


def movies(seed: int, *, apart: bool = False) -> Shape:
    each: list[dict[str, Any]] = [{"tool": "search", "each": list(FILMS), "args": {"query": "$item"}}]
    single = [{"tool": "search", "args": {"query": film}} for film in FILMS]
    said = "I should look up {} to see how similar it is."
    turns = [Turn(said.format(film), "search", {"query": film}) for film in FILMS]
    request = f"Which is most like The Usual Suspects: {', '.join(FILMS)}?"
    return Shape(request, single if apart else each, turns, "Answer: Se7en.", seed)


def parallelqa(branches: int, seed: int) -> Shape:
    peaks, by = PEAKS[:branches], [0.8, 1.1, 0.9, 1.3, 0.7]
    plan = [*map(search_for, peaks)]
    plan += [scaled(place, by[place - 1]) for place in range(1, branches + 1)]
    plan.append(compared(*range(branches + 1, 2 * branches + 1)))
    turns: list[Turn] = []
    for place, peak in enumerate(peaks):
        first = f"I need to find the height of {peak} before I can change it."
        then = f"It is 8849. Now I multiply that by {by[place]} to get the changed height of {peak}."
        turns.append(Turn(first, "search", {"query": f"height of {peak}"}))
        turns.append(Turn(then, "scale", {"value": 8849, "by": by[place]}))
    last = "I know all of the changed heights. Now I compare them."
    turns.append(Turn(last, "compare", {"facts": [7079.2] * branches}))
    return Shape(f"Which of {', '.join(peaks)} is highest then?", plan, turns, f"Answer: {peaks[0]}.", seed)


def said(turn: Turn | None, shape: Shape, *, thoughts: bool) -> str:
    """What a ReAct agent writes in a turn; in the last one, the answer."""
    if turn is None:
        return shape.answer
    return f"{turn.thought if thoughts else ''}{turn.name}{compact(turn.args)}"
