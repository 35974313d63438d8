"""Two real engines of which one is killed and one frozen: every stream is whole, and right."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from crewgraph.agents.model import Message, ModelRequest
from crewgraph.serving.client import HttpModelClient
from crewgraph.serving.client.routing import Deadline, Patience, Replica, Routed
from crewgraph.serving.engines import start_engine, stop_engine
from crewgraph.serving.engines.place import Place
from crewgraph.serving.settings import Settings

from ...conftest import apart

pytestmark = pytest.mark.engine


@pytest.fixture
def homes(models_dir: Path, tmp_path: Path) -> Iterator[list[Settings]]:
    """Two homes of their own, one engine each, stopped in the end."""
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "models").symlink_to(models_dir)
        made.append(Settings(home=tmp_path / name, model_url=None, model=None))
    yield made
    for settings in made:
        send(settings, signal.SIGCONT)
        apart(stop_engine(settings))


@pytest_asyncio.fixture
async def replicas(homes: list[Settings]) -> AsyncIterator[list[Replica]]:
    async with AsyncExitStack() as stack:
        states = await asyncio.gather(*(start_engine(settings) for settings in homes))
        clients = [HttpModelClient(state.url, attempts=1) for state in states]
        for client in clients:
            stack.push_async_callback(client.aclose)
        yield [Replica(n, c, probe_s=2.0) for n, c in zip(("one", "two"), clients, strict=True)]


def send(settings: Settings, number: signal.Signals) -> None:
    state = Place.of(settings, "embedded").running()
    if state is not None and state.child is not None:
        os.kill(state.child, number)


def counting(start: int, *, sampled: bool = False) -> tuple[ModelRequest, str]:
    """A request whose answer is known: the model counts right from here, and a character is a token."""
    messages = (
        Message("user", "Count from 5 to 9."),
        Message("assistant", "5, 6, 7, 8, 9"),
        Message("user", f"Count from {start} to {start + 40}."),
    )
    temperature, seed = (0.05, None) if sampled else (0.0, 0)
    request = ModelRequest(messages, max_tokens=18, temperature=temperature, seed=seed, timeout_s=120)
    return request, ", ".join(map(str, range(start, start + 41)))[:18]


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_streams_of_an_engine_that_is_killed_or_frozen_go_on_at_another(
    homes: list[Settings], replicas: list[Replica], fault: signal.Signals, sampled: bool
) -> None:
    client = Deadline(Routed(replicas, policy="weighted", silence_s=2.0, patience=Patience(attempts=20)))
    struck = False

    async def count(start: int) -> tuple[str, str]:
        nonlocal struck
        request, right = counting(start, sampled=sampled)
        text = ""
        async for delta in client.stream(request):
            text += delta.text
            if len(text) > 5 and not struck:
                struck = True
                send(homes[0 if replicas[0].in_flight else 1], fault)
            if delta.reply is not None:
                assert delta.reply.text == text
        return text, right

    counted = await asyncio.gather(*(count(start) for start in range(11, 19)))
    assert struck
    assert [text for text, _ in counted] == [right for _, right in counted]
    assert any(replica.last_error for replica in replicas), "the fault was not felt"
    assert [replica.in_flight for replica in replicas] == [0, 0]
