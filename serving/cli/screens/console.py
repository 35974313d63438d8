"""Owns the console that pictures are drawn on: as wide as the terminal, without ANSI where there is none."""

from __future__ import annotations

from rich.console import Console

from .screen import in_terminal

_WIDE = 4_000
"""Lines in a pipe or a file are not cut: programs and `grep` read them."""


def make_console() -> Console:
    """A console on stdout."""
    if in_terminal():
        return Console(highlight=False)
    return Console(highlight=False, force_terminal=False, no_color=True, width=_WIDE)
