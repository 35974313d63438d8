"""Write dev.jsonl: questions by hand, expected answers from the country table and the manual pages.

python benchmarks/questions/make_dev.py
"""

from __future__ import annotations

import csv

from rows import HERE, Row, Wanted, holds, numbered, write

DATA = HERE.parents[1] / "examples" / "data"

# Names a Chinese answer may use for cells that the table holds in English only.
CHINESE = {"Canberra": "堪培拉", "Thai Baht": "泰铢", "Asia": "亚洲"}

# What a right run has to use for each form of question.
VERDICT = ["lookup", "compare"]  # which one is more, in what order
FIGURE = {  # by how much, how many times, how many percent, together
    "difference": ["lookup", "compare"],
    "percent": ["lookup", "compare"],
    "ratio": ["lookup", ["compare", "ratio"]],
    "sum": ["lookup", "total"],
    "density": ["lookup", "ratio"],
}
CELL = ["lookup"]
RANKING = ["rank"]
MANUAL = ["search_documents"]


def load() -> dict[str, Row]:
    """The country table by name."""
    with (DATA / "countries.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["name"]: {**row, "area_km2": int(row["area_km2"]), "population": int(row["population"])}
        for row in rows
    }


TABLE = load()


def trimmed(value: float, digits: int) -> set[str]:
    """A rounded number, with and without the zeros at its end."""
    text = f"{value:.{digits}f}"
    return {text, text.rstrip("0").rstrip(".")} if digits else {text}


def amount(value: int) -> list[str]:
    """A count the ways people write it: in full, in thousands, in millions, in 万 and 亿."""
    forms: set[str] = set()
    if value >= 1_000_000:
        forms |= {f"{text} million" for digits in range(3) for text in trimmed(value / 1e6, digits)}
        forms |= {f"{text}亿" for digits in (2, 3) for text in trimmed(value / 1e8, digits) if float(text)}
    if value >= 100_000:
        forms.add(str(round(value, -3)))
    if value >= 10_000:
        digits_wanted = range(3) if value >= 1_000_000 else range(1, 3)
        forms |= {f"{text}万" for digits in digits_wanted for text in trimmed(value / 1e4, digits)}
    return [str(value), *sorted(forms - {str(value)})]


def fraction(value: float) -> list[str]:
    """A percentage or a ratio with two, one or no decimals; no fewer than two digits that count."""
    forms = [text for digits in (2, 1) for text in sorted(trimmed(value, digits), reverse=True)]
    if value >= 10:
        forms.append(f"{value:.0f}")
    return list(dict.fromkeys(forms))


def called(name: str) -> str | list[str]:
    """A country under its English or its Chinese name."""
    return [name, TABLE[name]["name_zh"]]


def cell(name: str, column: str) -> list[str]:
    """A text cell, with its Chinese form and the last word of a currency."""
    value = TABLE[name][column]
    forms = [value, CHINESE.get(value, "")]
    if column == "currency":
        forms.append(value.split()[-1])
    return [form for form in dict.fromkeys(forms) if form]


def figures(names: list[str], column: str) -> list[str]:
    """The cells that the answer rests on, as plain text."""
    return [str(TABLE[name][column]) for name in names]


def ranked(column: str, continent: str | None = None, smallest: bool = False) -> list[str]:
    """Country names from the largest (or smallest) figure on."""
    rows = [row for row in TABLE.values() if continent in (None, row["continent"])]
    return [row["name"] for row in sorted(rows, key=lambda row: row[column], reverse=not smallest)]


def verdict(question: str, names: list[str], column: str) -> Row:
    """Which one has more: the winner, on the ground of every figure."""
    winner = max(names, key=lambda name: TABLE[name][column])
    return {
        "question": question,
        "tools": VERDICT,
        "expect": [called(winner)],
        "evidence": figures(names, column),
    }


def order(question: str, names: list[str], column: str) -> Row:
    """All of them in order; the list `expect` has that order."""
    names = sorted(names, key=lambda name: -TABLE[name][column])
    return {
        "question": question,
        "tools": VERDICT,
        "expect": [called(name) for name in names],
        "evidence": figures(names, column),
    }


def figure(question: str, form: str, names: list[str], column: str, winner: bool = False) -> Row:
    """A number worked out from the figures: difference, ratio, percent, sum."""
    values = [TABLE[name][column] for name in names]
    first, second = values[0], values[1]
    wanted = {
        "difference": lambda: amount(abs(first - second)),
        "ratio": lambda: fraction(first / second),
        "percent": lambda: fraction((first - second) / second * 100),
        "sum": lambda: amount(sum(values)),
    }[form]()
    expect: Wanted = [called(max(names, key=lambda name: TABLE[name][column]))] if winner else []
    return {
        "question": question,
        "tools": FIGURE[form],
        "expect": [*expect, wanted],
        "evidence": figures(names, column),
    }


