"""Puzzles for each architecture, made from a seed, with models that err on purpose in the way that it mends.

All puzzles are bills of a shop: what so many of these and so many of those cost together. A model errs by chance, and the
chance is drawn from the seed, the puzzle and the call, so that the same call always gets the same reply. It knows no more
than it is told: where prices are only in a tool, or with a colleague, it guesses until it has seen them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crewgraph import Agent, Crew, ModelRequest

ITEMS = ("pen", "ink", "paper", "glue", "ruler", "tape")
_NUMBER = re.compile(r"-?\d+")


@dataclass
class Puzzle:
    """A bill: how many of what, at which price. `seed` decides where its model errs."""

    seed: str
    lines: dict[str, int]
    prices: dict[str, int]

    @classmethod
    def made(cls, seed: str, items: int) -> Puzzle:
        rng = random.Random(seed)
        chosen = rng.sample(ITEMS, items)
        return cls(seed, {i: rng.randint(2, 9) for i in chosen}, {i: rng.randint(3, 60) for i in ITEMS})

    @property
    def truth(self) -> int:
        return sum(count * self.prices[item] for item, count in self.lines.items())

    def partial(self, upto: int) -> int:
        return sum(count * self.prices[item] for item, count in list(self.lines.items())[:upto])

    @property
    def bill(self) -> str:
        return " and ".join(f"{count} {item}" for item, count in self.lines.items())

    def asked(self, *, priced: bool) -> str:
        known = ", ".join(f"a {item} is {self.prices[item]}" for item in self.lines)
        return f"What do {self.bill} cost together?" + (f" One of each: {known}." if priced else "")

    def errs(self, chance: float, *what: object) -> bool:
        """Whether this goes wrong, this time."""
        return random.Random(f"{self.seed}/{what}").random() < chance

    def off(self, *what: object) -> int:
        """A wrong figure near the right one."""
        rng = random.Random(f"{self.seed}/off/{what}")
        return self.truth + rng.choice([-1, 1]) * rng.randint(1, 20)

    def solved(self, text: str) -> bool:
        numbers = _NUMBER.findall(text.replace(",", ""))
        return bool(numbers) and int(numbers[-1]) == self.truth


def answer(value: object) -> str:
    return f"I have worked it out.\nAnswer: {value}"


def last(request: ModelRequest) -> str:
    return request.messages[-1].content


def attempts(request: ModelRequest) -> int:
    return sum(message.role == "assistant" for message in request.messages)


def direct(p: Puzzle, request: ModelRequest) -> str:
    """Right in most cases when it thinks first, and that is how it is asked."""
    return answer(p.off(0) if p.errs(0.15) else p.truth)


def guess(p: Puzzle) -> str:
    return answer(p.off("guess"))


def react(p: Puzzle, request: ModelRequest) -> str:
    """It takes a wrong tool first, misspells, does the same again; without the tool it can only guess."""
    if request.schema is None and not attempts(request):
        return guess(p)
    seen = dict(re.findall(r"price of (\w+) is (\d+)", " ".join(m.content for m in request.messages)))
    if request.schema is None:
        if set(p.lines) <= set(seen):
            return f"It costs {sum(n * int(seen[i]) for i, n in p.lines.items())}"
        return f"It costs {p.off('short')}"
    missing = [item for item in p.lines if item not in seen]
    turn = attempts(request)
    if p.errs(0.15, "again", turn) and turn:
        return next(m.content for m in reversed(request.messages) if m.role == "assistant")
    if not missing:
        return json.dumps({"tool": "finish"})
    if p.errs(0.15, "tool", turn):
        return json.dumps({"tool": "weather", "args": {"city": "Paris"}})
    return json.dumps({"tool": "price", "args": {"item": missing[0] + "s" * p.errs(0.2, "spelling", turn)}})


def plan_and_solve(p: Puzzle, request: ModelRequest) -> str:
    """In one go it forgets a line of a long bill; step by step it does not."""
    text = last(request)
    if "First write a plan" in text:
        return "\n".join(f"{n}. Work out {c} {i}" for n, (i, c) in enumerate(p.lines.items(), 1))
    if step := re.search(r"only this one: Work out (\d+) (\w+)", text):
        value = int(step[1]) * p.prices[step[2]]
        return f"That is {value + 1 if p.errs(0.03, step[2]) else value}"
    if results := re.findall(r"Result: That is (\d+)", text):
        return answer(sum(map(int, results)))
    forgotten = p.errs(0.6, "forgets")
    return answer(p.partial(len(p.lines) - 1) if forgotten else p.truth)


def reflection(p: Puzzle, request: ModelRequest) -> str:
    """The first answer is often wrong; a look at it mostly tells."""
    text, round_ = last(request), attempts(request)
    if "Check this draft" in text:
        value = re.findall(r"Answer: (-?\d+)", text)[-1]
        wrong = int(value) != p.truth
        wrong = not wrong if p.errs(0.15, "check", value) else wrong
        return f"I worked it out again for {value}.\nVerdict: {'wrong' if wrong else 'right'}"
    if "A reader says" in text:
        return answer(p.off("mended", text[:60]) if p.errs(0.2, "mends", text[:60]) else p.truth)
    return answer(p.off("draft") if p.errs(0.55, "draft", round_) else p.truth)


def self_consistency(p: Puzzle, request: ModelRequest) -> str:
    """Each reply is right more often than not, and wrong ones differ."""
    at = ("sample", request.seed, request.temperature > 0)
    return answer(p.off(at) if p.errs(0.4, at) else p.truth)


def tree_of_thoughts(p: Puzzle, request: ModelRequest) -> str:
    """A thought goes wrong in two of five cases, and then all that follows; a judge mostly sees it."""
    text = last(request)
    said = [int(value) for value in re.findall(r"so far (\d+)", text)]
    sound = all(value == p.partial(n) for n, value in enumerate(said, 1))
    if request.choices:
        ended = "Answer:" in text.split("Do these thoughts")[0]
        seems = sound is not p.errs(0.07, "judge", *said)
        return ("sure" if ended else "maybe") if seems else "impossible"
    if "Write only the next thought" not in text:
        return answer(p.off("plain") if p.errs(0.75, "plain") or not sound else p.truth)
    level = len(said) + 1
    wrong = p.errs(0.4, "thought", level, request.seed)
    before = said[-1] if said else 0
    value = before + p.partial(level) - p.partial(level - 1) + (1 + (request.seed or 0)) * wrong
    end = f"\nAnswer: {value}" if level >= len(p.lines) else ""
    return f"With line {level} it is so far {value}.{end}"


def debate(p: Puzzle, request: ModelRequest) -> str:
    """The hasty one is often wrong, the careful one less; each mostly gives way to a right argument."""
    text = last(request)
    if "Several people have debated" in text:
        named = [int(value) for value in re.findall(r"Answer: (-?\d+)", text)]
        right = p.truth in named and not p.errs(0.15, "judge")
        return answer(p.truth if right else next((n for n in named if n != p.truth), p.off("judge")))
    careful = any("distrust" in message.content for message in request.messages)
    if "Another says" in text:
        own = int(_NUMBER.findall([m.content for m in request.messages if m.role == "assistant"][-1])[-1])
        other = int(_NUMBER.findall(text.split("Where they")[0])[-1])
        gives_way = p.errs(0.8 if other == p.truth else 0.1, "gives way", careful, attempts(request))
        return answer(other if gives_way else own)
    return answer(p.off(careful) if p.errs(0.25 if careful else 0.55, "first", careful) else p.truth)


def supervisor(p: Puzzle, request: ModelRequest) -> str:
    """The boss knows no prices: it asks the wrong colleague, asks twice, or finishes too early."""
    system, text = request.messages[0].content, " ".join(m.content for m in request.messages)
    if "You are the boss" not in system:
        if "You are the clerk" in system:
            return react(p, request)
        return answer("I write letters, and know no prices.")
    known = re.findall(r"clerk says: It costs (-?\d+)", text)
    if request.schema is None:
        return f"It costs {known[-1]}" if known else guess(p)
    turn = attempts(request)
    if known or (turn and p.errs(0.05, "early", turn)):
        return json.dumps({"finish": True})
    if turn and p.errs(0.15, "again", turn):
        return next(m.content for m in reversed(request.messages) if m.role == "assistant")
    to = "writer" if p.errs(0.3, "wrong one", turn) else "clerk"
    return json.dumps({"colleague": to, "instruction": f"Work out the bill, piece {turn}."})


Errant = Callable[[Puzzle, "ModelRequest"], str]
SETS: dict[str, tuple[Errant, int, bool]] = {
    "direct": (direct, 2, True),
    "react": (react, 2, False),
    "plan_and_solve": (plan_and_solve, 5, True),
    "reflection": (reflection, 2, True),
    "self_consistency": (self_consistency, 2, True),
    "tree_of_thoughts": (tree_of_thoughts, 3, True),
    "debate": (debate, 2, True),
    "supervisor": (supervisor, 2, False),
}
"""For each architecture its erring model, how many lines its bills have, and whether prices are told with the request."""


def crew_of(name: str, puzzle: Puzzle) -> tuple[Crew, Agent]:
    """The crew that works on the puzzle, and the agent that is asked."""
    from crewgraph import Agent, Crew, tool

    @tool
    def price(item: str) -> str:
        """The price of one item."""
        if item not in puzzle.prices:
            raise ValueError(f"there is no {item}")
        return f"price of {item} is {puzzle.prices[item]}"

    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"rain in {city}"

    clerk = Agent("clerk", "Know prices.", tools=[price, weather] if name in ("react", "supervisor") else [])
    crew = Crew([clerk, Agent("writer", "Write letters."), Agent("boss", "Lead the shop.")])
    return crew, crew.agents[2] if name == "supervisor" else clerk


def never_stops(request: Any) -> str:
    """Something else each time, never right and never finished."""
    so_far = sum(len(m.content) for m in request.messages) + (request.seed or 0)
    if request.choices:
        return str(request.choices[so_far % len(request.choices)])
    if request.schema is not None:
        form = json.dumps(request.schema)
        if '"colleague"' in form:
            role = "clerk" if '"clerk"' in form else "writer"
            return json.dumps({"colleague": role, "instruction": f"piece {so_far}"})
        return json.dumps({"tool": "price", "args": {"item": f"none {so_far}"}})
    if "First write a plan" in last(request):
        return "\n".join(f"{n}. Do {n} and {so_far}" for n in range(99))
    return f"Not {so_far}.\nVerdict: wrong" if "Verdict" in last(request) else f"I think of {so_far}."
