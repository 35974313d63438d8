"""Write questions.jsonl: questions by hand, expected answers from the table, the formulas and the documents.

python benchmarks/unseen/make_questions.py
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crew import EARTH_GRAVITY, GRAVITY, LIGHT_KM_S

HERE = Path(__file__).resolve().parent
FIGURES = ("diameter_km", "distance_km", "period_days", "discovered")

Row = dict[str, Any]
Wanted = list[str | list[str]]


def number(text: str) -> int | float | None:
    """A cell as a number."""
    if not text:
        return None
    return float(text) if "." in text else int(text)


def load() -> dict[str, Row]:
    """The table by name."""
    with (HERE / "bodies.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["name"]: {**row, **{c: number(row[c]) for c in FIGURES}} for row in rows}


TABLE = load()


def trimmed(value: float, digits: int) -> set[str]:
    """A rounded number, with and without the zeros at its end."""
    text = f"{value:.{digits}f}"
    return {text, text.rstrip("0").rstrip(".")} if digits else {text}


def close(text: str, value: float, tolerance: float) -> bool:
    """Whether a written number is near enough to the value."""
    return abs(float(text) - value) <= tolerance * abs(value)


def amount(value: float) -> list[str]:
    """A figure the ways people write it: in full, rounded, in millions and billions, in 万 and 亿."""
    exact = str(value)
    forms: set[str] = set()
    if isinstance(value, float):
        forms |= {t for d in range(5) for t in trimmed(value, d) if close(t, value, 0.02)}
    for size, word in ((1e6, " million"), (1e9, " billion"), (1e4, "万"), (1e8, "亿")):
        if value >= size:
            forms |= {
                f"{t}{word}"
                for d in range(4)
                for t in trimmed(value / size, d)
                if close(t, value / size, 0.01)
            }
    if value >= 100_000:
        forms.add(str(round(value, -3)))
    return [exact, *sorted(forms - {exact})]


def fraction(value: float) -> list[str]:
    """A percentage or a ratio: two, one or no decimals, off by two percent at most."""
    forms = [t for d in (3, 2, 1, 0) for t in sorted(trimmed(value, d), reverse=True)]
    return [t for t in dict.fromkeys(forms) if close(t, value, 0.02)]


def shown(value: float | str) -> str | list[str]:
    """A figure as it stands in the table, or shown with two decimals."""
    if isinstance(value, float):
        forms = list(dict.fromkeys([str(value), f"{value:.2f}"]))
        return forms if len(forms) > 1 and value >= 1000 else str(value)
    return str(value)


def called(name: str) -> list[str]:
    """A body under its English or its Chinese names."""
    row = TABLE[name]
    chinese = [row["name_zh"], *(a for a in row["aliases"].split(";") if re.search("[\u4e00-\u9fff]", a))]
    return [name, *chinese]


def cells(names: list[str], column: str) -> Wanted:
    """The cells that the answer rests on."""
    return [shown(TABLE[name][column]) for name in names]


def entry(question: str, tools: list[str], expect: Wanted, evidence: Wanted) -> Row:
    return {"question": question, "tools": tools, "expect": expect, "evidence": evidence}


def verdict(question: str, names: list[str], column: str, least: bool = False) -> Row:
    """Which one has more (or less): the winner, on the ground of every figure."""
    winner = (min if least else max)(names, key=lambda name: TABLE[name][column])
    return entry(question, ["lookup", "compare"], [called(winner)], cells(names, column))


def order(question: str, names: list[str], column: str, least: bool = False) -> Row:
    """All of them in order; the list `expect` has that order."""
    names = sorted(names, key=lambda name: TABLE[name][column], reverse=not least)
    return entry(question, ["lookup", "compare"], [called(name) for name in names], cells(names, column))


def figure(question: str, form: str, names: list[str], column: str, winner: bool = False) -> Row:
    """A number worked out from the figures: difference, times, percent more or less, ratio, sum, average."""
    values = [TABLE[name][column] for name in names]
    first, second = values[0], values[1]
    gap = abs(first - second)
    wanted = {
        "difference": lambda: amount(gap if isinstance(gap, int) else round(gap, 6)),
        "times": lambda: fraction(first / second),
        "ratio": lambda: fraction(first / second),
        "percent": lambda: fraction((first - second) / second * 100),
        "percent less": lambda: fraction((second - first) / second * 100),
        "sum": lambda: amount(sum(values)),
        "average": lambda: amount(round(sum(values) / len(values), 6)),
    }[form]()
    tools = {"ratio": ["lookup", "ratio"], "sum": ["lookup", "total"], "average": ["lookup", "total"]}
    best: Wanted = [called(max(names, key=lambda name: TABLE[name][column]))] if winner else []
    return entry(question, tools.get(form, ["lookup", "compare"]), [*best, wanted], cells(names, column))


def lookup(question: str, name: str, column: str) -> Row:
    """One cell."""
    value = TABLE[name][column]
    forms: str | list[str] = [value, value.split()[-1]] if isinstance(value, str) else [str(value)]
    if column in ("diameter_km", "distance_km", "period_days"):
        forms = amount(value)
    return entry(question, ["lookup"], [forms], cells([name], column))


def ranked(column: str, group: str, least: bool = False) -> list[str]:
    """Names in a group from the largest (or smallest) figure on."""
    rows = [r for r in TABLE.values() if group in (r["kind"], r["family"]) and r[column] is not None]
    return [r["name"] for r in sorted(rows, key=lambda r: r[column], reverse=not least)]


def rank(question: str, names: list[str], column: str) -> Row:
    """Bodies picked by a figure."""
    return entry(question, ["rank"], [called(name) for name in names], cells(names, column))


def count(question: str, group: str) -> Row:
    """How many rows a group has."""
    found = sum(group in (row["kind"], row["family"]) for row in TABLE.values())
    return entry(question, ["count_rows"], [str(found)], [str(found)])


def formula(question: str, tool: str, value: float) -> Row:
    """A figure of one of the crew's own tools, or of `calculate`."""
    forms = list(dict.fromkeys([*fraction(value), f"{value + 1e-9:.2f}"]))
    return entry(question, [tool], [forms], [forms])


