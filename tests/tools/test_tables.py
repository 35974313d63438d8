"""A table of facts: what it refuses when made, and what its tools find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crewgraph import Column, Table
from crewgraph.runtime.errors import InvalidCrew, ToolArgumentError, ToolError
from crewgraph.tools.tool import Tool


@pytest.fixture
def tools(orchard: Table) -> dict[str, Tool]:
    return {t.name: t for t in orchard.tools()}


async def said(tool: Tool, lang: Any = "en", **arguments: Any) -> str:
    return tool.read(await tool.call(arguments)).statement(lang)


def test_a_missing_file_column_or_a_doubled_key_is_refused(csv_file: Path, tmp_path: Path) -> None:
    columns = {"weight": Column("how heavy it is")}
    with pytest.raises(InvalidCrew, match=r"nothing\.csv cannot be read: No such file"):
        Table.from_csv(tmp_path / "nothing.csv", key="name", columns=columns, thing="apple")
    for wrong in (
        {"key": "title", "columns": columns},
        {"key": "name", "columns": {"title": Column("-")}},
        {"key": "name", "columns": columns, "groups": ["title"]},
        {"key": "name", "columns": columns, "other_names": ["title"]},
    ):
        with pytest.raises(InvalidCrew, match="has no column 'title'; it has: name, other, weight"):
            Table.from_csv(csv_file, thing="apple", **wrong)  # type: ignore[arg-type]
    csv_file.write_text(csv_file.read_text("utf-8") + "Amber,,1,2,top,\n", "utf-8")
    with pytest.raises(InvalidCrew, match="has two rows called 'Amber'"):
        Table.from_csv(csv_file, key="name", columns=columns, thing="apple")
    csv_file.write_text("", "utf-8")
    with pytest.raises(InvalidCrew, match="it has: no rows"):
        Table.from_csv(csv_file, key="name", columns=columns, thing="apple")


def test_a_short_line_has_empty_cells(csv_file: Path) -> None:
    csv_file.write_text(csv_file.read_text("utf-8") + "Elm\n", "utf-8")
    table = Table.from_csv(csv_file, key="name", columns={"weight": Column("-")}, thing="apple")
    assert table.fact("Elm", "weight") is None


async def test_lookup_tells_one_fact_with_unit_and_source(tools: dict[str, Tool]) -> None:
    lookup = tools["lookup"]
    assert await said(lookup, row="Amber", column="weight") == "Amber: weight 120 g."
    assert await said(lookup, "zh", row="Amber", column="weight") == "琥珀：重量 120 g。"
    assert await said(lookup, row="Birch", column="weight") == "Birch: weight 80.5 g."
    assert await said(lookup, row="Birch", column="note") == "Birch: note sour."
    fact = lookup.read(await lookup.call({"row": "Amber", "column": "year"}))
    assert fact.evidence("en") == ["Amber: year 1901 [orchard.csv]"]


async def test_an_empty_cell_is_said_not_guessed(tools: dict[str, Tool]) -> None:
    assert await said(tools["lookup"], row="Dawn", column="weight") == "Dawn: weight not in the table."


async def test_rank_leaves_out_rows_without_a_figure(tools: dict[str, Tool]) -> None:
    rank = tools["rank"]
    assert await said(rank, column="weight", order="highest") == "The highest weight is Amber (120 g)."
    ranking = rank.read(await rank.call({"column": "weight", "order": "highest", "limit": 50}))
    assert [f.label for f in ranking.facts] == ["Amber", "Birch", "Cloud"]
    assert ranking.evidence("en")[-1] == "compared 3 rows"


async def test_rank_within_a_group_and_at_a_place(tools: dict[str, Tool]) -> None:
    rank = tools["rank"]
    assert (
        await said(rank, column="year", order="highest", within="top")
        == "The highest year in top is Birch (1950)."
    )
    assert (
        await said(rank, column="year", order="lowest", place=3)
        == "Number 3 by year, lowest first, is Cloud (1999)."
    )
    assert (
        await said(rank, "zh", column="year", order="highest", place=1, within="low")
        == "在low，年份从高到低排第 1 的是晨 (2003)。"
    )
    with pytest.raises(ToolError, match="There is no number 4: only 3 apples have a weight figure"):
        await rank.call({"column": "weight", "order": "lowest", "place": 4})


async def test_rank_takes_figures_only(tools: dict[str, Tool]) -> None:
    with pytest.raises(ToolArgumentError, match="column='note' is not known"):
        await tools["rank"].call({"column": "note", "order": "highest"})
    with pytest.raises(ToolArgumentError, match=r"order='higest' is not known; did you mean highest\?"):
        await tools["rank"].call({"column": "year", "order": "higest"})
    with pytest.raises(ToolArgumentError, match="limit=0"):
        await tools["rank"].call({"column": "year", "order": "highest", "limit": 0})


async def test_count_rows_counts_a_group(tools: dict[str, Tool]) -> None:
    assert await said(tools["count_rows"], within="top") == "2 apples in top."
    assert await said(tools["count_rows"], "zh", within="low") == "low：共 2 个。"


def test_a_named_table_prefixes_its_tools_and_one_without_groups_does_not_count(csv_file: Path) -> None:
    table = Table.from_csv(
        csv_file, key="name", columns={"weight": Column("-")}, thing="apple", name="apples"
    )
    assert [t.name for t in table.tools()] == ["apples_lookup", "apples_rank"]


def test_a_table_of_texts_only_has_no_ranking(csv_file: Path) -> None:
    table = Table.from_csv(csv_file, key="name", columns={"note": Column("how it tastes")}, thing="apple")
    assert [t.name for t in table.tools()] == ["lookup"]
