"""Doubt: a `once` effect was begun, and nobody knows whether it happened. What can be done about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..errors import CrewgraphError, StepInDoubt

OUTCOME_UNKNOWN = "outcome_unknown"
"""The code of a `StepErred` after which the step is still in doubt."""


@dataclass(frozen=True, slots=True)
class Happened:
    """The effect took place, and this is what came of it."""

    output: object = None


@dataclass(frozen=True, slots=True)
class DidNotHappen:
    """The effect did not take place: it may be run."""


@dataclass(frozen=True, slots=True)
class StillUnknown:
    """It cannot be found out: a person has to say."""


Finding = Happened | DidNotHappen | StillUnknown

Reconcile = Callable[[str], Awaitable[Finding]]
"""Finds out, by the idempotency key that an effect was given, whether it has happened."""


def leaves_doubt(error: BaseException) -> bool:
    """Whether an effect that raised this may have happened all the same.

    An error of ours says on purpose that it failed. Anything else (a lost connection, a cancellation) says nothing.
    """
    return not isinstance(error, CrewgraphError)


def in_doubt(task_id: str, name: str, key: str, because: BaseException | None = None) -> StepInDoubt:
    """The sentence that says so."""
    how = (
        f"failed with {type(because).__name__} ({because}) and"
        if because is not None
        else "was begun before the run broke off and"
    )
    return StepInDoubt(
        f"Step {name!r} of task {task_id!r} {how} may have happened: find out whether it did, "
        f"settle step {key} (it happened, or run it again), then resume."
    )