def both(question: str, names: list[str], column: str) -> Row:
    """Two figures side by side."""
    return {
        "question": question,
        "tools": VERDICT,
        "expect": [amount(TABLE[name][column]) for name in names],
        "evidence": figures(names, column),
    }


def lookup(question: str, names: list[str], column: str) -> Row:
    """Cells of the table."""
    numeric = column in ("area_km2", "population")
    return {
        "question": question,
        "tools": CELL,
        "expect": [amount(TABLE[name][column]) if numeric else cell(name, column) for name in names],
        "evidence": figures(names, column),
    }


def density(question: str, name: str) -> Row:
    """People per square kilometre."""
    row = TABLE[name]
    return {
        "question": question,
        "tools": FIGURE["density"],
        "expect": [fraction(row["population"] / row["area_km2"])],
        "evidence": [str(row["population"]), str(row["area_km2"])],
    }


def rank(question: str, names: list[str], column: str) -> Row:
    """Countries picked by a figure."""
    return {
        "question": question,
        "tools": RANKING,
        "expect": [called(name) for name in names],
        "evidence": figures(names, column),
    }


def document(question: str, pages: str, expect: Wanted) -> Row:
    """A question on the manual; the answer stands in every page named."""
    found: list[str] = [f"{page}.md" for page in pages.split()]
    for page in found:
        text = (DATA / "sqlite_manual" / page).read_text(encoding="utf-8")
        for wanted in expect:
            choices = [wanted] if isinstance(wanted, str) else wanted
            if not any(holds(text, choice) for choice in choices):
                raise SystemExit(f"{page} does not hold {wanted}: {question}")
    return {
        "question": question,
        "tools": MANUAL,
        "expect": expect,
        "evidence": found if len(found) == 1 else [found],
    }


def talk(question: str, crew: str = "countries") -> Row:
    """Nothing to find out."""
    return {"question": question, "crew": crew, "tools": [], "expect": [], "evidence": []}


def compares() -> list[Row]:
    """Two or three countries against each other."""
    return [
        figure(
            "How many more people live in Germany than in Poland?",
            "difference",
            ["Germany", "Poland"],
            "population",
        ),
        verdict("Which is bigger by area, Kazakhstan or Argentina?", ["Kazakhstan", "Argentina"], "area_km2"),
        figure(
            "By what percentage is Spain's population larger than Portugal's?",
            "percent",
            ["Spain", "Portugal"],
            "population",
        ),
        figure(
            "What's the ratio of Brazil's area to that of France?", "ratio", ["Brazil", "France"], "area_km2"
        ),
        figure(
            "How many times larger is Canada than the UK?", "ratio", ["Canada", "United Kingdom"], "area_km2"
        ),
        verdict(
            "Out of Japan, Vietnam and the Philippines, who has the most people?",
            ["Japan", "Vietnam", "Philippines"],
            "population",
        ),
        figure(
            "Is Egypt or Ethiopia more populous, and by how much?",
            "difference",
            ["Egypt", "Ethiopia"],
            "population",
            winner=True,
        ),
        figure(
            "What is the difference in area between Sweden and Norway, in square kilometres?",
            "difference",
            ["Sweden", "Norway"],
            "area_km2",
        ),
        both("Mexico vs Indonesia: please compare their populations.", ["Mexico", "Indonesia"], "population"),
        figure(
            "Does Italy have more inhabitants than South Korea, and by how many percent?",
            "percent",
            ["Italy", "South Korea"],
            "population",
            winner=True,
        ),
        order(
            "Put Chile, Peru and Colombia in order of size, the largest first.",
            ["Chile", "Peru", "Colombia"],
            "area_km2",
        ),
        figure(
            "In terms of land area, how much smaller is New Zealand than Japan?",
            "difference",
            ["New Zealand", "Japan"],
            "area_km2",
        ),
        figure("中国的人口比印度多多少？", "difference", ["China", "India"], "population"),
        verdict("法国和德国，哪个国家的面积更大？", ["France", "Germany"], "area_km2"),
        figure("巴西的面积是阿根廷的几倍？", "ratio", ["Brazil", "Argentina"], "area_km2"),
        figure("俄罗斯的人口比日本多百分之几？", "percent", ["Russia", "Japan"], "population"),
    ]


