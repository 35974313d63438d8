"""The command line in processes of its own, each test with a home of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

COUNTING = '''
import asyncio
from pathlib import Path

from crewgraph import Agent, Crew, Task, tool

CALLS = Path(__file__).with_name("calls.txt")
GATE = Path(__file__).with_name("gate")


@tool
async def count(n: int) -> int:
    """Count to a number."""
    with CALLS.open("a") as calls:
        calls.write(f"{n} ")
    while n > 1 and not GATE.exists():
        await asyncio.sleep(0.02)
    return n


crew = Crew(
    name="counting",
    agents=[Agent("counter", "Count.", tools=[count])],
    tasks=[
        Task(id="one", description="数到一", tool="count", args={"n": 1}, agent="counter"),
        Task(id="two", description="count to two", tool="count", args={"n": 2}, depends_on=("one",)),
    ],
)
'''
"""A crew that needs no model. Its second task waits until a file called `gate` is there."""

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def crew_file(tmp_path: Path) -> Path:
    """The counting crew, with the gate open."""
    (tmp_path / "gate").touch()
    file = tmp_path / "counting.py"
    file.write_text(COUNTING)
    return file


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Begin `crewgraph …` in a process of its own."""
    begun: list[subprocess.Popen[str]] = []
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CREWGRAPH_")}
    environment = {**inherited, "CREWGRAPH_HOME": str(home), "FORCE_COLOR": "1", "PYTHONUTF8": "1"}

    def start(*arguments: str | Path, stdin: int | None = subprocess.DEVNULL) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "crewgraph.serving.cli.main", *map(str, arguments)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def crewgraph(start: Start) -> Run:
    """Run `crewgraph …` to its end."""

    def run(*arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        process = start(*arguments, stdin=None if stdin is None else subprocess.PIPE)
        out, err = process.communicate(stdin, timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run
