"""What the tests of other frameworks share: real engines to put into them, and a watch on who wants to leave."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from crewgraph.agents.model import ModelClient
from crewgraph.serving.client.answers import Checked
from crewgraph.serving.engines import engine_client
from crewgraph.serving.settings import Settings

from .frameworks import installed, without

HOME = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(scope="session")
def crewai_here(tmp_path_factory: pytest.TempPathFactory) -> None:
    """CrewAI, told to keep its files in a folder of these tests."""
    if not installed("crewai"):
        pytest.skip(without("CrewAI"))
    os.environ["CREWAI_STORAGE_DIR"] = str(tmp_path_factory.mktemp("crewai"))
    from crewgraph.agents.interop.crewai import silence

    silence()


@pytest.fixture(scope="session")
def autogen_here() -> None:
    """AutoGen."""
    if not installed("autogen"):
        pytest.skip(without("AutoGen"))


@pytest.fixture(scope="session")
def attempts() -> list[str]:
    """Every attempt of this process to look up or reach another machine."""
    seen: list[str] = []

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event == "socket.connect" and isinstance(args[1], tuple):
            host = args[1][0]
        elif event == "socket.getaddrinfo":
            host = args[0]
        else:
            return
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(name, str) and name not in HOME:
            seen.append(f"{event} {name}")

    sys.addaudithook(hook)
    return seen


@pytest.fixture(autouse=True)
def nothing_leaves(attempts: list[str]) -> Iterator[None]:
    """Fails every test of this folder that tries to reach another machine."""
    attempts.clear()  # other folders' tests look up names that cannot be, in the same process
    yield
    tried, attempts[:] = list(attempts), []
    assert tried == []


@pytest_asyncio.fixture(
    params=[pytest.param("embedded", marks=pytest.mark.engine), pytest.param("vllm", marks=pytest.mark.vllm)]
)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[ModelClient]:
    """A real engine's client, with tools by schema; the test runs once on each."""
    if request.param == "embedded":
        settings: Settings = request.getfixturevalue("shared_home")
    else:
        settings = Settings(model_url=request.getfixturevalue("vllm_url"), model=None, model_key=None)
    async with engine_client(settings) as ready:
        yield Checked(ready)
