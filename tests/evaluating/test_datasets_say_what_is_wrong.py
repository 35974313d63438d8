"""A dataset is read as a whole before anything is run, and each wrong line is said with its number and what is wrong."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from crewgraph.runtime.errors import InvalidInput
from crewgraph.serving.evaluating.dataset import read_dataset

from .conftest import Lines

GOOD = {"id": "a", "input": "How much is ink?"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"input": "x",}', "line 2: not JSON"),
        ("[1]", "line 2: a case is an object"),
        ({"input": "x", "expcted": 1}, "line 2: 'expcted' is no key of a case; did you mean 'expected'?"),
        ({"expected": 1}, "line 2: a case has either `input` or `messages`"),
        ({"input": " "}, "line 2: it asks nothing"),
        ({"input": 5}, "line 2: input: "),
        ({"input": "x", "messages": [{"role": "user", "content": "x"}]}, "line 2: a case has either"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "line 2: the last of `messages`"),
        ({"id": "a", "input": "x"}, "line 2: the id 'a' is that of line 1 too"),
        ({"input": "x", "scorers": ["exat"]}, "line 2: There is no scorer 'exat': did you mean 'exact'?"),
        ({"input": "x", "scorers": ["exact"]}, "line 2: the scorer 'exact' needs `expected`"),
        ({"input": "x", "expected": "y", "scorers": [{"name": "exact", "slack": 1}]}, "no option 'slack'"),
        ({"input": "x", "expected": "y", "scorers": [{"name": "exact", "tolerance": "much"}]}, "tolerance"),
        ({"input": "x", "expected": "(", "scorers": ["regex"]}, "line 2: the pattern '(' is no regular"),
        ({"input": "x", "schema": {"type": "objekt"}}, "line 2: The schema is wrong"),
        ({"input": "x", "tools": []}, "line 2: tools: no calls are named"),
        ({"input": "x", "tools": {"mode": "sorted", "calls": ["a"]}}, "line 2: tools.mode: "),
        ({"input": "x", "scorers": ["nowhere.at.all:f"]}, "line 2: The scorer 'nowhere.at.all:f' cannot be"),
        ({"input": "x", "judge": " "}, "line 2: `judge` is empty"),
    ],
)
def test_a_wrong_line_is_said_with_its_number_and_what_is_wrong(lines: Lines, line: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_dataset(lines(GOOD, line))
    assert said in str(refused.value)


def test_every_wrong_line_is_said_at_once(lines: Lines) -> None:
    with pytest.raises(InvalidInput, match=r"line 1: .*line 3: "):
        read_dataset(lines("{", GOOD, "}"))


def test_text_that_is_not_utf_8_is_said(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_bytes(b'{"input": "x"}\n{"input": "\xff"}\n')
    with pytest.raises(InvalidInput, match="line 2: not UTF-8"):
        read_dataset(file)


def test_a_file_without_cases_and_one_that_is_not_there(lines: Lines, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has no cases"):
        read_dataset(lines("", " "))
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_dataset(tmp_path / "missing.jsonl")


def test_a_case_without_an_id_has_its_lines_number_and_empty_lines_are_passed_over(lines: Lines) -> None:
    found = read_dataset(lines("\ufeff" + '{"input": "x"}', "", {"input": "y", "id": 7}))
    assert [case.id for case in found.cases] == ["1", "7"]


def test_the_last_message_is_asked_and_those_before_are_history(lines: Lines) -> None:
    told = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    (found,) = read_dataset(lines({"messages": told})).cases
    assert found.request == "c"
    assert [said.content for said in found.history] == ["a", "b"]


def test_the_example_is_a_dataset_and_expects_what_its_table_says() -> None:
    folder = Path(__file__).parents[2] / "examples" / "data"
    cases = read_dataset(folder / "countries_cases.jsonl").cases
    with (folder / "countries.csv").open(encoding="utf-8") as lines:
        rows = {row["name"]: row for row in csv.DictReader(lines)}
    assert len(cases) >= 20
    looked_up = [case for case in cases if "lookup" in case.tags]
    assert len(looked_up) >= 8
    for case in looked_up:
        assert case.tools is not None
        (call,) = case.tools.calls
        assert call.args is not None
        assert str(case.expected) == rows[str(call.args["row"])][str(call.args["column"])]
