"""Owns the console that pictures are drawn on: as wide as the terminal, without ANSI where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

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


class Column(NamedTuple):
    """A column of a list. `most` is how wide it may be at most; a `rest` column takes what is left of the line."""

    name: str
    right: bool = False
    most: int | None = None
    rest: bool = False


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """A list with a heading; what does not fit is cut, and in a pipe nothing is."""
    console = make_console()
    table = Table(box=None, pad_edge=False, header_style="dim", expand=False)
    for column in columns:
        table.add_column(
            column.name,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if column.right else "left",
            max_width=column.most,
            ratio=1 if column.rest else None,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    with console.capture() as picture:
        console.print(table)
    for line in picture.get().splitlines():
        print(line if console.is_terminal else line.rstrip())


def styled(*parts: tuple[str, str]) -> Text:
    """A line of texts, each with its style."""
    return Text.assemble(*parts)


def when(at: float) -> str:
    """A moment, in seconds since the epoch, in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
