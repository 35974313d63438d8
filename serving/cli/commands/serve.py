"""Owns `crewgraph serve`: a crew as a chat API on an address, until it is stopped."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..session import Session, block_on

if TYPE_CHECKING:
    from ....agents.crew import Crew

_GRACE = 2
"""Seconds that requests in flight get to end after a stop; then their runs are cancelled (and resumable)."""


def command(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The Python file that defines the crew.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8010,
) -> int:
    """Serve a crew as an OpenAI-compatible chat API."""
    from ...crewfile import load_crew

    session: Session = ctx.obj
    with _listening(host, port) as listener:
        crew = load_crew(file)
        return block_on(_serve(session, crew, str(Path(file).resolve()), listener, host))


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket, bound before anything slow begins.

    Raises:
        InvalidInput: the address is taken, or is not one of this machine.
    """
    import errno

    from ....runtime.errors import InvalidInput

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                hint = f"Port {port} on {host} is in use: stop what listens there or choose another --port."
            else:
                hint = f"Cannot listen on {host}, port {port}: {error.strerror or error}."
            raise InvalidInput(hint) from None
        yield listener


async def _serve(session: Session, crew: Crew, path: str, listener: socket.socket, host: str) -> int:
    import asyncio
    import signal

    import uvicorn

    from ...api.app import make_app
    from ...house import House
    from ..screens.plain import PlainScreen

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave signals to this command: uvicorn would raise them again after a clean stop."""
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Begin to listen, and say so."""
            await super().startup(sockets)
            if self.started:
                _announce(crew.name, listener, host)

    async with House.open(session.settings, on_progress=PlainScreen().progress) as house:
        app = make_app(house, crew, crew_path=path)
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2 * _GRACE,
        )
        server = Server(config)
        loop = asyncio.get_running_loop()

        def stop() -> None:
            loop.call_later(0 if server.should_exit else _GRACE, app.state.gate.close)
            server.should_exit = True

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        try:
            await server.serve(sockets=[listener])
        finally:
            await app.state.errands.aclose()
    return 0


def _announce(name: str, listener: socket.socket, host: str) -> None:
    port = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    print(f"Serving {name!r} at http://{shown}:{port}/v1 (Ctrl-C stops it).", flush=True)
    if host not in {"127.0.0.1", "::1", "localhost"}:
        print("Whoever reaches this address can use the crew and its tools: it asks for no key.", flush=True)
