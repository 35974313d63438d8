"""The SQL below the ORM, written once for all databases: ``?`` stands for a parameter."""

from __future__ import annotations

from typing import Any, NamedTuple

from .database import RETURNED, Statement

APPEND = "INSERT INTO events (run, seq, at, kind, task_id, key, body, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
BLOB = "INSERT INTO blobs (digest, body) VALUES (?, ?) ON CONFLICT DO NOTHING"
BLOB_REF = "INSERT INTO blob_refs (run, digest) VALUES (?, ?) ON CONFLICT DO NOTHING"
BULK = frozenset({APPEND, BLOB, BLOB_REF})
"""Those that are worth writing many at a time; what they give back is not asked for."""

CREATE = (
    "INSERT INTO runs (id, crew, crew_path, request, status, created, finished, thread_id, answer, error, tokens, "
    "model, options, owner, tenant, parent, forked_from, tool_calls, money, seconds, head) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO NOTHING RETURNING number"
)
CLAIM = "UPDATE runs SET owner = ? WHERE number = ? AND owner = ?"
CLAIM_FREE = "UPDATE runs SET owner = ? WHERE number = ? AND owner IS NULL"
GO_ON = "UPDATE runs SET status = 'running', finished = NULL, error = '', head = NULL WHERE number = ?"
RELEASE = "UPDATE runs SET owner = NULL, head = ? WHERE number = ? AND owner = ?"
_REST = (
    "UPDATE runs SET status = ?, finished = ?, answer = ?, error = ?, tokens = ?, tool_calls = ?, money = ?, "
    "seconds = ?, head = ?, owner = NULL WHERE number = ? AND owner "
)
REST = _REST + "= ?"
REST_UNCLAIMED = _REST + "IS NULL"
ANSWER = "INSERT INTO answers (run, key, at, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
THREAD = "INSERT INTO threads (id, created, title) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
TOUCH_THREAD = "UPDATE threads SET created = created WHERE id = ?"
MESSAGE = "INSERT INTO messages (thread_id, role, content, at, run_id) VALUES (?, ?, ?, ?, ?)"

LAST_NUMBER = 2**31 - 1
MESSAGES = (
    "SELECT m.role, m.content, m.at, m.run_id, m.number FROM threads t "
    "LEFT JOIN messages m ON m.thread_id = t.id AND m.number BETWEEN ? AND ? WHERE t.id = ? ORDER BY m.number"
)
"""One row of nulls where the conversation has none. Below the ORM, since every turn of a conversation reads them:
building a select anew costs more than reading."""

SUMMARY = "INSERT INTO summaries (thread_id, upto, content, state, at, run_id) VALUES (?, ?, ?, ?, ?, ?) RETURNING number"
_SUMMARIES = "SELECT number, upto, content, state, at, run_id FROM summaries WHERE thread_id = ? "
LAST_SUMMARY = _SUMMARIES + "ORDER BY number DESC LIMIT 1"
ONE_SUMMARY = _SUMMARIES + "AND number = ?"

DROP_BLOBS = (
    "DELETE FROM blobs WHERE digest IN (SELECT digest FROM blob_refs WHERE run = ?) "
    "AND NOT EXISTS (SELECT 1 FROM blob_refs WHERE blob_refs.digest = blobs.digest AND blob_refs.run <> ?)"
)

ROWS = "SELECT seq, at, kind, task_id, key, body, link FROM events WHERE run = ? ORDER BY seq"
BLOBS = "SELECT blobs.digest, blobs.body FROM blobs JOIN blob_refs ON blob_refs.digest = blobs.digest WHERE run = ?"
USED_ELSEWHERE = (
    "SELECT coalesce(sum(tokens), 0), coalesce(sum(tool_calls), 0), coalesce(sum(money), 0), coalesce(sum(seconds), 0) "
    "FROM runs WHERE parent = ?"
)
ANSWERS = "SELECT key, at, body FROM answers WHERE run = ? ORDER BY at, key"


class Line(NamedTuple):
    """A run's line in the table, as it is stored."""

    number: int
    id: str
    crew: str
    crew_path: str
    request: str
    status: str
    created: float
    finished: float | None
    thread_id: str | None
    answer: str
    error: str
    tokens: int
    model: str
    options: str
    owner: str | None
    tenant: str
    parent: str | None
    forked_from: str | None
    tool_calls: int
    money: float
    seconds: float
    head: bytes | None


_LINES = f"SELECT {', '.join(Line._fields)} FROM runs WHERE "
LINE = _LINES + "id = ?"
CHILDREN = _LINES + "parent = ? ORDER BY number"


def create(line: Line, *, guard: bool = False) -> Statement:
    """Insert a run's line. It gives back the number, or nothing where the id is taken (refused with `guard`)."""
    return Statement(CREATE, line[1:], guard)


def drop_run(number: int, owner: str | None) -> list[Statement]:
    """Take a run away with all that is its own, if it still belongs to this owner."""
    whose, mine = ("owner = ?", (owner,)) if owner is not None else ("owner IS NULL", ())
    return [
        Statement(f"DELETE FROM runs WHERE number = ? AND {whose}", (number, *mine), guard=True),
        Statement(DROP_BLOBS, (number, number)),
        *(
            Statement(f"DELETE FROM {table} WHERE run = ?", (number,))
            for table in ("blob_refs", "answers", "events")
        ),
    ]


def of_new_run(sql: str, *rest: Any) -> Statement:
    """A statement whose first parameter is the number of the run that its unit has just begun."""
    return Statement(sql, (RETURNED, *rest))
