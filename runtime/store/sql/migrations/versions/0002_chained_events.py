"""Events chained by hashes, large values kept apart, answers, tenants, forks, and what a run has used.

The links of events that are there already are computed here. How a link is made is written out again on purpose: a
migration has to do the same for ever.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_AT_REST = ("finished", "failed", "cancelled")


def upgrade() -> None:
    """Add columns and tables, then fill them in."""
    op.add_column("runs", sa.Column("tenant", sa.String(), nullable=False, server_default=sa.text("''")))
    op.add_column("runs", sa.Column("parent", sa.String(), nullable=True))
    op.add_column("runs", sa.Column("forked_from", sa.String(), nullable=True))
    op.add_column("runs", sa.Column("tool_calls", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("runs", sa.Column("money", sa.Float(), nullable=False, server_default=sa.text("0")))
    op.add_column("runs", sa.Column("seconds", sa.Float(), nullable=False, server_default=sa.text("0")))
    op.add_column("runs", sa.Column("head", sa.LargeBinary(), nullable=True))
    op.create_index("ix_runs_tenant", "runs", ["tenant"])
    op.create_index("ix_runs_parent", "runs", ["parent"])
    op.add_column("events", sa.Column("link", sa.LargeBinary(), nullable=True))
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("body", sa.String(), nullable=False),
    )
    op.create_table(
        "blob_refs",
        sa.Column("run", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(), primary_key=True),
    )
    op.create_index("ix_blob_refs_digest", "blob_refs", ["digest"])
    op.create_table(
        "answers",
        sa.Column("run", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("at", sa.Float(), primary_key=True),
        sa.Column("body", sa.String(), nullable=False),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("value", sa.String(), nullable=False),
    )
    _fill(op.get_bind())
    with op.batch_alter_table("events") as events:
        events.alter_column("link", existing_type=sa.LargeBinary(), nullable=False)


def _fill(connection: sa.Connection) -> None:
    events = sa.table(
        "events", *map(sa.column, ("run", "seq", "at", "kind", "task_id", "key", "body", "link"))
    )
    runs = sa.table("runs", *map(sa.column, ("number", "status", "tool_calls", "seconds", "head")))
    chain = (
        sa.update(events)
        .where(events.c.run == sa.bindparam("_run"), events.c.seq == sa.bindparam("_seq"))
        .values(link=sa.bindparam("_link"))
    )
    used = (
        sa.update(runs)
        .where(runs.c.number == sa.bindparam("_run"))
        .values(
            tool_calls=sa.bindparam("_tool_calls"),
            seconds=sa.bindparam("_seconds"),
            head=sa.case((runs.c.status.in_(_AT_REST), sa.bindparam("_head", type_=sa.LargeBinary()))),
        )
    )
    columns = [events.c[name] for name in ("seq", "at", "kind", "task_id", "key", "body")]
    for run in connection.scalars(sa.select(events.c.run).distinct()).all():
        rows = [
            tuple(row)
            for row in connection.execute(
                sa.select(*columns).where(events.c.run == run).order_by(events.c.seq)
            )
        ]
        links = list(_links(rows))
        connection.execute(
            chain,
            [{"_run": run, "_seq": row[0], "_link": link} for row, link in zip(rows, links, strict=True)],
        )
        connection.execute(
            used,
            {"_run": run, "_tool_calls": _tool_calls(rows), "_seconds": _seconds(rows), "_head": links[-1]},
        )


def _links(rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    link = b""
    for seq, at, kind, task_id, key, body in rows:
        said = f"{seq}\0{at!r}\0{kind}\0{task_id}\0{key}\0{body}"
        link = hashlib.blake2b(link + said.encode(), digest_size=16).digest()
        yield link


def _tool_calls(rows: Iterable[tuple[Any, ...]]) -> int:
    return sum(
        json.loads(body).get("tool_calls", 0)
        for _, _, kind, _, _, body in rows
        if kind == "step_finished" and '"tool_calls"' in body
    )


def _seconds(rows: Iterable[tuple[Any, ...]]) -> float:
    """Time between neighbouring events, without the pauses before a sitting."""
    total = last = 0.0
    for _, at, kind, _, _, _ in rows:
        if last and kind not in ("run_started", "run_resumed"):
            total += max(0.0, at - last)
        last = max(at, last)
    return total
