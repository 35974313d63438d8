"""The command line in processes of its own, each test with a home of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
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

BUYING = '''
import os
from pathlib import Path

from crewgraph import Agent, Condition, Crew, Retry, Task, tool

HERE = Path(__file__).parent


@tool
def price(item: str) -> int:
    """The price of an item."""
    return int((HERE / "price").read_text())


@tool
def shaky(n: int) -> int:
    """A number, at the second try."""
    if not (HERE / "tried").exists():
        (HERE / "tried").touch()
        raise RuntimeError("not yet")
    return n


@tool(effect="once", approval=True)
def pay(amount: int, to: str) -> str:
    """Pay an amount to somebody."""
    with (HERE / "paid").open("a") as paid:
        paid.write(f"{to}={amount} ")
    if (HERE / "die").exists():
        os._exit(9)
    return f"paid {amount} to {to}"


crew = Crew(
    name="buying",
    agents=[Agent("clerk", "Pay bills.", tools=[price, shaky, pay])],
    tasks=[
        Task(id="look", description="look the price up", tool="price", args={"item": "tea"}, agent="clerk"),
        Task(
            id="shake", description="a number", tool="shaky", args={"n": 4}, agent="clerk",
            retry=Retry(attempts=2, wait=0),
        ),
        Task(
            id="dear", description="only if dear", tool="price", args={"item": "gold"}, agent="clerk",
            when=Condition(value="$shake.value", test="above", to=5),
        ),
        Task(
            id="pay", description="pay the bill", tool="pay", args={"amount": 30, "to": "Ann"}, agent="clerk",
            depends_on=("look", "dear"),
        ),
        Task(
            id="sum", description="add up", tool="price", args={"item": "$pay.value"}, agent="clerk",
        ),
    ],
)
'''
"""A crew that asks before it pays, tries one task again, passes one over, and dies while paying where a file says so."""

PROGRAM = (sys.executable, "-m", "crewgraph.serving.cli.main")
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
def buying(tmp_path: Path) -> Path:
    """The buying crew; a price is 7."""
    (tmp_path / "price").write_text("7")
    file = tmp_path / "buying.py"
    file.write_text(BUYING)
    return file


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """What every command is started with."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CREWGRAPH_")}
    return {**inherited, "CREWGRAPH_HOME": str(home), "FORCE_COLOR": "1", "PYTHONUTF8": "1"}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Begin `crewgraph …` in a process of its own."""
    begun: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path, stdin: int | None = subprocess.DEVNULL) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
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


class Terminal:
    """A person at a terminal, `width` signs wide, in which a command runs."""

    def __init__(self, arguments: Sequence[str | Path], environment: dict[str, str], width: int) -> None:
        self.seen = ""
        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        self._process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "TERM": "xterm-256color", "NO_COLOR": "1"},
            start_new_session=True,
        )
        os.close(theirs)
        self._end = time.monotonic() + 60

    def see(self, words: str) -> None:
        """Wait until these words are on the screen."""
        while words not in self.seen:
            assert self._read(), f"{words!r} never came: {self.seen}"

    def type(self, line: str) -> None:
        """Type a line; what was on the screen until now is forgotten."""
        self.seen = ""
        os.write(self._mine, f"{line}\n".encode())

    def leave(self) -> int:
        """Wait until the command has ended; its exit code."""
        while self._read():
            pass
        os.close(self._mine)
        return self._process.wait(10)

    def end(self) -> None:
        """Nothing of it is left, however far the test came."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            os.close(self._mine)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._mine], [], [], max(0.0, self._end - time.monotonic()))
        assert ready, f"nothing more came: {self.seen}"
        try:
            piece = os.read(self._mine, 65536)
        except OSError:  # nobody is at the other end any more
            return False
        self.seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", piece.decode(errors="replace"))
        return bool(piece)


Terminals = Callable[..., Terminal]


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Terminals]:
    """Begin `crewgraph …` in a terminal."""
    begun: list[Terminal] = []

    def begin(*arguments: str | Path, width: int = 100) -> Terminal:
        begun.append(Terminal(arguments, environment, width))
        return begun[-1]

    yield begin
    for one in begun:
        one.end()
