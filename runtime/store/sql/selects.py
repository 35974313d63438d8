"""Selects: what is read through SQLModel, declared once for all databases. Heavy to import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func
from sqlmodel import col, select

from .statements import Line
from .tables import RunRow, ThreadRow

if TYPE_CHECKING:
    from sqlalchemy import Select

AMBIGUOUS_SHOWN = 5

_LINE: tuple[Any, ...] = tuple(getattr(RunRow, name) for name in Line._fields)


def runs(
    limit: int, *, status: str | None = None, tenant: str | None = None, below: int | None = None
) -> Select[Any]:
    """Lines of runs, the newest first (`below`: before this number), without those that carry a task of another."""
    asked = _chosen(*_LINE).where(col(RunRow.parent).is_(None))
    if below is not None:
        asked = asked.where(col(RunRow.number) < below)
    if status is not None:
        asked = asked.where(col(RunRow.status) == status)
    if tenant is not None:
        asked = asked.where(col(RunRow.tenant) == tenant)
    return asked.order_by(col(RunRow.number).desc()).limit(limit)


def runs_beginning(which: str) -> Select[Any]:
    """Lines of the few newest runs whose ids begin so."""
    return runs(AMBIGUOUS_SHOWN).where(col(RunRow.id).startswith(which, autoescape=True))


def used_elsewhere(parents: list[str]) -> Select[Any]:
    """For each of these runs, what those that carry its tasks have used."""
    asked = _chosen(RunRow.parent, *_sums()).where(col(RunRow.parent).in_(parents))
    return asked.group_by(col(RunRow.parent))


def used_by(tenant: str, since: float) -> Select[Any]:
    """How many runs of a tenant were begun since then, and what all of its runs have used."""
    whole = func.count() - func.count(col(RunRow.parent))
    return _chosen(whole, *_sums()).where(col(RunRow.tenant) == tenant, col(RunRow.created) >= since)


def ended_before(before: float, limit: int) -> Select[Any]:
    """Lines of runs that ended before then, the oldest first."""
    asked = _chosen(*_LINE).where(
        col(RunRow.parent).is_(None),
        col(RunRow.finished) < before,
        col(RunRow.owner).is_(None),
        col(RunRow.status).in_(["finished", "failed", "cancelled"]),
    )
    return asked.order_by(col(RunRow.number)).limit(limit)


def runs_of_thread(thread_id: str) -> Select[Any]:
    """Lines of the runs of a conversation."""
    asked = _chosen(*_LINE).where(col(RunRow.thread_id) == thread_id)
    return asked.order_by(col(RunRow.number))


def thread(thread_id: str) -> Select[Any]:
    """A conversation: id, time, title."""
    asked = _chosen(ThreadRow.id, ThreadRow.created, ThreadRow.title)
    return asked.where(col(ThreadRow.id) == thread_id)


def threads(limit: int) -> Select[Any]:
    """Conversations, the newest first."""
    asked = _chosen(ThreadRow.id, ThreadRow.created, ThreadRow.title)
    return asked.order_by(col(ThreadRow.number).desc()).limit(limit)


def _chosen(*columns: Any) -> Select[Any]:
    choose: Any = select  # its overloads end at four columns
    chosen: Select[Any] = choose(*columns)
    return chosen


def _sums() -> tuple[Any, ...]:
    columns: tuple[Any, ...] = (RunRow.tokens, RunRow.tool_calls, RunRow.money, RunRow.seconds)
    return tuple(func.coalesce(func.sum(column), 0) for column in columns)
