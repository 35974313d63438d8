"""Owns what scorers see of a run: its answer, its tool calls in order, what it used; all read from its journal."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from ...runtime.events import Event, PlanMade, TasksAdded
from ...runtime.past.account import Account, account
from .score import Called, Observed

_TOOL = "tool:"


def observe(run_id: str, events: Sequence[Event]) -> Observed:
    """What these events of a run, in order, come to. A call that was tried again, or taken up again, is one call."""
    run = account(events)
    return Observed(
        run_id=run_id,
        request=run.request,
        answer=run.answer,
        value=_value(run, events),
        calls=_calls(run),
        evidence=_evidence(events),
        seconds=run.seconds,
        tokens=run.spent.tokens,
        tool_calls=run.spent.tool_calls,
        money=run.spent.money,
    )


def _calls(run: Account) -> tuple[Called, ...]:
    steps = [step for step in run.steps.values() if step.name.startswith(_TOOL)]
    return tuple(
        Called(step.name.removeprefix(_TOOL), step.inputs, failed=step.failed or not step.over)
        for step in steps
    )


def _value(run: Account, events: Sequence[Event]) -> JsonValue:
    """What the last task of the last plan that has a result gave: the answer is its text."""
    planned = next((event.tasks for event in reversed(events) if isinstance(event, PlanMade)), ())
    added = tuple(task for event in events if isinstance(event, TasksAdded) for task in event.tasks)
    for task in reversed(planned or added):
        found = run.tasks.get(task.id)
        if found is not None and found.result is not None:
            return found.result.value
    return None


def _evidence(events: Sequence[Event]) -> tuple[str, ...]:
    for event in reversed(events):
        if event.kind == "run_finished":
            return event.evidence
    return ()
