"""Owns the files by which processes agree about one engine: its state, its locks, its log.

====================  =====================================================================================
``NAME.json``         the running server: pid, port, when it started, what it serves
``NAME.alive``        locked by the server for as long as its process lives
``NAME.users``        locked (shared) by everyone who uses the server: a lease, which dies with its holder
``NAME.start``        locked while somebody starts or stops the server
``NAME.keep``         exists after ``engine start``: the server stays when nobody uses it
``NAME.log``          what the server printed, anew at each start
====================  =====================================================================================
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ..client.wire import EngineKind
from ..settings import Settings
from .locks import is_locked

EngineName = Literal["embedded", "vllm"]
ENGINES: tuple[EngineName, ...] = ("embedded", "vllm")
KINDS: dict[EngineName, EngineKind] = {"embedded": "llamacpp", "vllm": "vllm"}


@dataclass(frozen=True, slots=True)
class ServerState:
    """A running server. `started` is in seconds since the epoch, `ready_s` how many it took to get ready."""

    pid: int
    port: int
    started: float
    ready_s: float
    model: str

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://127.0.0.1:{self.port}/v1"


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one engine in one folder."""

    folder: Path
    name: EngineName

    @classmethod
    def of(cls, settings: Settings, name: EngineName) -> Place:
        """Where that engine's files are for these settings."""
        return cls(settings.engines_dir, name)

    @property
    def state(self) -> Path:
        """The running server."""
        return self.folder / f"{self.name}.json"

    @property
    def alive(self) -> Path:
        """The lock that says that the server lives."""
        return self.folder / f"{self.name}.alive"

    @property
    def users(self) -> Path:
        """The lock that its users share."""
        return self.folder / f"{self.name}.users"

    @property
    def start(self) -> Path:
        """The lock of starting and stopping."""
        return self.folder / f"{self.name}.start"

    @property
    def keep(self) -> Path:
        """The mark of a server that was started to stay."""
        return self.folder / f"{self.name}.keep"

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.folder / f"{self.name}.log"

    def running(self) -> ServerState | None:
        """The server that runs now, or None. Never believes a state file that a dead server left behind."""
        try:
            state = ServerState(**json.loads(self.state.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return state if is_locked(self.alive) else None

    def announce(self, state: ServerState) -> None:
        """Write the state file, whole or not at all."""
        descriptor, name = tempfile.mkstemp(prefix=f".{self.name}-", dir=self.folder)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(state), file)
        Path(name).replace(self.state)

    def last_words(self, lines: int = 3) -> str:
        """The end of the log on one line, for error messages."""
        try:
            text = self.log.read_bytes()[-4000:].decode(errors="replace")
        except OSError:
            return ""
        return " / ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])[-400:]
