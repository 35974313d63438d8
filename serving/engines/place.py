"""Owns the files by which processes agree about one engine: its state, its locks, its log.

====================  =====================================================================================
``NAME.json``         the running engine: its daemon's pid, port, when it started, what it serves, what went wrong
``NAME.alive``        locked by the daemon for as long as its process lives
``NAME.child``        locked by the engine's own process for as long as it lives; its pid
``NAME.away``         locked by the daemon while the engine that it keeps is down, until it answers again
``NAME.users``        locked (shared) by everyone who uses the engine: a lease, which dies with its holder
``NAME.start``        locked while somebody starts or stops the engine
``NAME.keep``         exists after ``engine start``: the engine stays when nobody uses it
``NAME.log``          what the engine printed, over all its starts; ``NAME.log.1`` what it printed before that
``NAME.adapters/``    its LoRA adapters under the names by which they are asked for, as links
====================  =====================================================================================
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ..settings import Settings
from .locks import is_locked

EngineName = Literal["embedded", "vllm"]
ENGINES: tuple[EngineName, ...] = ("embedded", "vllm")


@dataclass(frozen=True, slots=True)
class ServerState:
    """A running engine: `pid` is its daemon's, `child` its own process's, None while there is none.

    `started` is in seconds since the epoch, `ready_s` how many it took to get ready. `path` are the model's files.
    `restarts` counts how often it had to be started again, `fault` is why it was the last time, in a few words. `stage`
    is how far a restart is, "" while the engine answers. With `gave_up` the daemon has ended after its last fault.
    """

    pid: int
    port: int
    started: float
    ready_s: float
    model: str
    path: str = ""
    adapters: tuple[str, ...] = ()
    child: int | None = None
    restarts: int = 0
    fault: str = ""
    stage: str = ""
    gave_up: bool = False

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://127.0.0.1:{self.port}/v1"

    def serves(self, model: str) -> bool:
        """Whether this is the model that a path or a name means."""
        return model == self.model or str(Path(model).expanduser().absolute()) == self.path


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
    def child(self) -> Path:
        """The lock of the engine's own process, with its pid."""
        return self.folder / f"{self.name}.child"

    @property
    def away(self) -> Path:
        """The lock that is held while the engine is down and will be up again."""
        return self.folder / f"{self.name}.away"

    @property
    def adapters(self) -> Path:
        """A folder of links to LoRA adapters, under their names."""
        return self.folder / f"{self.name}.adapters"

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
        """What the engine printed."""
        return self.folder / f"{self.name}.log"

    def running(self) -> ServerState | None:
        """The engine that runs now, or None. Never believes a state file that a dead daemon left behind."""
        state = self.last()
        return state if state is not None and is_locked(self.alive) else None

    def last(self) -> ServerState | None:
        """What the last daemon announced last, whether or not it lives; None after an orderly end."""
        try:
            state = json.loads(self.state.read_text())
            return ServerState(**state | {"adapters": tuple(state.get("adapters", ()))})
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return None

    def announce(self, state: ServerState) -> None:
        """Write the state file, whole or not at all."""
        descriptor, name = tempfile.mkstemp(prefix=f".{self.name}-", dir=self.folder)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(state), file)
        Path(name).replace(self.state)
