"""In a test nothing asks a real model, in this process or in those it starts, unless the test or its runner says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASKS = """
import asyncio

import pytest

from crewgraph.agents.model import Message, ModelRequest
from crewgraph.runtime.errors import EngineUnreachable
from crewgraph.serving.client.http import HttpModelClient


async def asked():
    async with HttpModelClient("http://127.0.0.1:9", model="m", engine_kind="openai", attempts=1) as client:
        await client.complete(ModelRequest((Message("user", "hello"),)))
"""
PLAIN = f"{ASKS}\ndef test_it():\n    asyncio.run(asked())\n"
MARKED = f"""{ASKS}

@pytest.fixture(scope="module")
def early():
    with pytest.raises(EngineUnreachable):
        asyncio.run(asked())

@pytest.mark.live
def test_it(early):
    with pytest.raises(EngineUnreachable):
        asyncio.run(asked())

def test_the_next_one_may_not():
    with pytest.raises(AssertionError, match="live models are forbidden"):
        asyncio.run(asked())
"""
CREW = """
from crewgraph import Agent, Crew
crew = Crew([Agent("poet", "Write.")])
"""


def pytest_in(folder: Path, test: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest as users have it: with the plugin, in a process of its own."""
    (folder / "test_asked.py").write_text(test)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("CREWGRAPH_", "PYTEST"))
    }
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "crewgraph.pytest_plugin",
            *options,
            "-q",
        ],
        cwd=folder,
        env={**inherited, "CREWGRAPH_HOME": str(folder / "home"), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_call_over_http_fails_the_test_with_one_sentence(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, PLAIN)
    assert done.returncode == 1
    assert "The model engine at http://127.0.0.1:9/v1 was to be asked: this test may not" in done.stdout
    assert "--live-models" in done.stdout


def test_live_models_lets_all_of_them(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, PLAIN, "--live-models")
    assert "EngineUnreachable" in done.stdout, "it was let through, and nothing answers there"


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["here", "in a worker of xdist"])
def test_a_marked_test_may_and_so_may_its_fixtures_and_nobody_after_it(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = pytest_in(tmp_path, MARKED, *options)
    assert "2 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("door", ["engine_client(Settings())", "open_models(Settings())"])
def test_no_engine_is_pulled_or_started(tmp_path: Path, door: str) -> None:
    test = f"""
import asyncio
from crewgraph.serving.engines import engine_client
from crewgraph.serving.endpoints.opening import open_models
from crewgraph.serving.settings import Settings
from crewgraph.agents.model import Message, ModelRequest

async def asked():
    async with {door} as client:
        await client.complete(ModelRequest((Message("user", "hello"),)))

def test_it():
    asyncio.run(asked())
"""
    done = pytest_in(tmp_path, test)
    assert "engine was to be started or asked: this test may not" in done.stdout, done.stdout
    assert not list((tmp_path / "home").rglob("*.gguf"))


def test_a_command_that_a_test_starts_may_not_either(tmp_path: Path) -> None:
    (tmp_path / "crew.py").write_text(CREW)
    test = """
import subprocess, sys
def test_it():
    done = subprocess.run([sys.executable, "-m", "crewgraph", "run", "crew.py", "Write a poem about rain."],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
"""
    done = pytest_in(tmp_path, test)
    assert done.returncode == 1
    assert "live models are forbidden" in done.stdout
    assert not list((tmp_path / "home").rglob("*.gguf"))


def test_the_environment_is_left_as_it_was(tmp_path: Path) -> None:
    code = """
import os, sys, pytest
os.environ["CREWGRAPH_LIVE_MODELS"] = "as before"
pytest.main(["-p", "crewgraph.pytest_plugin", "-q"])
assert os.environ["CREWGRAPH_LIVE_MODELS"] == "as before"
"""
    (tmp_path / "test_none.py").write_text(
        "import os\ndef test_it():\n    assert os.environ['CREWGRAPH_LIVE_MODELS'] == 'forbidden'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "1 passed" in done.stdout