def lookups() -> list[Row]:
    """One country, or a place in a ranking."""
    return [
        lookup("What is the capital of Mongolia?", ["Mongolia"], "capital"),
        lookup("What's Kenya's population?", ["Kenya"], "population"),
        lookup("How large is Iceland?", ["Iceland"], "area_km2"),
        lookup("Which currency do they use in Thailand?", ["Thailand"], "currency"),
        rank(
            "What is the largest country in South America?",
            ranked("area_km2", "South America")[:1],
            "area_km2",
        ),
        rank(
            "Name the five European countries with the most people.",
            ranked("population", "Europe")[:5],
            "population",
        ),
        rank(
            "What's the smallest African country by area?",
            ranked("area_km2", "Africa", smallest=True)[:1],
            "area_km2",
        ),
        lookup("On which continent is Uzbekistan?", ["Uzbekistan"], "continent"),
        lookup("Tell me the capitals of Norway and Finland.", ["Norway", "Finland"], "capital"),
        rank(
            "Which country has the third largest population in Asia?",
            ranked("population", "Asia")[2:3],
            "population",
        ),
        density("How many people per square kilometre are there in the Netherlands?", "Netherlands"),
        figure(
            "What do the populations of Denmark, Sweden and Norway add up to?",
            "sum",
            ["Denmark", "Sweden", "Norway"],
            "population",
        ),
        lookup("澳大利亚的首都是哪里？", ["Australia"], "capital"),
        lookup("越南有多少人口？", ["Vietnam"], "population"),
        rank("非洲面积最大的国家是哪个？", ranked("area_km2", "Africa")[:1], "area_km2"),
        lookup("瑞士的面积是多少平方公里？", ["Switzerland"], "area_km2"),
    ]


def documents() -> list[Row]:
    """Questions that a page of the manual answers."""
    return [
        document("How many columns can a SQLite table have by default?", "limits", ["2000"]),
        document("What's the largest number of tables I can join in one query?", "limits", ["64"]),
        document(
            "How big can a SQLite database file get?", "limits whentouse", [["281 terabytes", "281 TB"]]
        ),
        document(
            "Can I use WAL mode if the database lives on a network drive?",
            "wal",
            [["same host", "same machine", "same computer", "not work over a network"]],
        ),
        document("When does SQLite run a checkpoint of the WAL file on its own?", "wal", ["1000 pages"]),
        document(
            "Are foreign keys enforced out of the box, and if not, how do I switch them on?",
            "foreignkeys",
            ["PRAGMA foreign_keys"],
        ),
        document("Why should I avoid the AUTOINCREMENT keyword?", "autoinc", [["overhead", "extra CPU"]]),
        document(
            "How much free disk space might VACUUM need compared with the original file?",
            "lang_vacuum",
            [["twice", "two times", "2x", "double"]],
        ),
        document("Which threading mode does SQLite use unless told otherwise?", "threadsafe", ["serialized"]),
        document(
            "Does SQLite have a real boolean type, or how are true and false stored?",
            "datatype3",
            ["0", "1", "integer"],
        ),
        document("Since which version does SQLite support generated columns?", "gencol", ["3.31.0"]),
        document(
            "Which column datatypes are allowed in a STRICT table?",
            "stricttables",
            ["INT", "REAL", "TEXT", "BLOB", "ANY"],
        ),
        document(
            "In an upsert, how do I refer to the value that would have been inserted?",
            "lang_upsert",
            ["excluded."],
        ),
        document(
            "Is it safe to carry an open database connection across a fork()?",
            "howtocorrupt",
            [["corrupt", "locking problems"]],
        ),
        document("怎样把 SQLite 数据库切换到 WAL 模式？", "wal", ["journal_mode=WAL"]),
        document("SQLite 的 :memory: 数据库什么时候会消失？", "inmemorydb", [["closed", "closes", "关闭"]]),
    ]


def small_talk() -> list[Row]:
    """Greetings, thanks, questions about the assistant."""
    return [
        talk("Hi there!"),
        talk("Good morning, how are you today?"),
        talk("Thanks a lot, that was very helpful."),
        talk("Who are you?"),
        talk("What can you do for me?"),
        talk("Okay, great, that's all I needed. Bye!"),
        talk("Hello, is anybody there?", "manual"),
        talk("Nice to meet you.", "manual"),
        talk("Cheers, you've saved me an afternoon.", "manual"),
        talk("Are you a person or a machine?", "manual"),
        talk("Tell me a joke."),
        talk("你好！"),
        talk("谢谢，你帮了我大忙。"),
        talk("你是谁？能帮我做什么？"),
        talk("早上好，今天过得怎么样？", "manual"),
        talk("再见，祝你愉快！", "manual"),
    ]


def main() -> None:
    """Write the file beside this script."""
    sources = {"compare": compares, "lookup": lookups, "documents": documents, "small_talk": small_talk}
    write("dev.jsonl", numbered(sources))


if __name__ == "__main__":
    main()
