"""crewgraph.testing: for tests of crews. Models that need no engine, and past runs as fixtures.

    from crewgraph.testing import replayed

    async def test_prices_are_compared():
        outcome = await replayed("tests/runs/prices.jsonl", crew)
        assert outcome.answer.startswith("ink has the higher price")

The test fails where the crew's code does otherwise than when the run was frozen, and names the first such step.
The names below are loaded when they are first used.
"""

from collections.abc import Iterable
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agents.crew import Crew
    from .agents.live import LiveModelForbidden
    from .agents.testing import (
        Act,
        Called,
        ForbiddenModel,
        RecordedModel,
        ScriptedModel,
        Trace,
        called,
        called_in_order,
        cost_below,
        no_model_called,
        not_called,
        plan_has,
        plan_of,
    )
    from .runtime.context import Listener
    from .runtime.past.frozen import freeze, frozen, frozen_events
    from .serving.crewhouse import CrewHouse, Told
    from .serving.outcome import Outcome

_HOMES = {
    "Act": "agents.testing",
    "Called": "agents.testing",
    "CrewHouse": "serving.crewhouse",
    "ForbiddenModel": "agents.testing",
    "LiveModelForbidden": "agents.live",
    "RecordedModel": "agents.testing",
    "ScriptedModel": "agents.testing",
    "Told": "serving.crewhouse",
    "Trace": "agents.testing",
    "called": "agents.testing",
    "called_in_order": "agents.testing",
    "cost_below": "agents.testing",
    "freeze": "runtime.past.frozen",
    "frozen": "runtime.past.frozen",
    "frozen_events": "runtime.past.frozen",
    "no_model_called": "agents.testing",
    "not_called": "agents.testing",
    "plan_has": "agents.testing",
    "plan_of": "agents.testing",
}

__all__ = [
    "Act",
    "Called",
    "CrewHouse",
    "ForbiddenModel",
    "LiveModelForbidden",
    "RecordedModel",
    "ScriptedModel",
    "Told",
    "Trace",
    "called",
    "called_in_order",
    "cost_below",
    "freeze",
    "frozen",
    "frozen_events",
    "no_model_called",
    "not_called",
    "plan_has",
    "plan_of",
    "replayed",
]


async def replayed(
    path: str | PathLike[str], crew: "Crew", *, listeners: Iterable["Listener"] = ()
) -> "Outcome":
    """Replay a frozen run with your crew of today: no model, no tool, no database. What comes of it.

    `listeners` are told of every event as it comes. A run that ended without an answer ends so again, with the same
    error.

    Raises:
        ReplayDiverged: the code now does otherwise; the message names the first step.
        NotFound: there is no such file.
        InvalidRequest: it is not a frozen run, or was written by a newer version.
        JournalTampered: its events are not what was written.
    """
    from .agents.testing import ForbiddenModel
    from .runtime.context import RunContext
    from .runtime.journalling.redaction import Redactor
    from .runtime.past.frozen import frozen
    from .serving.house import replay_over
    from .serving.settings import Settings

    redactor = Redactor(Settings().secrets)
    return await replay_over(
        RunContext(frozen(path), listeners=listeners, redactor=redactor), crew, ForbiddenModel()
    )


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'crewgraph.testing' has no attribute {name!r}")
    found = getattr(import_module(f".{_HOMES[name]}", __package__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
