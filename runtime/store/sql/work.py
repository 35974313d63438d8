"""Work: what the tasks of a crew's past runs took, read in one query and never as whole events.

A result may be megabytes, and what it took stands at the end of its body: no more than that is fetched. Where bodies are
encrypted they have to be opened whole, which costs more, so fewer runs are read there.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..seal import Seal, Sealing
from .database import Database

RUNS = 100
"""So many of a crew's runs, the newest, are read at most."""

SEALED_RUNS = 50
"""The same where bodies are encrypted."""

# SQLite keeps to the order of a CROSS JOIN; left to itself it goes through all events there are.
_AMONG = 5_000  # of all runs, so that a crew that has long not run does not cost a look at each of them
_TAIL = 320

_LAST = (
    "WITH crews AS (SELECT number, id FROM runs WHERE number > (SELECT max(number) FROM runs) - ? AND crew = ? "
    "AND parent IS NULL AND forked_from IS NULL ORDER BY number DESC LIMIT ?), "
    "parts AS (SELECT number AS run, number AS part FROM crews UNION ALL "
    "SELECT crews.number, runs.number FROM crews CROSS JOIN runs WHERE runs.parent = crews.id) "
)
_PLANS = (
    _LAST + "SELECT parts.run, events.kind, events.key, events.body FROM parts CROSS JOIN events "
    "WHERE events.run = parts.part AND events.kind IN ('plan_made', 'tasks_added') ORDER BY parts.run, parts.part, events.seq"
)
_BODY = "events.body"
_END = f"CASE WHEN length(events.body) > {_TAIL} THEN substr(events.body, length(events.body) - {_TAIL - 1}) ELSE events.body END"
_TAKEN = (
    _LAST + "SELECT parts.run, events.kind, events.task_id, events.key, {body} FROM parts CROSS JOIN events "
    "WHERE events.run = parts.part AND events.kind IN ('task_finished', 'step_finished') AND events.task_id <> ''"
)

_SPENT = re.compile(
    r'((?:,\s*"(?:seconds|tokens|tool_calls|money)":\s*[-+0-9.eE]+)+)(?:,\s*"large":\s*\{[^{}]*\})?\}$'
)
"""The end of a body. A number right before the last brace is no part of a text, list or object: it is the event's own."""
_FIELD = re.compile(r'"(\w+)":\s*([-+0-9.eE]+)')


class PastTask(NamedTuple):
    """A task that was finished once: its tool, or its agent, and what that took. An entry of a list counts by itself."""

    tool: str | None
    agent: str | None
    seconds: float
    tokens: int
    money: float
    tool_calls: int


async def past_tasks(database: Database, seal: Seal, crew: str, runs: int | None = None) -> list[PastTask]:
    """The finished tasks of this crew's newest `runs` (default: `RUNS`, or `SEALED_RUNS`), without those of forks.

    Raises:
        StoreError: the database cannot be read.
    """
    sealed = isinstance(seal, Sealing)
    asked = (_AMONG, crew, runs or (SEALED_RUNS if sealed else RUNS))
    plans = await database.fetch(_PLANS, asked)
    if not plans:
        return []
    taken = await database.fetch(_TAKEN.format(body=_BODY if sealed else _END), asked)
    return await asyncio.to_thread(_read, plans, taken, seal)


def _read(plans: Iterable[tuple[Any, ...]], taken: Iterable[tuple[Any, ...]], seal: Seal) -> list[PastTask]:
    sealed = isinstance(seal, Sealing)
    planned: dict[int, dict[str, dict[str, Any]]] = {}
    for run, _, key, body in plans:
        told = json.loads(seal.open_row(key, body)[1])
        tasks = planned.setdefault(run, {})
        for one in told.get("tasks", ()):  # none where the plan is so long that it is kept apart
            tasks[one.get("id", "")] = one
    finished: dict[tuple[int, str], tuple[float, int]] = {}
    used: dict[tuple[int, str], tuple[float, int]] = {}
    for run, kind, task_id, key, body in taken:
        task = _task(planned.get(run, {}), task_id)
        if task is None or (not sealed and kind == "step_finished" and not _is_worth(task, body)):
            continue
        spent = _spent(seal.open_row(key, body)[1] if sealed else body)
        if kind == "task_finished":
            finished[run, task_id] = (spent.get("seconds", 0.0), int(spent.get("tokens", 0)))
        else:
            before = used.get((run, task_id), (0.0, 0))
            used[run, task_id] = (
                before[0] + spent.get("money", 0.0),
                before[1] + int(spent.get("tool_calls", 0)),
            )
    found: list[PastTask] = []
    for (run, task_id), (seconds, tokens) in finished.items():
        done = _task(planned[run], task_id) or {}
        money, calls = used.get((run, task_id), (0.0, 0))
        calls = calls if done.get("tool") is None else 1
        found.append(PastTask(done.get("tool"), done.get("agent"), seconds, tokens, money, calls))
    return found


def _is_worth(task: dict[str, Any], body: str) -> bool:
    """Whether a step tells of what is not known anyway: money, and calls beside the one that the task binds."""
    return '"money"' in body or (task.get("tool") is None and '"tool_calls"' in body)


def _spent(body: str) -> dict[str, float]:
    """The figures with which a body ends; those that are 0 are not there."""
    end = _SPENT.search(body)
    return {name: float(number) for name, number in _FIELD.findall(end[1])} if end else {}


def _task(planned: dict[str, dict[str, Any]], task_id: str) -> dict[str, Any] | None:
    """The task of this id, or the one that it is an entry of; None for one as a whole whose entries count."""
    if (task := planned.get(task_id)) is not None:
        return task if task.get("each") is None else None
    head, _, number = task_id.rpartition(".")
    return planned.get(head) if number.isdigit() else None
