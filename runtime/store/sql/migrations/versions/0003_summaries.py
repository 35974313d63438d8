"""Summaries of conversations, so that a long one is not summarised anew in every turn."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add their table; conversations have none until they need one."""
    op.create_table(
        "summaries",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("upto", sa.Integer(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
    )
    op.create_index("ix_summaries_thread_id", "summaries", ["thread_id"])
