"""Owns the life of an engine's server process: how it detaches, says it is ready, and when it ends.

A server that was started on demand must outlive the command that started it (the next command uses it again)
and must not outlive its last user for long, however that user died. Users hold shared kernel locks on one
file. The server asks for the exclusive lock on it in a thread: the kernel grants that when the last user has
gone, be it by ``kill -9``. It then waits `idle_s` for a new user and ends. While it decides to end it holds
the exclusive lock, so a user that comes at that moment waits, finds no server, and starts a new one. Nothing
is polled. ``engine start`` leaves a mark that makes the server stay until ``engine stop``.

The start lock is inherited from the starter and dropped when the server is ready, so a starter that is killed
meanwhile leaves no moment in which a second server could be started.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .locks import open_lock
from .place import EngineName, Place, ServerState

ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
"""Signals that end a server in an orderly way."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the starter tells the server: its files, the inherited start lock, and its own options."""

    folder: str
    name: EngineName
    start_lock: int
    idle_s: float
    port: int
    options: dict[str, Any]

    @property
    def place(self) -> Place:
        """The engine's files."""
        return Place(Path(self.folder), self.name)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens: its port and the model's name. `keep` lives as long as the process."""

    port: int
    model: str
    keep: object
    close: Callable[[], None] = lambda: None


def tell(message: dict[str, Any]) -> None:
    """One line to the starter. A starter that has gone is not missed."""
    try:
        os.write(1, (json.dumps(message) + "\n").encode())
    except OSError:
        return


def serve(open_server: Callable[[Orders], Server]) -> None:
    """Be the server process: ``argv[1]`` holds the `Orders`. Ends the process."""
    orders = Orders(**json.loads(sys.argv[1]))
    if os.fork() > 0:
        os._exit(0)  # the starter waits for this process only; the server has no parent to become a zombie of
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    began = time.time()
    place = orders.place
    alive = open_lock(place.alive)
    fcntl.flock(alive, fcntl.LOCK_EX)
    try:
        server = open_server(orders)
    except Exception as error:
        tell({"error": str(error) or type(error).__name__})
        os._exit(1)
    state = ServerState(os.getpid(), server.port, began, time.time() - began, server.model)
    place.announce(state)
    tell({"ready": True})
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.close(orders.start_lock)
    threading.Thread(target=_end_when_unused, args=(place, orders.idle_s), daemon=True).start()
    signal.sigwait(ENDING)
    place.state.unlink(missing_ok=True)
    server.close()
    os._exit(0)


def _end_when_unused(place: Place, idle_s: float) -> None:
    users = open_lock(place.users)
    while True:
        fcntl.flock(users, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_UN)
        quiet_since = time.time()
        while (left := quiet_since + idle_s - time.time()) > 0:
            time.sleep(left)
            # Users touch the file when they come and go, so this sees those who did both meanwhile.
            quiet_since = max(quiet_since, place.users.stat().st_mtime)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        if place.keep.exists():
            fcntl.flock(users, fcntl.LOCK_UN)
            return
        os.kill(os.getpid(), signal.SIGTERM)  # the exclusive lock is kept until the process is gone
        return
