"""Fork: a past run taken up again from the middle of it, changed or not, while the run itself stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from pydantic import JsonValue

from ..errors import InvalidRequest
from ..events import (
    Answered,
    Asked,
    Event,
    RunCancelled,
    RunErred,
    RunFinished,
    RunForked,
    RunPaused,
    RunResumed,
    StepErred,
    StepFinished,
    StepIntended,
    TaskErred,
    TaskFinished,
    TaskStarted,
)
from ..stepping.doubt import OUTCOME_UNKNOWN
from ..store import RunRecord, Store
from .changes import apply_changes
from .point import STEP_EVENTS, StepEvent, after_beginning, find_point

_ENDS = (RunErred, RunCancelled, RunPaused)


@dataclass(frozen=True, slots=True)
class Fork:
    """What a fork of a run begins with.

    `events` are its first events, `at_seq` is the first event of the run that was left behind. `kept` steps are read
    back, `dropped` ones are carried out again if the code still asks for them (both by key). `running` are the tasks
    that had begun at that point and were not over: they begin again and read their kept steps back. `in_doubt` are
    kept `once` steps of which the run itself does not know whether they happened.
    """

    events: tuple[Event, ...]
    at_seq: int
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    running: tuple[str, ...]
    in_doubt: tuple[str, ...]
    request: str | None = None


def fork_events(
    events: Sequence[Event], at: str, changes: Mapping[str, JsonValue] | None = None, *, origin: str = ""
) -> Fork:
    """What a fork begins with: all that was journalled before the point `at` (see `find_point`), and what came of
    the steps that had begun by then, for that has happened. Nothing that came of anything later.

    `changes` are made at that point. At a step: ``output``, what it gives instead of being run. At a task:
    ``result``, its value instead of it being carried out, or its ``args`` and ``description``. At a question:
    ``answer``. At the planning: ``request``. A part is set by its path: ``args.city``, ``output.rows.0``. What a
    person gives used no time and no tokens.

    Raises:
        InvalidRequest, NotFound: there is no such point, or the change cannot be made there.
        InvalidGraph: with its new arguments a task would wait for one that is not there, or for itself.
    """
    point = find_point(events, at)
    before = events[: point.index]
    changed = apply_changes(events, _without_end(before), point, changes or {})
    open_before = _open(before)
    open_before.pop(changed.given_key, None)
    outcomes = tuple(_outcomes(events[point.index :], open_before))
    first = after_beginning(changed.before)
    forked = RunForked(
        at=changed.before[first - 1].at,
        origin=origin,
        at_seq=point.seq,
        changes=dict(changes) if changes else None,
    )
    whole = (*changed.before[:first], forked, *changed.before[first:], *outcomes, *changed.given)
    kept = _with_outcome(whole)
    begun = _open(whole)
    return Fork(
        events=whole,
        at_seq=point.seq,
        kept=tuple(kept),
        dropped=tuple(key for key in _keys(events) if key not in kept and key not in begun),
        running=tuple(_running(whole)),
        in_doubt=tuple(
            key for key, event in begun.items() if isinstance(event, StepIntended) and event.effect == "once"
        ),
        request=changed.request,
    )


async def fork(
    store: Store,
    which: str,
    *,
    at: str,
    set: Mapping[str, JsonValue] | None = None,
    model: str | None = None,
) -> RunRecord:
    """Make a run that goes on from the middle of another one, on another `model` if one is named.

    The other run is not touched. Nobody carries the new one out yet: open it, as one resumes a run. See
    `fork_events` for what it begins with and what may be `set`.

    Raises:
        NotFound: there is no such run, or no such task or step in it.
        InvalidRequest: the point or a change is none, or a `once` step is at work there just now.
        InvalidGraph: with its new arguments a task would wait for one that is not there, or for itself.
        StoreError: the database cannot be read or written.
    """
    record = await store.find_run(which)
    made = fork_events(await store.events(record.id), at, set, origin=record.id)
    if record.status == "running" and made.in_doubt:
        raise InvalidRequest(
            f"Run {record.id} is being carried out and step {made.in_doubt[0]} is at work: fork before it, or "
            "wait until it has ended."
        )
    return await store.fork_run(record.id, made.events, model=model, request=made.request)


def _without_end(events: Sequence[Event]) -> list[Event]:
    """The events without the end of the run: a fork is not over."""
    resumed = max((place for place, event in enumerate(events) if isinstance(event, RunResumed)), default=-1)
    return [
        event
        for place, event in enumerate(events)
        if not isinstance(event, RunFinished) and not (isinstance(event, _ENDS) and place > resumed)
    ]


def _open(events: Iterable[Event]) -> dict[str, StepIntended | Asked]:
    """The steps that were begun and have no outcome, by key."""
    begun: dict[str, StepIntended | Asked] = {}
    for event in events:
        if isinstance(event, StepIntended | Asked):
            begun[event.key] = event
        elif _is_outcome(event):
            begun.pop(event.key, None)
    return begun


def _outcomes(events: Iterable[Event], begun: dict[str, StepIntended | Asked]) -> Iterable[StepEvent]:
    """What came of these steps afterwards: of each the first outcome."""
    waiting = set(begun)
    for event in events:
        if not waiting:
            return
        if _is_outcome(event) and event.key in waiting:
            waiting.remove(event.key)
            yield event


def _is_outcome(event: Event) -> TypeGuard[StepFinished | StepErred | Answered]:
    if isinstance(event, StepErred):
        return event.code != OUTCOME_UNKNOWN
    return isinstance(event, StepFinished | Answered)


def _keys(events: Iterable[Event]) -> dict[str, None]:
    return {event.key: None for event in events if isinstance(event, STEP_EVENTS)}


def _with_outcome(events: Iterable[Event]) -> dict[str, None]:
    return {event.key: None for event in events if isinstance(event, StepFinished | Answered)}


def _running(events: Iterable[Event]) -> dict[str, None]:
    running: dict[str, None] = {}
    for event in events:
        if isinstance(event, TaskStarted):
            running[event.task_id] = None
        elif isinstance(event, TaskFinished | TaskErred):
            running.pop(event.task_id, None)
    return running