def weight(question: str, place: str, kilograms: float) -> Row:
    return formula(question, "weight_on", kilograms * GRAVITY[place] / EARTH_GRAVITY)


def light(question: str, kilometres: float) -> Row:
    return formula(question, "light_travel_time", kilometres / LIGHT_KM_S)


def document(question: str, page: str, expect: Wanted) -> Row:
    """A question that an article answers; the answer stands in it."""
    text = (HERE / "documents" / page).read_text(encoding="utf-8")
    for wanted in expect:
        if not any(holds(text, choice) for choice in ([wanted] if isinstance(wanted, str) else wanted)):
            raise SystemExit(f"{page} does not hold {wanted}: {question}")
    return entry(question, ["search_documents"], expect, [page])


def plain(text: str) -> str:
    """Text as benchmarks/questions/README.md compares it."""
    text = re.sub(r"(?<=\d)[,\u00a0\u202f](?=\d{3}(?!\d))", "", text.casefold())
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", text)


def holds(text: str, wanted: str) -> bool:
    """Whether a text has a string in it; a number at its edge has to be a whole one."""
    wanted = plain(wanted)
    before = r"(?<!\d)(?<!\d\.)" if wanted[0].isdigit() else ""
    after = r"(?!\d|\.\d)" if wanted[-1].isdigit() else ""
    return re.search(before + re.escape(wanted) + after, plain(text)) is not None


def talk(question: str) -> Row:
    return entry(question, [], [], [])


def compares() -> list[Row]:
    return [
        verdict("Is Titan or Callisto the bigger moon?", ["Titan", "Callisto"], "diameter_km"),
        figure("How much wider is Saturn than Uranus?", "difference", ["Saturn", "Uranus"], "diameter_km"),
        figure(
            "How many times bigger across is Jupiter than Earth?",
            "times",
            ["Jupiter", "Earth"],
            "diameter_km",
        ),
        figure(
            "By what percentage is the diameter of Venus larger than that of Mars?",
            "percent",
            ["Venus", "Mars"],
            "diameter_km",
        ),
        verdict(
            "Which takes longer to go round its planet: Triton, Oberon or Ganymede?",
            ["Triton", "Oberon", "Ganymede"],
            "period_days",
        ),
        figure(
            "What's the ratio of Neptune's distance from the Sun to Earth's?",
            "ratio",
            ["Neptune", "Earth"],
            "distance_km",
        ),
        order(
            "Sort Rhea, Titania and Iapetus by diameter, biggest first.",
            ["Rhea", "Titania", "Iapetus"],
            "diameter_km",
        ),
        figure(
            "Which one is farther from the Sun, Mars or Venus, and by how many kilometres?",
            "difference",
            ["Mars", "Venus"],
            "distance_km",
            winner=True,
        ),
        figure(
            "How many percent smaller is Pluto than our Moon?",
            "percent less",
            ["Pluto", "Moon"],
            "diameter_km",
        ),
        verdict("木卫二和海卫一哪个更大？", ["Europa", "Triton"], "diameter_km"),
        figure("海王星的直径比地球大多少公里？", "difference", ["Neptune", "Earth"], "diameter_km"),
        figure("木星的公转周期是火星的几倍？", "times", ["Jupiter", "Mars"], "period_days"),
    ]


