"""PostgreSQL for tests: one real server a session, one fresh database a test.

The server is the one that the package `pgserver` brings, in a folder of its own, on a free port of this machine; where
CREWGRAPH_TEST_POSTGRES_URL names a server (its user may create databases), that one is used instead. A test that
stops or restarts a server takes `postgres_alone`, which nobody else uses.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import pytest

EXTERNAL = "CREWGRAPH_TEST_POSTGRES_URL"
_READY_SECONDS = 30


class PostgresServer:
    """A PostgreSQL server of our own. It is on the port of `url`, which it keeps over restarts."""

    def __init__(self, *, listen: str = "127.0.0.1", options: tuple[str, ...] = ()) -> None:
        self._bin = _binaries()
        self._user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        self._folder = Path(tempfile.mkdtemp(prefix="crewgraph-postgres-"))
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.listen = listen
        self.port = _free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(self._folder, entry.pw_uid, entry.pw_gid)
        self._run(
            "initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres", "-D", self._data
        )
        with (Path(self._data) / "pg_hba.conf").open("a") as file:
            file.write("host all all all trust\n")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    @property
    def pid(self) -> int:
        """The server's first process."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        settings = [
            "fsync=off",
            f"listen_addresses={self.listen}",
            "unix_socket_directories=",
            "max_connections=200",
        ]
        arguments = [part for setting in (*settings, *self._options) for part in ("-c", setting)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", self._data, "-p", str(self.port), *arguments],
                stdout=log,
                stderr=log,
                user=self._user,
                extra_groups=[] if self._user is not None else None,
                start_new_session=True,
            )
        late = time.monotonic() + _READY_SECONDS
        while self._run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), check=False) != 0:
            if self._process.poll() is not None or time.monotonic() > late:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it: `fast` ends its sessions and shuts down, `immediate` is like a crash."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT if how == "fast" else signal.SIGQUIT)
            self._process.wait(_READY_SECONDS)
            self._process = None

    def restart(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it and start it again on the same port."""
        self.stop(how)
        self.start()

    def remove(self) -> None:
        """Stop it and take its folder away."""
        self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, command: str, *arguments: str, check: bool = True) -> int:
        done = subprocess.run(
            [str(self._bin / command), *arguments], capture_output=True, user=self._user, cwd="/", check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"{command} failed: {done.stderr.decode()[-2000:]}")
        return done.returncode


def execute(url: str, statement: str) -> None:
    """Run one statement in a loop of its own, whether or not a test's loop is running."""
    import asyncpg

    async def work() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work()).result()


def database_of(url: str, name: str) -> str:
    """The URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a server for the whole session. Tests take `postgres_url`."""
    given = os.environ.get(EXTERNAL)
    if given:
        yield given
        return
    _skip_where_missing()
    server = PostgresServer()
    try:
        server.start()
        yield server.url
    finally:
        server.remove()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a fresh, empty database; it is dropped in the end."""
    name = f"test_{secrets.token_hex(6)}"
    execute(postgres_server, f"CREATE DATABASE {name}")
    try:
        yield database_of(postgres_server, name)
    finally:
        execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_alone() -> Iterator[PostgresServer]:
    """A running server for this test alone, which may stop, restart and break it."""
    _skip_where_missing()
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _skip_where_missing() -> None:
    for package in ("pgserver", "asyncpg"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"no PostgreSQL: {package} is not installed, and {EXTERNAL} is not set")


def _binaries() -> Path:
    found = importlib.util.find_spec("pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
