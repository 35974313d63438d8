"""Owns the life of an engine's daemon: how it detaches, says that the engine is ready, and when it ends.

Run by `process.start` as ``python -m crewgraph.serving.engines.keeping.daemon ORDERS``.

An engine that was started on demand must outlive the command that started it (the next command uses it again)
and must not outlive its last user for long, however that user died. Users hold shared kernel locks on one
file. The daemon asks for the exclusive lock on it in a thread: the kernel grants that when the last user has
gone, be it by ``kill -9``. It then waits `idle_s` for a new user and ends. While it decides to end it holds
the exclusive lock, so a user that comes at that moment waits, finds no daemon, and starts a new one.
``engine start`` leaves a mark that makes the daemon stay until ``engine stop``.

The start lock is inherited from the starter and dropped when the engine is ready, so a starter that is killed
meanwhile leaves no moment in which a second one could be started. While the engine is down in between, the daemon
holds the `away` lock: whoever wants the engine waits for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import random
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

from ..locks import locked, open_lock
from ..place import ServerState
from ..progress import Progress
from .child import ENDING, remove_left_over
from .log import STARTING, Log
from .orders import Orders
from .watch import GivenUp, Watch, Watching

_PORTS = range(20000, 32000)
"""Below those that outgoing connections are given, so that a free one stays free until the engine has it."""


def main() -> None:
    """Be the daemon: ``argv[1]`` holds the `Orders`. Ends the process."""
    orders = Orders.from_json(sys.argv[1])
    if os.fork() > 0:
        os._exit(0)  # the starter waits for this process only; the daemon has no parent to become a zombie of
    os.setsid()
    alive = open_lock(orders.place.alive)
    fcntl.flock(alive, fcntl.LOCK_EX)
    os._exit(asyncio.run(_Daemon(orders, Log(orders.place.log)).run()))


@dataclass(slots=True)
class _Daemon:
    orders: Orders
    log: Log
    began: float = 0.0
    port: int = 0
    ready_s: float | None = None
    state: ServerState | None = None
    away: int | None = None

    async def run(self) -> int:
        self.began = time.time()
        self.port = self.orders.port or free_port()
        place, serves = self.orders.place, self.orders.serves
        self.log.say(f"{STARTING}{self.orders.name}: {serves.model} on port {self.port}")
        if left_over := await remove_left_over(place.child):
            self.log.say(f"removed process {left_over}, which an earlier daemon had left behind")
        told = asyncio.Event()
        for number in ENDING:
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        watch = Watch(
            self.orders.program,
            self.port,
            self.orders.patience,
            place.child,
            self.log,
            on_change=self.changed,
            on_progress=self.progress,
        )
        up = asyncio.create_task(watch.keep_up())
        unused = asyncio.create_task(self.unused())
        stopped = asyncio.create_task(told.wait())
        await asyncio.wait({up, unused, stopped}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        try:
            await up
        except asyncio.CancelledError:
            self.log.say("stopped" if stopped.done() else f"nobody has used it for {self.orders.idle_s:g} s")
            place.state.unlink(missing_ok=True)
            return 0
        except GivenUp as last:
            self.given_up(str(last))
        return 1

    def progress(self, progress: Progress) -> None:
        if self.state is None:
            _tell({"stage": progress.stage, "done": progress.done, "total": progress.total})
        else:
            share = f" {100 * progress.done // progress.total} %" if progress.total else ""
            self.announce(stage=progress.stage + share)

    def changed(self, now: Watching) -> None:
        """The engine came up, went down or is on its way: the state file says so, and the lock that users wait for."""
        if self.state is None and not now.answers:
            return  # the starter still listens, and is told of a fault when it is final
        if now.answers:
            if self.ready_s is None:
                self.ready_s = time.time() - self.began
            self.log.say(f"the engine answers at http://127.0.0.1:{self.port}/v1")
            self.announce(now, stage="")
            self.let_in()
            return
        if self.away is None:
            self.away = open_lock(self.orders.place.away)
            with contextlib.suppress(
                BlockingIOError
            ):  # somebody looks at it this very moment, and will look again
                fcntl.flock(self.away, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.announce(now, stage="starting" if now.again_s is None else f"waiting {now.again_s:g} s")

    def announce(self, now: Watching | None = None, *, stage: str, gave_up: bool = False) -> None:
        before, serves = self.state, self.orders.serves
        self.state = ServerState(
            pid=os.getpid(),
            port=self.port,
            started=self.began,
            ready_s=self.ready_s or 0.0,
            model=serves.model,
            path=serves.path,
            adapters=serves.adapters,
            child=now.pid if now else before.child if before else None,
            restarts=now.restarts if now else before.restarts if before else 0,
            fault=now.fault if now else before.fault if before else "",
            stage=stage,
            gave_up=gave_up,
        )
        self.orders.place.announce(self.state)

    def let_in(self) -> None:
        if self.away is not None:
            os.close(self.away)
            self.away = None
            return
        _tell({"ready": True})
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.close(self.orders.start_lock)

    def given_up(self, fault: str) -> None:
        if self.state is None:
            _tell({"error": fault})
            return
        # The file stays: this daemon's last word, until somebody starts the engine anew.
        self.announce(Watching(False, None, self.state.restarts, fault), stage="", gave_up=True)

    async def unused(self) -> None:
        """Wait until the engine has had no user for `idle_s`. The exclusive lock is kept until the process is gone."""
        place = self.orders.place
        users = open_lock(place.users)
        while True:
            async with locked(place.users):
                quiet_since = time.time()
            while (left := quiet_since + self.orders.idle_s - time.time()) > 0:
                await asyncio.sleep(left)
                # Users touch the file when they come and go, so this sees those who did both meanwhile.
                quiet_since = max(quiet_since, place.users.stat().st_mtime)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not place.keep.exists():
                    return
                fcntl.flock(users, fcntl.LOCK_UN)
                await asyncio.Event().wait()


def free_port() -> int:
    """A port on 127.0.0.1 that nobody has."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def _tell(message: dict[str, Any]) -> None:
    """One line to the starter. A starter that has gone is not missed."""
    with contextlib.suppress(OSError):
        os.write(1, (json.dumps(message) + "\n").encode())


if __name__ == "__main__":
    main()
