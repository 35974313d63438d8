"""Owns how limits given on the command line become a run's budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...runtime.budget import Budget


def budget_of(tokens: int | None, seconds: float | None, tool_calls: int | None) -> Budget | None:
    """The budget that was asked for, or None where no limit was given."""
    if tokens is None and seconds is None and tool_calls is None:
        return None
    from ...runtime.budget import Budget

    return Budget(tokens=tokens, seconds=seconds, tool_calls=tool_calls)
