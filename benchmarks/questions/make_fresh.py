"""Write fresh.jsonl: questions by hand, expected answers from the tables and the documents.

python benchmarks/questions/make_fresh.py
"""

from __future__ import annotations

import json

from make_dev import (
    HERE,
    TABLE,
    Row,
    amount,
    density,
    document,
    figure,
    fraction,
    rank,
    ranked,
    talk,
    verdict,
)
from make_second import BODIES, EARTH_GRAVITY, article, cells, number, ratio_of, unseen
from rows import numbered, write

JUPITER_GRAVITY = 24.79
EARLIER = [
    HERE / "dev.jsonl",
    HERE / "second.jsonl",
    HERE / "third.jsonl",
    HERE.parent / "unseen" / "questions.jsonl",
]


def times(question: str, names: list[str], column: str) -> Row:
    """How many times the second country's figure the first one's is."""
    return figure(question, "ratio", names, column) | {"tools": ["lookup", "compare"]}


def farther(question: str, names: list[str]) -> Row:
    """By how many kilometres the first orbit is larger than the second."""
    gap = round(number(names[0], "distance_km") - number(names[1], "distance_km"))
    return unseen(question, ["lookup", "compare"], [amount(gap)], cells(names, "distance_km"))


def percent_wider(question: str, names: list[str]) -> Row:
    """By how many percent the first body is wider than the second."""
    value = (number(names[0], "diameter_km") / number(names[1], "diameter_km") - 1) * 100
    return unseen(question, ["lookup", "compare"], [fraction(value)], cells(names, "diameter_km"))


def found_by(question: str, name: str) -> Row:
    """Who discovered a body, and when."""
    row = BODIES[name]
    wanted = [row["discoverer"], row["discovered"]]
    return unseen(question, ["lookup"], [[wanted[0], wanted[0].split()[-1]], wanted[1]], wanted)


def weight_on_jupiter(question: str, kilograms: float) -> Row:
    """What something weighs on Jupiter."""
    value = round(kilograms * JUPITER_GRAVITY / EARTH_GRAVITY, 2)
    return unseen(question, ["weight_on"], [fraction(value)], [str(value)])


def sum_to_do(question: str, value: float) -> Row:
    """Plain arithmetic."""
    forms = [f"{value:.3f}", *fraction(value)]
    return unseen(question, ["calculate"], [forms], [forms])


def compares() -> list[Row]:
    """Two countries or bodies against each other."""
    return [
        figure(
            "Who has the larger population, Germany or Turkey, and what's the gap?",
            "difference",
            ["Germany", "Turkey"],
            "population",
            winner=True,
        ),
        times("How many times as large as Portugal is Ukraine?", ["Ukraine", "Portugal"], "area_km2"),
        verdict("缅甸和阿富汗，哪个面积大？", ["Myanmar", "Afghanistan"], "area_km2"),
        farther("How much farther from the Sun is Saturn than Jupiter?", ["Saturn", "Jupiter"]),
        percent_wider("Earth is wider than Venus, but by what percentage?", ["Earth", "Venus"]),
        ratio_of("Give me the ratio of Titan's diameter to Rhea's.", ["Titan", "Rhea"], "diameter_km"),
    ]


def lookups() -> list[Row]:
    """Facts, a place in a ranking, a sum, a density, a formula, arithmetic."""
    people = density("孟加拉国平均每平方公里有多少人？", "Bangladesh")
    people["expect"][0].append(str(TABLE["Bangladesh"]["population"] // TABLE["Bangladesh"]["area_km2"]))
    return [
        rank(
            "Which African country has the fewest inhabitants?",
            ranked("population", "Africa", smallest=True)[:1],
            "population",
        ),
        figure(
            "If you add Jordan and Lebanon together, how many square kilometres do you get?",
            "sum",
            ["Jordan", "Lebanon"],
            "area_km2",
        ),
        people,
        found_by("Who discovered Phoebe, and in what year?", "Phoebe"),
        weight_on_jupiter("My dog weighs 15 kg. How heavy would he be on Jupiter?", 15),
        sum_to_do("Can you work out (4820 - 1365) / 8 for me?", (4820 - 1365) / 8),
    ]


def documents() -> list[Row]:
    """Questions that a page of the manual or an article answers."""
    return [
        document(
            "How many databases can be attached at the same time in SQLite, if I don't change any settings?",
            "limits",
            ["10"],
        ),
        document(
            "What's the oldest SQLite version that can handle partial indexes?",
            "partialindex",
            [["3.8.0", "3.8"]],
        ),
        document("SQLite 里只写 BEGIN，开始的是哪一种事务？", "lang_transaction", [["DEFERRED", "延迟"]]),
        article("How tall is Olympus Mons?", "mars.md", ["22"]),
        article(
            "Which spacecraft mapped the surface of Venus with radar?", "mercury_and_venus.md", ["Magellan"]
        ),
        article("How many people have walked on the Moon?", "moon.md", [["twelve", "12"]]),
    ]


def small_talk() -> list[Row]:
    """Nothing to find out."""
    return [
        talk("Morning! Are you ready for a few questions?"),
        talk("Ah, I see. That makes sense now."),
        talk("Who made you?", "manual"),
        talk("好的，我明白了，多谢！", "manual"),
        talk("Never mind, I've worked it out myself.", "unseen"),
        talk("嗨，在吗？", "unseen"),
    ]


def letters(question: str) -> str:
    """A question without case, spaces and punctuation."""
    return "".join(filter(str.isalnum, question.casefold()))


def main() -> None:
    """Write the file beside this script; stop if a question was asked before."""
    sources = {"compare": compares, "lookup": lookups, "documents": documents, "small_talk": small_talk}
    rows = list(numbered(sources, "fresh"))
    asked = {
        letters(json.loads(line)["question"])
        for path in EARLIER
        for line in path.read_text(encoding="utf-8").splitlines()
    }
    for row in rows:
        if letters(row["question"]) in asked:
            raise SystemExit(f"asked before: {row['question']}")
        asked.add(letters(row["question"]))
    write("fresh.jsonl", rows)


if __name__ == "__main__":
    main()
