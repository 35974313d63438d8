"""Owns what a daemon is told: which process to run, how to tell that it is ready, how patient to be. Values only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..place import EngineName, Place

PORT = "{port}"
"""Stands in a command for the port, which is only known once the daemon has taken one."""


@dataclass(frozen=True, slots=True)
class Patience:
    """When an engine counts as frozen, and how often it is started again.

    It is asked for its health every `check_s` seconds, and has `answer_s` to answer. Silent for `silent_s`, it is
    frozen, or ten times as long while it works: it may be too busy to answer. After a fault it is started again,
    `restarts` times in a row at most, after pauses that begin with `first_pause_s` and double. One that then ran well
    for `calm_s` begins with a clean sheet. A start may take `start_s`.
    """

    check_s: float = 5.0
    answer_s: float = 5.0
    silent_s: float = 60.0
    restarts: int = 5
    first_pause_s: float = 1.0
    calm_s: float = 600.0
    start_s: float = 1800.0

    def pause(self, faults: int) -> float | None:
        """Seconds to wait before the next start, after so many faults in a row; None: give up."""
        return None if faults > self.restarts else self.first_pause_s * 2 ** (faults - 1)


@dataclass(frozen=True, slots=True)
class Program:
    """The engine's own process: its command, with `PORT` where the port belongs, and what is added to its environment.

    `stages` are regular expressions of its output, each with what people are told when it matches; a group named
    ``percent`` is how far that is, and other groups fill the text. `ready` matches the line that says that it listens.
    `grace_s` is how long it may take to end when it is told to.
    """

    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    ready: str = "$^"
    stages: tuple[tuple[str, str], ...] = ()
    grace_s: float = 10.0

    def command_at(self, port: int) -> list[str]:
        """The command with the port in it."""
        return [word.replace(PORT, str(port)) for word in self.command]


@dataclass(frozen=True, slots=True)
class Serves:
    """What the engine serves: the model's name and its files, and the names of its LoRA adapters."""

    model: str
    path: str = ""
    adapters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Orders:
    """All that a daemon is told: its files, the inherited start lock, and what to run. `port` 0 means a free one."""

    folder: str
    name: EngineName
    start_lock: int
    idle_s: float
    port: int
    program: Program
    serves: Serves
    patience: Patience = field(default_factory=Patience)

    @property
    def place(self) -> Place:
        """The engine's files."""
        return Place(Path(self.folder), self.name)

    def as_json(self) -> str:
        """For the command line of the daemon."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Orders:
        """The orders that `as_json` wrote."""
        told: dict[str, Any] = json.loads(text)
        program, serves = told.pop("program"), told.pop("serves")
        return cls(
            program=Program(
                command=tuple(program.pop("command")),
                stages=tuple((pattern, stage) for pattern, stage in program.pop("stages")),
                **program,
            ),
            serves=Serves(adapters=tuple(serves.pop("adapters")), **serves),
            patience=Patience(**told.pop("patience")),
            **told,
        )
