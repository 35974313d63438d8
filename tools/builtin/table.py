"""A table of facts and the tools that read it: `lookup`, `rank` and `count_rows`.

A table is a CSV file with one row per thing. The crew's author says which column names the thing, which columns
hold other names for it, and describes the columns that may be asked for in the words people use.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from ...runtime.errors import InvalidCrew, ToolError
from ..text import language_of
from ..tool import Option, Tool
from ..values import Count, Fact, Ranking

UNKNOWN = "not in the table"
"""The value of a fact that a table is silent about."""

ORDINAL = "ordinal"
"""JSON-schema `format` of a parameter that takes a place in an order."""

Cell = int | float | str | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column that may be asked for: what it tells, its unit, and other names for it (any language)."""

    about: str
    unit: str = ""
    names: tuple[str, ...] = ()


def _cell(text: str) -> Cell:
    plain = text.strip()
    if not plain:
        return None
    try:
        return int(plain)
    except ValueError:
        pass
    try:
        return float(plain)
    except ValueError:
        return plain


def choice(values: Sequence[str]) -> Any:
    """The type that takes exactly these values."""
    return Literal[tuple(values)]


@dataclass(frozen=True)
class Table:
    """Rows of facts under one key.

    `thing` is what a row is ("country"); `name` prefixes the tools where a crew has several tables. `groups`
    names the text columns by which rows can be narrowed ("in Europe").
    """

    rows: Mapping[str, Mapping[str, Cell]]
    columns: Mapping[str, Column]
    thing: str
    source: str
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    group_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    name: str = ""
    plural: str = ""

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        *,
        key: str,
        columns: Mapping[str, Column],
        thing: str,
        plural: str = "",
        other_names: Sequence[str] = (),
        groups: Sequence[str] = (),
        group_names: Mapping[str, tuple[str, ...]] | None = None,
        name: str = "",
    ) -> Table:
        """Read a CSV file (UTF-8, a header line). Cells of `other_names` columns hold names separated by ";".

        Raises:
            InvalidCrew: the file or a named column is not there, or two rows have the same key.
        """
        file = Path(path)
        try:
            with file.open(encoding="utf-8", newline="") as lines:
                records = list(csv.DictReader(lines))
        except OSError as error:
            raise InvalidCrew(f"The table {file} cannot be read: {error.strerror}.") from None
        header = list(records[0]) if records else []
        for column in (key, *columns, *other_names, *groups):
            if column not in header:
                raise InvalidCrew(
                    f"The table {file.name} has no column {column!r}; it has: {', '.join(header) or 'no rows'}."
                )
        rows: dict[str, dict[str, Cell]] = {}
        names: dict[str, tuple[str, ...]] = {}
        for record in records:
            own = record[key].strip()
            if own in rows:
                raise InvalidCrew(f"The table {file.name} has two rows called {own!r}.")
            rows[own] = {column: _cell(record[column] or "") for column in {*columns, *groups}}
            others = (part.strip() for column in other_names for part in (record[column] or "").split(";"))
            names[own] = tuple(part for part in others if part)
        return cls(
            rows,
            columns,
            thing,
            file.name,
            names,
            tuple(groups),
            group_names or {},
            name,
            plural or thing + "s",
        )

    def fact(self, row: str, column: str) -> Fact | None:
        """One cell as a fact, or None where the table is silent."""
        value = self.rows[row].get(column)
        if value is None:
            return None
        about = self.columns[column]
        local: dict[str, dict[str, str]] = {}
        for what, names in (("label", self.names.get(row, ())), ("quantity", about.names)):
            chinese = next((n for n in names if language_of(n) == "zh"), None)
            if chinese:
                local.setdefault("zh", {})[what] = chinese
        english = next((n for n in about.names if language_of(n) == "en"), column)
        return Fact(
            label=row, quantity=english, value=value, unit=about.unit, source=self.source, local=local
        )

    def tools(self) -> list[Tool]:
        """`lookup`, `rank` and, where rows can be narrowed, `count_rows`; prefixed by the table's name."""
        made = [self._lookup(), *([self._rank()] if self._numeric() else [])]
        return [*made, self._count()] if self.groups else made

    def _numeric(self) -> list[str]:
        return [
            c for c in self.columns if any(isinstance(row.get(c), int | float) for row in self.rows.values())
        ]

    def _named(self, what: str) -> str:
        return f"{self.name}_{what}" if self.name else what

    def _rows(self) -> tuple[Option, ...]:
        return tuple(Option(row, self.names.get(row, ())) for row in self.rows)

    def _columns(self, columns: Sequence[str]) -> tuple[Option, ...]:
        return tuple(
            Option(
                c,
                (c.replace("_", " "), *self.columns[c].names),
                f"{self.columns[c].about} {self.columns[c].unit}",
            )
            for c in columns
        )

    def _within(self) -> tuple[Option, ...]:
        found = dict.fromkeys(
            str(row[g]) for g in self.groups for row in self.rows.values() if row.get(g) is not None
        )
        return tuple(Option(value, self.group_names.get(value, ())) for value in sorted(found))

    def _narrowed(self, within: Sequence[str]) -> list[str]:
        """Rows in the groups: in any of those of one column, and that for each column that is spoken of."""
        asked = [
            {v for v in within if any(str(cells.get(g)) == v for cells in self.rows.values())}
            for g in self.groups
        ]
        return [
            row
            for row, cells in self.rows.items()
            if all(
                str(cells.get(g)) in wanted for g, wanted in zip(self.groups, asked, strict=True) if wanted
            )
        ]

    def _lookup(self) -> Tool:
        async def lookup(row: str, column: str) -> Fact:
            found = self.fact(row, column)
            return found or Fact(label=row, quantity=column, value=UNKNOWN, source=self.source)

        model = create_model(
            "lookup_arguments",
            __config__=ConfigDict(extra="forbid"),
            row=(choice(list(self.rows)), Field(description=f"The {self.thing}.")),
            column=(choice(list(self.columns)), Field(description="What is asked of it.")),
        )
        listed = "; ".join(f"{name} ({column.about})" for name, column in self.columns.items())
        text = f"Look up one fact about one {self.thing}: {listed}."
        return Tool(
            self._named("lookup"),
            text,
            model,
            Fact,
            lookup,
            options={"row": self._rows(), "column": self._columns(list(self.columns))},
        )

    def _rank(self) -> Tool:
        numeric = [
            c for c in self.columns if any(isinstance(row.get(c), int | float) for row in self.rows.values())
        ]

        async def rank(column: str, order: str, within: list[str], limit: int, place: int | None) -> Ranking:
            every = (self.fact(row, column) for row in self._narrowed(within))
            rows = [fact for fact in every if fact is not None and not isinstance(fact.value, str)]
            where = f" in {', '.join(within)}" if within else ""
            if not rows:
                raise ToolError(f"The table {self.source} has no {column} figures{where}.")
            rows.sort(key=lambda fact: float(fact.value), reverse=order == "highest")
            if place is not None and place > len(rows):
                raise ToolError(
                    f"There is no number {place}: only {len(rows)} {self.plural} have a {column} figure{where}."
                )
            shown = rows[:limit] if place is None else rows[place - 1 : place]
            return Ranking(facts=shown, order=order, within=", ".join(within), of=len(rows), place=place)

        within = self._within()
        place = Field(
            None,
            ge=1,
            description="Only the one at this place: 3 for the third.",
            json_schema_extra={"format": ORDINAL},
        )
        fields: dict[str, Any] = {
            "column": (choice(numeric), Field(description="The figure to rank by.")),
            "order": (Literal["highest", "lowest"], Field(description="Which end comes first.")),
            "limit": (int, Field(1, ge=1, le=50, description="How many to name.")),
            "place": (int | None, place),
            "within": (_groups(within), Field(default_factory=list, description="Narrow to these groups.")),
        }
        model = create_model("rank_arguments", __config__=ConfigDict(extra="forbid"), **fields)
        order = (
            Option("highest", ("highest", "largest", "最高", "最大", "最多")),
            Option("lowest", ("lowest", "smallest", "最低", "最小", "最少")),
        )
        options: dict[str, tuple[Option, ...]] = {"column": self._columns(numeric), "order": order}
        if within:
            options["within"] = within
        text = f"Find the {self.plural} with the highest or lowest figure, ranked: {', '.join(numeric)}."
        return Tool(self._named("rank"), text, model, Ranking, rank, options=options)

    def _count(self) -> Tool:
        async def count(within: list[str]) -> Count:
            number = len(self._narrowed(within))
            return Count(count=number, what=self.plural, within=", ".join(within), source=self.source)

        options = self._within()
        model: type[BaseModel] = create_model(
            "count_rows_arguments",
            __config__=ConfigDict(extra="forbid"),
            within=(_groups(options), Field(min_length=1, description="The groups to count in.")),
        )
        text = f"Count how many {self.plural} there are in a group, the number of {self.plural}."
        return Tool(self._named("count_rows"), text, model, Count, count, options={"within": options})


def _groups(options: tuple[Option, ...]) -> Any:
    """The type of several groups at once; where a table has none, of an empty list."""
    values = choice([option.value for option in options]) if options else str
    return Annotated[list[values], BeforeValidator(_several)]  # type: ignore[valid-type]


def _several(given: Any) -> Any:
    """One group where several may be named, and none."""
    return [given] if isinstance(given, str) else [] if given is None else given
