"""A small table of a made-up orchard, a run's context without a store, and its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph.tools.builtin.table import Column, Table

ORCHARD = """\
name,other,weight,year,shelf,note
Amber,琥珀;Golden One,120,1901,top,sweet
Birch,白桦,80.5,1950,top,sour
Cloud,云,80.5,1999,low,
Dawn,晨,,2003,low,mild
"""


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    file = tmp_path / "orchard.csv"
    file.write_text(ORCHARD, "utf-8")
    return file


@pytest.fixture
def orchard(csv_file: Path) -> Table:
    return Table.from_csv(
        csv_file,
        key="name",
        thing="apple",
        other_names=["other"],
        columns={
            "weight": Column("how heavy it is", unit="g", names=("weight", "重量")),
            "year": Column("when it was bred", names=("year", "年份")),
            "note": Column("how it tastes"),
        },
        groups=["shelf"],
    )
