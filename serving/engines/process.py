"""Owns starting and stopping an engine's daemon, from the side of those who use the engine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ...runtime.errors import EngineError
from .keeping.child import remove_left_over
from .keeping.log import last_words
from .keeping.orders import Orders
from .locks import is_locked, locked
from .place import Place, ServerState
from .progress import OnProgress, Progress

IDLE_VARIABLE = "CREWGRAPH_ENGINE_IDLE_S"
DEFAULT_IDLE_S = 120.0
_STOP_S = 15.0


def idle_seconds() -> float:
    """How long a server that was started on demand stays after its last user, in seconds."""
    text = os.environ.get(IDLE_VARIABLE, "")
    try:
        return max(0.0, float(text)) if text else DEFAULT_IDLE_S
    except ValueError as error:
        raise EngineError(
            f"{IDLE_VARIABLE} is {text!r}, which is no number of seconds; correct it."
        ) from error


@asynccontextmanager
async def lease(place: Place) -> AsyncIterator[None]:
    """Be counted as a user of the engine: while anyone is, its server does not end by itself."""
    async with locked(place.users, shared=True) as descriptor:
        os.utime(descriptor)
        try:
            yield
        finally:
            os.utime(descriptor)


async def start(orders: Orders, on_progress: OnProgress) -> ServerState:
    """Start the engine and wait until it answers; the caller holds the start lock that is named in `orders`.

    Raises `EngineError` when the port is taken or the engine does not come up.
    """
    place = orders.place
    if orders.port:
        _require_free(orders.port)
    place.state.unlink(missing_ok=True)
    fault = "it ended at once"
    async for line in _lines_of(orders):
        try:
            message = json.loads(line)
        except ValueError:
            continue  # a library's own greeting
        if "stage" in message:
            on_progress(Progress(**message))
        fault = message.get("error", fault)
    state = place.running()
    if state is None:
        words = last_words(place.log)
        raise EngineError(
            f"The {place.name} engine did not start: {fault}{f' ({words})' if words else ''}; "
            f"its log is {place.log}."
        )
    return state


async def _lines_of(orders: Orders) -> AsyncIterator[bytes]:
    """What the new daemon says until its engine is ready or dead. It detaches itself, so cancelling leaves it be."""
    ours, theirs = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb")
    )
    try:
        with orders.place.log.open("ab") as log, os.fdopen(theirs, "wb") as stdout:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"{__package__}.keeping.daemon", orders.as_json()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=log,
                pass_fds=(orders.start_lock,),
            )
        try:
            await process.wait()  # the part that only detaches
        except asyncio.CancelledError:
            if process.returncode is None:
                process.kill()
            await process.wait()
            raise
        async for line in reader:
            yield line
    finally:
        transport.close()


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EngineError(
                f"Port {port} cannot be used ({os.strerror(error.errno or 0).lower()}); "
                "name another with --port, or none to take a free one."
            ) from error


async def stop(place: Place) -> ServerState | None:
    """Stop the engine and wait until it is gone; returns what ran, or None when nothing did."""
    async with locked(place.start):
        place.keep.unlink(missing_ok=True)
        state = place.running()
        if state is None:
            place.state.unlink(missing_ok=True)
            return None
        os.kill(state.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_S), locked(place.alive):
                pass
        except TimeoutError:
            if is_locked(place.alive):
                os.kill(state.pid, signal.SIGKILL)
            async with locked(place.alive):
                pass
            await remove_left_over(place.child)
        place.state.unlink(missing_ok=True)
        return state
