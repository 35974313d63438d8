"""The page of an evaluation is one file that needs nothing else, and no text in it is ever understood as markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph.serving.evaluating.record import Heading, Record, Trial
from crewgraph.serving.evaluating.reporting.comparison import compare
from crewgraph.serving.evaluating.reporting.page import page
from crewgraph.serving.evaluating.reporting.summary import summarise
from crewgraph.serving.evaluating.score import Score

HOSTILE = (
    "</pre></td><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\x1b[31m\u202e<a href=javascript:x>"
)
OURS = frozenset(
    "html head meta title style body h1 h2 p br ul li div table tr th td details summary pre code span svg line circle".split()
)


class Reader(HTMLParser):
    """What a browser would see: the tags, their attributes, the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def record_of(text: str, tmp: str = "r.jsonl") -> Record:
    from pathlib import Path

    heading = Heading(
        key="k", crew=text, crew_file=text, crew_hash="h", dataset=text, dataset_hash=text, planner=text,
        model=text, cases={text: "same"},
    )  # fmt: skip
    score = Score(value=0.5, passed=False, why=text, by=text)
    trial = Trial(
        case=text,
        run_id=text,
        ended="finished",
        request=text,
        answer=text,
        tags=(text,),
        scores={text: score},
    )
    failed = Trial(
        case=text, attempt=1, run_id=text, ended="failed", error=text, tags=(text,), scores={text: score}
    )
    return Record(Path(tmp), heading, {(text, 0): trial, (text, 1): failed})


def made(text: str) -> str:
    record = record_of(text)
    return page(record, summarise(list(record.trials.values())), compare(record, record))


def test_hostile_text_is_shown_and_never_understood() -> None:
    found = read(made(HOSTILE))
    assert set(found.tags) <= OURS
    assert not any(name.startswith("on") or name in ("src", "href") for name, _ in found.attributes)
    assert "<script>alert(1)</script>" in found.text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", made(HOSTILE))


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec=None), max_size=30))
def test_whatever_a_model_writes_makes_the_same_tags(text: str) -> None:
    found = made(text)
    found.encode("utf-8")
    assert set(read(found).tags) <= OURS
    assert len(read(found).tags) - len(read(made("x")).tags) in range(-12, 1), "empty text draws fewer boxes"


def test_it_loads_nothing_and_fits_a_phone() -> None:
    text = made("x")
    assert "default-src 'none'" in text
    assert 'name="viewport"' in text
    assert not re.search(r"https?://|<script|<link|url\(|@import", text)
    assert "prefers-color-scheme" in text or "color-scheme:light dark" in text