def lookups() -> list[Row]:
    return [
        lookup("Who discovered Miranda?", "Miranda", "discoverer"),
        lookup("How long is a year on Mercury in Earth days?", "Mercury", "period_days"),
        rank(
            "What are the three largest moons of Saturn?",
            ranked("diameter_km", "Saturnian moon")[:3],
            "diameter_km",
        ),
        rank(
            "Which is the second smallest planet?",
            ranked("diameter_km", "planet", least=True)[1:2],
            "diameter_km",
        ),
        count("How many moons of Uranus do you have in your list?", "Uranian moon"),
        figure(
            "What's the average diameter of Io, Europa, Ganymede and Callisto?",
            "average",
            ["Io", "Europa", "Ganymede", "Callisto"],
            "diameter_km",
        ),
        formula("What is 365.25 times 11.86?", "calculate", 365.25 * 11.86),
        weight("I weigh 82 kg. What would the scales say if I stood on Mars?", "Mars", 82),
        light("How many seconds does it take light to cover 5 million kilometres?", 5_000_000),
        lookup("冥王星是哪一年被发现的？", "Pluto", "discovered"),
        lookup("月球离地球有多远？", "Moon", "distance_km"),
        weight("一个60公斤的人在木星上有多重？", "Jupiter", 60),
    ]


def documents() -> list[Row]:
    return [
        document(
            "Why is Pluto not a planet any more?",
            "pluto_and_dwarf_planets.md",
            [["neighbourhood", "neighborhood"]],
        ),
        document(
            "Who came up with the name Pluto?", "pluto_and_dwarf_planets.md", [["Venetia Burney", "Burney"]]
        ),
        document(
            "What are the clouds on Venus made of?",
            "mercury_and_venus.md",
            [["sulphuric acid", "sulfuric acid"]],
        ),
        document(
            "How long did Venera 13 survive on the surface?",
            "mercury_and_venus.md",
            [["127 minutes", "two hours and seven minutes"]],
        ),
        document(
            "How fast is the Moon drifting away from us?",
            "moon.md",
            [["3.8 centimetres", "3.8 centimeters", "3.8 cm"]],
        ),
        document("Which Apollo mission was the first to bring a car along?", "moon.md", ["Apollo 15"]),
        document("What powers the Curiosity rover?", "mars.md", ["plutonium"]),
        document("Do we know what the rings of Saturn consist of?", "saturn.md", [["water ice", "ice"]]),
        document(
            "Why was the Galileo orbiter made to plunge into Jupiter?",
            "jupiter.md",
            [["microbe", "contaminat"], "Europa"],
        ),
        document(
            "How were the rings around Uranus found?",
            "uranus_and_neptune.md",
            [["in front of a star", "star blinked", "occultation"]],
        ),
        document("嫦娥五号带回了多少月球样品？", "中国深空探测.md", [["1731克", "1731 g", "1.731千克"]]),
        document(
            "祝融号原计划在火星上工作多久？",
            "中国深空探测.md",
            [["90个火星日", "90 sols", "90 Martian days"]],
        ),
    ]


def small_talk() -> list[Row]:
    return [
        talk("Hey, good evening!"),
        talk("Thank you, my daughter will love this."),
        talk("What kind of things can I ask you about?"),
        talk("Are you a real astronomer?"),
        talk("I'm just having a look around, nothing special."),
        talk("That's all for tonight, see you tomorrow!"),
        talk("Wow, you're quick."),
        talk("Sorry, I have to go, the phone is ringing."),
        talk("Do you ever get tired of answering questions?"),
        talk("How's it going?"),
        talk("晚上好，很高兴认识你！"),
        talk("太好了，非常感谢，下次再聊。"),
    ]


def questions() -> Iterator[Row]:
    """Every line, with its fields in a fixed order."""
    sources = {"compare": compares, "lookup": lookups, "documents": documents, "small_talk": small_talk}
    for kind, source in sources.items():
        for place, row in enumerate(source(), 1):
            chinese = any("\u4e00" <= letter <= "\u9fff" for letter in row["question"])
            lang = "zh" if chinese else "en"
            yield {"id": f"{kind}-{place:02d}", "kind": kind, "lang": lang, "crew": "unseen", **row}


def main() -> None:
    """Write the file beside this script."""
    lines = [json.dumps(row, ensure_ascii=False) for row in questions()]
    (HERE / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"questions.jsonl: {len(lines)} questions")


if __name__ == "__main__":
    main()
