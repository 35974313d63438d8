"""Outcome: what an error of a worker means for its task and for the run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from ..errors import (
    BudgetExceeded,
    CrewgraphError,
    InvalidInput,
    Rejected,
    ReplayDiverged,
    StepInDoubt,
    StoreError,
    Suspended,
    TaskFailed,
)

_STOPS = (BudgetExceeded, ReplayDiverged, StoreError)
_FINAL = (*_STOPS, InvalidInput, StepInDoubt, Rejected)


def cause_of(error: BaseException) -> BaseException:
    """The one error that counts: of a group, what stops the run before doubt, failures and questions."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = list(_leaves(error))
    for kind in (_STOPS, StepInDoubt, Exception, Suspended):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]


def stops_run(error: BaseException) -> bool:
    """Whether an error concerns the run and not the task: everything stops. A task's own allowance is its own."""
    if isinstance(error, BudgetExceeded):
        return not error.of.startswith("task")
    return isinstance(error, _STOPS) or not isinstance(error, Exception | Suspended | asyncio.CancelledError)


def holds_up(error: BaseException) -> bool:
    """Whether the task is neither done nor failed: a person has to say something first."""
    return isinstance(error, Suspended | StepInDoubt)


def may_pass(error: BaseException) -> bool:
    """Whether trying again may help: not where the same input must fail again, nor where somebody said no."""
    return not isinstance(error, _FINAL)


def said(error: BaseException) -> str:
    """The error in words."""
    return str(error) if isinstance(error, CrewgraphError) else f"{type(error).__name__}: {error}"


def code_of(error: BaseException) -> str:
    """The class of the error, as events name it."""
    return error.code if isinstance(error, CrewgraphError) else TaskFailed.code


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
