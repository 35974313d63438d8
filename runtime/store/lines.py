"""Lines: between a run's line in the table and what a store tells of the run."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import cast

from .record import RunRecord, RunStatus
from .seal import Seal
from .sink import plain
from .sql.statements import Line

Used = Sequence[float]
"""Tokens, tool calls, money and seconds."""

NOTHING: Used = (0, 0, 0.0, 0.0)


def line_of(record: RunRecord, seal: Seal, *, owner: str | None = None, head: bytes | None = None) -> Line:
    """The line that keeps this; it has no number yet."""
    return Line(
        number=0,
        id=record.id,
        crew=plain(record.crew),
        crew_path=plain(record.crew_path),
        request=seal.close(plain(record.request)),
        status="running" if record.status == "interrupted" else record.status,
        created=record.created,
        finished=record.finished,
        thread_id=record.thread_id,
        answer=seal.close(plain(record.answer)),
        error=seal.close(plain(record.error)),
        tokens=record.tokens,
        model=plain(record.model),
        options=seal.close(json.dumps(dict(record.options))),
        owner=owner,
        tenant=plain(record.tenant),
        parent=record.parent,
        forked_from=record.forked_from,
        tool_calls=record.tool_calls,
        money=record.money,
        seconds=record.seconds,
        head=head,
    )


def record_of(line: Line, seal: Seal, *, living: Collection[str], elsewhere: Used = NOTHING) -> RunRecord:
    """What is told of a run: `living` are owners that are alive, `elsewhere` what others used for it."""
    lost = line.status == "running" and line.owner not in living
    return RunRecord(
        id=line.id,
        crew=line.crew,
        crew_path=line.crew_path,
        request=seal.open(line.request),
        status="interrupted" if lost else cast(RunStatus, line.status),
        created=line.created,
        finished=line.finished,
        thread_id=line.thread_id,
        answer=seal.open(line.answer),
        error=seal.open(line.error),
        tokens=line.tokens + int(elsewhere[0]),
        model=line.model,
        options=json.loads(seal.open(line.options)),
        tenant=line.tenant,
        parent=line.parent,
        forked_from=line.forked_from,
        tool_calls=line.tool_calls + int(elsewhere[1]),
        money=line.money + elsewhere[2],
        seconds=line.seconds + elsewhere[3],
    )
