"""The embedded engine as one of several: it is started by the first call that needs it, and by none that does not."""

from __future__ import annotations

import asyncio
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crewgraph.agents.model import Message, ModelRequest
from crewgraph.serving.endpoints.opening import open_models
from crewgraph.serving.engines import engine_status, start_engine, stop_engine
from crewgraph.serving.engines.models.catalog import DEFAULT_MODEL
from crewgraph.serving.engines.place import Place
from crewgraph.serving.house import House
from crewgraph.serving.settings import Settings

from ..conftest import apart
from .conftest import Fake, asked

pytestmark = pytest.mark.engine

EXAMPLE = Path(__file__).parents[2] / "examples" / "countries.py"
QUESTION = "What is the capital of France?"
COUNT = (
    Message("user", "Count from 5 to 9."),
    Message("assistant", "5, 6, 7, 8, 9"),
    Message("user", "Count from 11 to 60."),
)


@pytest.fixture
def another_home(models_dir: Path, tmp_path: Path) -> Iterator[Settings]:
    """A second home, so that there are two engines."""
    folder = tmp_path / "another"
    folder.mkdir()
    (folder / "models").symlink_to(models_dir)
    settings = Settings(home=folder, model_url=None, model=None)
    yield settings
    apart(stop_engine(settings))


async def runs(settings: Settings) -> bool:
    return (await engine_status(settings)).running


async def test_it_is_started_by_no_call_that_does_not_need_it(home: Settings, fake: Fake) -> None:
    a = await fake("a", "one")
    (home.home / "models.toml").write_text(
        f'default = "one"\n[engine.a]\nurl = "{a.url}"\n[engine.here]\nurl = "embedded"\n[cache]\n'
    )
    async with open_models(home) as client:
        assert await client.models() == ["one", DEFAULT_MODEL.name]
        assert (await client.complete(asked())).text == "a"
        assert not await runs(home)
        request = ModelRequest((Message("user", QUESTION),), model=DEFAULT_MODEL.name, max_tokens=8)
        first = await client.complete(request)
        assert "Paris" in first.text
        assert await runs(home)
    await stop_engine(home)
    async with open_models(home) as client:
        again = await client.complete(request)
        assert (again.text, again.usage.total_tokens) == (first.text, 0)
        assert again.usage.saved_tokens == first.usage.total_tokens
        assert not await runs(home), "a kept reply needs no engine"


async def test_a_call_whose_time_is_over_does_not_break_its_start_off(home: Settings) -> None:
    async with open_models(home) as client:
        with pytest.raises(Exception, match="timeout_s"):
            await client.complete(ModelRequest((Message("user", QUESTION),), timeout_s=0.05))
        assert (
            "Paris" in (await client.complete(ModelRequest((Message("user", QUESTION),), max_tokens=8))).text
        )


async def test_it_stands_in_for_a_server_that_is_gone(home: Settings, fake: Fake) -> None:
    a = await fake("a", "one")
    (home.home / "models.toml").write_text(
        f'[engine.a]\nurl = "{a.url}"\n[engine.here]\nurl = "embedded"\n'
        f'[model.one]\nfallback = ["{DEFAULT_MODEL.name}"]\n'
    )
    async with open_models(home) as client:
        request = ModelRequest((Message("user", QUESTION),), model="one", max_tokens=8)
        assert (await client.complete(request)).text == "a"
        assert not await runs(home)
        await a.stop()
        assert "Paris" in (await client.complete(request)).text


async def test_of_two_engines_one_is_killed_and_no_text_is_lost(
    home: Settings, another_home: Settings
) -> None:
    states = await asyncio.gather(start_engine(home), start_engine(another_home))
    settings = Settings(
        home=home.home, model_url=",".join(state.url for state in states), model=None, model_key=None
    )
    killed = False
    async with open_models(settings) as client:

        async def count() -> str:
            nonlocal killed
            text = ""
            async for delta in client.stream(ModelRequest(COUNT, max_tokens=18, timeout_s=120)):
                text += delta.text
                if len(text) > 5 and not killed:
                    killed = True
                    child = Place.of(another_home, "embedded").running()
                    assert child is not None
                    assert child.child is not None
                    os.kill(child.child, signal.SIGKILL)
            return text

        assert set(await asyncio.gather(*(count() for _ in range(8)))) == {"11, 12, 13, 14, 15"}


async def test_a_crew_runs_over_the_models_file(shared_home: Settings, tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(shared_home.models_dir)
    (tmp_path / "models.toml").write_text('[engine.here]\nurl = "embedded"\nprice = "1/2"\n[cache]\n')
    settings = Settings(home=tmp_path, model_url=None, model=None)
    crew = runpy.run_path(str(EXAMPLE))["crew"]
    try:
        async with House.open(settings) as house:
            first = await house.ask(crew, QUESTION)
            again = await house.ask(crew, QUESTION)
            records = [await house.store.find_run(outcome.run_id) for outcome in (first, again)]
    finally:
        await stop_engine(settings)
    assert "Paris" in first.answer
    assert again.answer == first.answer
    assert (first.tokens > 0, again.tokens) == (True, 0)
    assert records[0].money > 0
    assert records[1].money == 0


async def test_the_command_line_takes_several_urls(home: Settings, another_home: Settings) -> None:
    one = await start_engine(home)
    gone = "http://127.0.0.1:9/v1"
    command = [
        Path(sys.executable).with_name("crewgraph"),
        "--model-url",
        f"{gone},{one.url}",
        "run",
        EXAMPLE,
    ]
    environment = {**os.environ, "CREWGRAPH_HOME": str(another_home.home)}
    done = await asyncio.to_thread(
        subprocess.run, [*command, QUESTION, "--json"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "Paris" in json.loads(done.stdout)["answer"]
    assert not await runs(another_home), "its own engine was not needed"
