"""Write third.jsonl: questions by hand, expected answers from the tables and the documents.

python benchmarks/questions/make_third.py
"""

from __future__ import annotations

from make_dev import (
    TABLE,
    Row,
    amount,
    cell,
    document,
    figure,
    figures,
    fraction,
    rank,
    ranked,
    talk,
    verdict,
)
from make_second import BODIES, EARTH_GRAVITY, article, body, cells, number, unseen
from rows import numbered, write

MOON_GRAVITY = 1.62
CAPITAL_ZH = {"Phnom Penh": "金边"}


def farthest(question: str, names: list[str]) -> Row:
    """The body with the largest orbit."""
    winner = max(names, key=lambda name: number(name, "distance_km"))
    return unseen(question, ["lookup", "compare"], [body(winner)], cells(names, "distance_km"))


def times(question: str, names: list[str], column: str) -> Row:
    """How many times the second figure the first is."""
    value = number(names[0], column) / number(names[1], column)
    return unseen(question, ["lookup", "compare"], [fraction(value)], cells(names, column))


def longer(question: str, names: list[str]) -> Row:
    """By how many days the first goes round longer than the second."""
    gap = number(names[0], "period_days") - number(names[1], "period_days")
    forms = [*fraction(gap), str(int(gap)), str(round(gap, -2)).removesuffix(".0")]
    return unseen(question, ["lookup", "compare"], [list(dict.fromkeys(forms))], cells(names, "period_days"))


def money_and_capital(question: str, name: str) -> Row:
    """Two text cells of one country."""
    capital = TABLE[name]["capital"]
    return {
        "question": question,
        "tools": ["lookup"],
        "expect": [[capital, CAPITAL_ZH[capital]], cell(name, "currency")],
        "evidence": [capital, TABLE[name]["currency"]],
    }


def together(question: str, names: list[str], column: str) -> Row:
    """The sum of a few countries' figures."""
    return {
        "question": question,
        "tools": ["lookup", "total"],
        "expect": [amount(sum(TABLE[name][column] for name in names))],
        "evidence": figures(names, column),
    }


def period(question: str, name: str) -> Row:
    """How many days a body takes to go round once."""
    cell_text = BODIES[name]["period_days"]
    forms = [cell_text, *fraction(float(cell_text))]
    return unseen(question, ["lookup"], [list(dict.fromkeys(forms))], [cell_text])


def weight_on_moon(question: str, kilograms: float) -> Row:
    """What something weighs on the Moon."""
    value = round(kilograms * MOON_GRAVITY / EARTH_GRAVITY, 2)
    return unseen(question, ["weight_on"], [fraction(value)], [str(value)])


def members(question: str, kind: str, spelled: str) -> Row:
    """How many bodies a group has."""
    found = str(sum(row["kind"] == kind for row in BODIES.values()))
    if found != {"four": "4", "five": "5", "six": "6"}[spelled]:
        raise SystemExit(f"{kind} has {found}: {question}")
    return unseen(question, ["count_rows"], [[found, spelled]], [found])


def compares() -> list[Row]:
    """Two or three countries or bodies against each other."""
    pair = ["Pakistan", "Indonesia"]
    ahead = figure("巴基斯坦和印度尼西亚谁的人口多，多多少？", "difference", pair, "population", winner=True)
    ahead["expect"][0].append("印尼")
    return [
        verdict("Who's got more land, Mali or Niger?", ["Mali", "Niger"], "area_km2"),
        figure(
            "In terms of people, by what percent is Egypt ahead of Iran?",
            "percent",
            ["Egypt", "Iran"],
            "population",
        ),
        ahead,
        farthest(
            "Out of Io, Titan and Triton, which moon orbits farthest from its planet?",
            ["Io", "Titan", "Triton"],
        ),
        times("Pluto is how many times as wide as its moon Charon?", ["Pluto", "Charon"], "diameter_km"),
        longer(
            "By how many days is a year on Neptune longer than one on Uranus?",
            ["Neptune", "Uranus"],
        ),
    ]


def lookups() -> list[Row]:
    """Facts, places in a ranking, a sum, a count, a formula."""
    return [
        money_and_capital(
            "I'm off to Cambodia next month. What's the capital, and what money do they use?", "Cambodia"
        ),
        rank(
            "Which are the three smallest countries of Asia by area?",
            ranked("area_km2", "Asia", smallest=True)[:3],
            "area_km2",
        ),
        together(
            "What's the combined population of Belgium, the Netherlands and Luxembourg?",
            ["Belgium", "Netherlands", "Luxembourg"],
            "population",
        ),
        period("木卫四绕木星转一圈要多少天？", "Callisto"),
        weight_on_moon("I weigh 82 kilos. What would the scales show on the Moon?", 82),
        members("How many dwarf planets are listed in your table?", "dwarf planet", "four"),
    ]


def documents() -> list[Row]:
    """Questions that a page of the manual or an article answers."""
    return [
        document(
            "I deleted loads of rows but my SQLite file is as big as before. How do I shrink it?",
            "faq lang_vacuum",
            ["VACUUM"],
        ),
        document(
            "How many significant digits of a floating point number does SQLite promise to keep?",
            "floatingpoint",
            [["15", "fifteen"]],
        ),
        document(
            "SQLite 的字符串里要包含单引号，该怎么写？",
            "faq",
            [["''", "two single quotes", "two single-quotes", "两个单引号", "两个连续的单引号"]],
        ),
        article(
            "When did the Huygens lander touch down on Titan?",
            "saturn.md",
            ["2005", ["14 January", "January 14", "1月14日"]],
        ),
        article("Which probe was the first to fly past Jupiter?", "jupiter.md", [["Pioneer 10", "先驱者10"]]),
        article("祝融号火星车的质量大约是多少？", "中国深空探测.md", ["240"]),
    ]


def small_talk() -> list[Row]:
    """Nothing to find out."""
    return [
        talk("Good afternoon! Hope you're having a nice day."),
        talk("Haha, you're funny."),
        talk("Brilliant, that's exactly what I was after.", "manual"),
        talk("OK, no more questions from me for today. See you!", "manual"),
        talk("What's your name, by the way?", "unseen"),
        talk("真厉害，谢谢你的讲解！", "unseen"),
    ]


def main() -> None:
    """Write the file beside this script."""
    sources = {"compare": compares, "lookup": lookups, "documents": documents, "small_talk": small_talk}
    write("third.jsonl", numbered(sources, "third"))


if __name__ == "__main__":
    main()
