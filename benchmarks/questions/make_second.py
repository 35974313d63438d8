"""Write second.jsonl: questions by hand, expected answers from the tables and the documents.

python benchmarks/questions/make_second.py
"""

from __future__ import annotations

import csv

from make_dev import (
    HERE,
    TABLE,
    Row,
    Wanted,
    amount,
    cell,
    document,
    figure,
    figures,
    fraction,
    holds,
    rank,
    ranked,
    talk,
    verdict,
)
from rows import numbered, write

UNSEEN = HERE.parent / "unseen"

# Constants of the two formulas of the crew `unseen`.
MARS_GRAVITY = 3.71
EARTH_GRAVITY = 9.81
LIGHT_KM_S = 299_792.458


def load_bodies() -> dict[str, dict[str, str]]:
    """The table of planets and moons by name."""
    with (UNSEEN / "bodies.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


BODIES = load_bodies()


def body(name: str) -> str | list[str]:
    """A body under its English or its Chinese name."""
    return [name, BODIES[name]["name_zh"]]


def number(name: str, column: str) -> float:
    """A cell of the bodies as a number."""
    return float(BODIES[name][column])


def unseen(question: str, tools: list[str], expect: Wanted, evidence: list[str]) -> Row:
    """A question for the crew `unseen`."""
    return {
        "question": question,
        "crew": "unseen",
        "tools": tools,
        "expect": expect,
        "evidence": evidence,
    }


def cells(names: list[str], column: str) -> list[str]:
    """The cells of the bodies that the answer rests on."""
    return [BODIES[name][column] for name in names]


def wider(question: str, names: list[str]) -> Row:
    """The larger of two bodies and the difference of the diameters."""
    names = sorted(names, key=lambda name: -number(name, "diameter_km"))
    gap = round(number(names[0], "diameter_km") - number(names[1], "diameter_km"))
    return unseen(question, ["lookup", "compare"], [body(names[0]), amount(gap)], cells(names, "diameter_km"))


def by_diameter(question: str, names: list[str]) -> Row:
    """Bodies in order; the list `expect` has that order."""
    names = sorted(names, key=lambda name: -number(name, "diameter_km"))
    return unseen(
        question, ["lookup", "compare"], [body(name) for name in names], cells(names, "diameter_km")
    )


def ratio_of(question: str, names: list[str], column: str) -> Row:
    """The first figure divided by the second."""
    value = number(names[0], column) / number(names[1], column)
    return unseen(question, ["lookup", "ratio"], [fraction(value)], cells(names, column))


def average(question: str, names: list[str], column: str) -> Row:
    """The mean of a few countries' figures."""
    value = sum(TABLE[name][column] for name in names) / len(names)
    forms = [*amount(round(value)), str(int(value)), f"{value:.2f}", f"{value:.1f}"]
    return {
        "question": question,
        "tools": ["lookup", "total"],
        "expect": [list(dict.fromkeys(forms))],
        "evidence": figures(names, column),
    }


def portrait(question: str, name: str) -> Row:
    """Three cells of one country at once."""
    row = TABLE[name]
    return {
        "question": question,
        "tools": ["lookup"],
        "expect": [cell(name, "capital"), amount(row["population"]), cell(name, "currency")],
        "evidence": [row["capital"], str(row["population"]), row["currency"]],
    }


def weight(question: str, kilograms: float) -> Row:
    """What something weighs on Mars."""
    value = round(kilograms * MARS_GRAVITY / EARTH_GRAVITY, 2)
    return unseen(question, ["weight_on"], [fraction(value)], [str(value)])


def light(question: str, name: str) -> Row:
    """How long light travels to a planet: in seconds or in minutes."""
    seconds = number(name, "distance_km") / LIGHT_KM_S
    forms = [*fraction(seconds), str(int(seconds)), str(round(seconds, -2)).removesuffix(".0")]
    forms += fraction(seconds / 60)
    return unseen(
        question,
        ["lookup", "light_travel_time"],
        [list(dict.fromkeys(forms))],
        cells([name], "distance_km"),
    )


def count(question: str, family: str) -> Row:
    """How many bodies a group has."""
    members = [row for row in BODIES.values() if row["family"] == family]
    spelled = {10: "ten", 11: "eleven", 12: "twelve"}[len(members)]
    return unseen(question, ["count_rows"], [[str(len(members)), spelled]], [str(len(members))])


def article(question: str, page: str, expect: Wanted) -> Row:
    """A question on the articles; each expected string stands in the one named."""
    text = (UNSEEN / "documents" / page).read_text(encoding="utf-8")
    for wanted in expect:
        choices = [wanted] if isinstance(wanted, str) else wanted
        if not any(holds(text, choice) for choice in choices):
            raise SystemExit(f"{page} does not hold {wanted}: {question}")
    return unseen(question, ["search_documents"], expect, [page])


def compares() -> list[Row]:
    """Two or three countries or bodies against each other."""
    return [
        figure(
            "How much more land does Saudi Arabia have than Iran?",
            "difference",
            ["Saudi Arabia", "Iran"],
            "area_km2",
        ),
        verdict(
            "kenya, tanzania or uganda, which one's got the most people?",
            ["Kenya", "Tanzania", "Uganda"],
            "population",
        ),
        figure("泰国的人口比马来西亚多百分之多少？", "percent", ["Thailand", "Malaysia"], "population"),
        wider(
            "Ganymede or Mercury: which one is wider, and by how many kilometres?", ["Ganymede", "Mercury"]
        ),
        by_diameter(
            "Sort Oberon, Titania and Rhea by diameter for me, biggest first.", ["Oberon", "Titania", "Rhea"]
        ),
        ratio_of(
            "What's the ratio of Neptune's distance from the Sun to Earth's?",
            ["Neptune", "Earth"],
            "distance_km",
        ),
    ]


def lookups() -> list[Row]:
    """Facts, a place in a ranking, an average, a count, the formulas."""
    return [
        portrait("Nepal: capital, population and currency, please.", "Nepal"),
        average(
            "On average, how many people live in Estonia, Latvia and Lithuania?",
            ["Estonia", "Latvia", "Lithuania"],
            "population",
        ),
        rank(
            "Which South American country comes fourth by population?",
            ranked("population", "South America")[3:4],
            "population",
        ),
        weight("我在地球上重60公斤，到了火星上有多重？", 60),
        light("How long does sunlight take to get to Jupiter?", "Jupiter"),
        count("How many of Saturn's moons have you got in your list?", "Saturnian moon"),
    ]


def documents() -> list[Row]:
    """Questions that a page of the manual or an article answers."""
    return [
        document(
            "Can I put a BEGIN inside another BEGIN in SQLite? If not, what should I use instead?",
            "lang_transaction",
            ["SAVEPOINT"],
        ),
        document(
            "With 4 KiB pages, about how big may the rows of a WITHOUT ROWID table get before "
            "it stops being a good idea?",
            "withoutrowid",
            [["200 bytes", "1/20"]],
        ),
        document("从哪个版本开始，SQLite 默认内置 JSON 函数？", "json1", [["3.38.0", "3.38"]]),
        article("What finished off the Opportunity rover?", "mars.md", ["dust storm"]),
        article(
            "Who came up with the name Pluto, and how old was that person?",
            "pluto_and_dwarf_planets.md",
            ["Burney", ["eleven", "11"]],
        ),
        article(
            "嫦娥六号从月球背面带回了多少样品？", "中国深空探测.md", [["1935.3", "1935", "1.935", "1.94"]]
        ),
    ]


def small_talk() -> list[Row]:
    """Nothing to find out."""
    return [
        talk("Hey, how's it going?"),
        talk("Do you ever get tired of all these questions?"),
        talk("Sorry, gotta run. Talk to you later!", "manual"),
        talk("So what sort of things can I ask you about?", "manual"),
        talk("You're a star, thank you!", "unseen"),
        talk("晚上好，辛苦你了！", "unseen"),
    ]


def main() -> None:
    """Write the file beside this script."""
    sources = {"compare": compares, "lookup": lookups, "documents": documents, "small_talk": small_talk}
    write("second.jsonl", numbered(sources, "second"))


if __name__ == "__main__":
    main()
