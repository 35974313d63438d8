"""The pytest plugin: no test calls a live model unless it is asked for, and fixtures for tests of crews.

A test suite asks for it with ``addopts = "-p crewgraph.pytest_plugin"``: being installed changes nobody's tests.
`--live-models` lets all tests call them, the marker ``live`` one test. Everywhere else, starting an engine or asking one
fails the test with one sentence, in processes that a test starts too. Fixtures: `scripted_model` (makes one, and fails the
test that leaves replies unused), `recorded_model` (live replies, kept beside the test), `crew_house` (asks crews).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .agents.testing import RecordedModel, ScriptedModel
    from .serving.crewhouse import CrewHouse

_VARIABLE = "CREWGRAPH_LIVE_MODELS"  # of agents.live, which is not imported before a test needs it
_FORBIDDEN = "forbidden"
_BEFORE = pytest.StashKey[str | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--live-models`."""
    group = parser.getgroup("crewgraph")
    group.addoption(
        "--live-models", action="store_true", help="let tests call live models, and record their replies"
    )


def pytest_configure(config: pytest.Config) -> None:
    """From here on live models are forbidden, where they are not asked for."""
    config.addinivalue_line("markers", "live: may call live models of crewgraph")
    config.stash[_BEFORE] = os.environ.get(_VARIABLE)
    _set(None if config.getoption("--live-models") else _FORBIDDEN)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The environment is again as it was."""
    _set(config.stash.get(_BEFORE, None))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Around a test marked ``live``, its fixtures included, live models may be called."""
    if item.get_closest_marker("live") is None:
        return (yield)
    now = os.environ.get(_VARIABLE)
    _set(None)  # and not what was before: in a process of pytest-xdist that is what its parent forbade
    try:
        return (yield)
    finally:
        _set(now)


@pytest.fixture
def scripted_model() -> Iterator[Callable[..., ScriptedModel]]:
    """Makes scripted models: ``scripted_model(["a reply"])``. Replies that nobody asks for fail the test."""
    from .agents.testing import ScriptedModel

    made: list[ScriptedModel] = []

    def make(*args: Any, **kwargs: Any) -> ScriptedModel:
        made.append(ScriptedModel(*args, **kwargs))
        return made[-1]

    yield make
    left = sum(model.left for model in made)
    assert not left, f"{left} scripted {'reply was' if left == 1 else 'replies were'} never asked for"


@pytest.fixture
def recorded_model(request: pytest.FixtureRequest) -> RecordedModel:
    """A live model's replies, from ``recordings/`` beside the test; with `--live-models` a missing file is recorded.

    The live model is the one that the environment's settings mean.
    """
    from .agents.testing import RecordedModel
    from .serving.endpoints.opening import open_models
    from .serving.settings import Settings

    name = re.sub(r"[^\w.-]+", "-", f"{request.path.stem}-{request.node.name}").strip("-")
    may = os.environ.get(_VARIABLE) != _FORBIDDEN
    path = request.path.parent / "recordings" / f"{name}.jsonl"
    return RecordedModel(path, (lambda: open_models(Settings())) if may else None)


@pytest.fixture
def crew_house(tmp_path: Path) -> CrewHouse:
    """Asks crews: ``crew_house.run(crew, "…", ["what the model says"])``, or ``await crew_house.ask(…)``."""
    from .serving.crewhouse import CrewHouse

    return CrewHouse(tmp_path / "crewgraph-home")


def _set(value: str | None) -> None:
    if value is None:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = value
