"""What PostgreSQL wants said differently from the SQL that is written once for all databases."""

from __future__ import annotations

import re
from functools import lru_cache

from ..sql.statements import APPEND, BLOB, BLOB_REF


def _unnested(sql: str, types: str) -> str:
    """The statement for one row, made into one for as many as the arrays hold."""
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types.split(), 1))
    return re.sub(r"VALUES \([?, ]+\)", f"SELECT * FROM unnest({arrays})", sql)


UNNEST = {
    APPEND: _unnested(APPEND, "int int float8 text text text text bytea"),
    BLOB: _unnested(BLOB, "text text"),
    BLOB_REF: _unnested(BLOB_REF, "int text"),
}
"""For each statement that is worth writing many at a time, the one that does."""


@lru_cache(maxsize=256)
def translated(sql: str) -> str:
    """The statement with ``$1``, ``$2``… for its question marks."""
    parts = sql.split("?")
    return "".join(f"{part}${n}" for n, part in enumerate(parts[:-1], 1)) + parts[-1]


def gives_back(sql: str) -> bool:
    """Whether the statement gives rows back."""
    return sql.startswith("SELECT") or " RETURNING " in sql
