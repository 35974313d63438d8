"""How long silence is borne: a server that still works gets ten times as long as one that does nothing."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from crewgraph.serving.engines import Patience
from crewgraph.serving.engines.keeping.daemon import free_port
from crewgraph.serving.engines.keeping.log import Log
from crewgraph.serving.engines.keeping.orders import PORT, Program
from crewgraph.serving.engines.keeping.watch import GivenUp, Watch, Watching

QUICK = Patience(check_s=0.1, answer_s=0.2, silent_s=1.0, restarts=1, first_pause_s=0.05)

SERVER = """
import http.server, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        if after == "work":
            threading.Thread(target=work).start()
        elif after == "end":
            threading.Timer(0.1, end).start()
        server._BaseServer__shutdown_request = after != "stay"

def work():
    while True:
        pass

def end():
    import os
    os._exit(3)

after = sys.argv[2]
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print("listens", flush=True)
server.serve_forever(0.01)
threading.Event().wait()
"""
"""A server of health alone, which answers once and then falls silent: at work, at rest, or dead."""


class Said(Log):
    """A log in memory."""

    def __init__(self) -> None:
        self.text = b""

    def write(self, data: bytes) -> None:
        self.text += data


class Watched:
    """A `Watch` over the server above, and what it told."""

    def __init__(self, folder: Path, after: str) -> None:
        self.changes: list[Watching] = []
        self.log = Said()
        program = Program((sys.executable, "-c", SERVER, PORT, after), ready="^listens$")
        self.watch = Watch(
            program,
            free_port(),
            QUICK,
            folder / "child",
            self.log,
            on_change=self.changes.append,
            on_progress=lambda _: None,
        )

    @property
    def states(self) -> list[tuple[bool, int]]:
        return [(change.answers, change.restarts) for change in self.changes]


async def test_a_server_that_stays_well_is_left_alone(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "stay")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watched.watch.keep_up(), 3)
    assert watched.states == [(False, 0), (True, 0)]


async def test_a_silent_server_that_works_is_given_more_time(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "work")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watched.watch.keep_up(), 5)
    assert watched.states == [(False, 0), (True, 0)]


async def test_a_silent_server_that_rests_is_started_again_and_then_given_up(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "rest")
    with pytest.raises(GivenUp, match="had not answered for"):
        await asyncio.wait_for(watched.watch.keep_up(), 60)
    assert watched.states == [(False, 0), (True, 0), (False, 1), (False, 1), (True, 1)]
    assert watched.changes[2].again_s == QUICK.first_pause_s


async def test_a_server_that_ends_is_named_with_its_exit_code(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "end")
    with pytest.raises(GivenUp, match="it ended with exit code 3"):
        await asyncio.wait_for(watched.watch.keep_up(), 60)
    assert b"it ended with exit code 3; restart 1 of 1" in watched.log.text


async def test_a_first_start_that_fails_is_not_tried_again(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "stay")
    watched.watch._program = Program((sys.executable, "-c", "raise SystemExit(7)"))
    with pytest.raises(GivenUp, match="exit code 7"):
        await asyncio.wait_for(watched.watch.keep_up(), 60)
    assert watched.states == [(False, 0)]
