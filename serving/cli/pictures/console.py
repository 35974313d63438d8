"""Owns the console that pictures are drawn on: as wide as the terminal, without ANSI where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..screens.screen import in_terminal

_WIDE = 4_000
"""Lines in a pipe or a file are not cut: programs and `grep` read them."""


def make_console() -> Console:
    """A console on stdout."""
    if in_terminal():
        return Console(highlight=False)
    return Console(highlight=False, force_terminal=False, no_color=True, width=_WIDE)


_GUTTER = 2
_REST = 20
"""So many signs are wanted at least for the column that takes what is left."""


class Column(NamedTuple):
    """A column of a list. `most` is how wide it may be at most; the `rest` column takes what is left of the line.

    Where too little is left for that, those with a number in `spare` are left out, the lowest first.
    """

    name: str
    right: bool = False
    most: int = 40
    rest: bool = False
    spare: int = 0


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """A list with a heading; what does not fit is cut or left out, and in a pipe nothing is."""
    console = make_console()
    cells = [list(row) for row in rows]
    widths = [
        min(
            _WIDE if column.rest else column.most,
            max(cell_len(cell) for cell in (column.name, *(row[place] for row in cells))),
        )
        for place, column in enumerate(columns)
    ]
    shown = _fitting(columns, widths, console.width)
    left = max(1, console.width - sum(widths[place] + _GUTTER for place in shown if not columns[place].rest))
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GUTTER, 0, 0))
    for place in shown:
        column = columns[place]
        table.add_column(
            column.name,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if column.right else "left",
            width=min(widths[place], left) if column.rest else widths[place],
        )
    for row in cells:
        table.add_row(*(Text(row[place]) for place in shown))
    with console.capture() as picture:
        console.print(table)
    for line in picture.get().splitlines():
        print(line if console.is_terminal else line.rstrip())


def _fitting(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The places of the columns that are shown in so much room."""
    shown = list(range(len(columns)))

    def left() -> int:
        return room - sum(widths[place] + _GUTTER for place in shown if not columns[place].rest)

    for place in sorted((p for p in shown if columns[p].spare), key=lambda p: columns[p].spare):
        if left() >= _REST:
            break
        shown.remove(place)
    return shown


def styled(*parts: tuple[str, str]) -> Text:
    """A line of texts, each with its style."""
    return Text.assemble(*parts)


def when(at: float) -> str:
    """A moment, in seconds since the epoch, in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
