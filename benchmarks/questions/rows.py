"""What every question set shares: the form of a row, the rule by which answers are compared, and how a set is written."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

Row = dict[str, Any]
Wanted = list[str | list[str]]
CREWS = {"compare": "countries", "lookup": "countries", "documents": "manual", "small_talk": "countries"}


def plain(text: str) -> str:
    """Text as the README's rules compare it: no case, no thousands separators, few spaces."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", text)


def holds(text: str, wanted: str | list[str]) -> bool:
    """Whether a text has a string (or one of several) in it; a number at its edge has to be a whole one."""
    if isinstance(wanted, list):
        return any(holds(text, one) for one in wanted)
    form = plain(wanted)
    before = r"(?<!\d)(?<!\d\.)" if form[:1].isdigit() else ""
    after = r"(?!\d|\.\d)" if form[-1:].isdigit() else ""
    return re.search(before + re.escape(form) + after, plain(text)) is not None


def numbered(sources: Mapping[str, Callable[[], list[Row]]], prefix: str = "") -> Iterator[Row]:
    """Every row of the sources, by kind, its fields in a fixed order; ids count on, or within a kind without `prefix`."""
    place = 0
    for kind, source in sources.items():
        for number, entry in enumerate(source(), 1):
            place += 1
            chinese = any("\u4e00" <= letter <= "\u9fff" for letter in entry["question"])
            yield {
                "id": f"{prefix}-{place:02d}" if prefix else f"{kind}-{number:02d}",
                "kind": kind,
                "lang": "zh" if chinese else "en",
                "crew": entry.get("crew", CREWS[kind]),
                **{name: entry[name] for name in ("question", "tools", "expect", "evidence")},
            }


def write(name: str, rows: Iterable[Row]) -> None:
    """Write a set beside this file."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{name}: {len(lines)} questions")
