"""Owns where things live and which engine is meant: folders, environment variables, their defaults."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import platformdirs

from ..runtime.errors import InvalidInput

if TYPE_CHECKING:
    from ..agents.model import Usage
    from ..runtime.store import Synchronous

MODEL_URL_VARIABLE = "CREWGRAPH_MODEL_URL"
MODEL_NAME_VARIABLE = "CREWGRAPH_MODEL"
MODEL_KEY_VARIABLE = "CREWGRAPH_MODEL_KEY"
HOME_VARIABLE = "CREWGRAPH_HOME"
DATABASE_VARIABLE = "CREWGRAPH_DATABASE"
DATABASE_KEY_VARIABLE = "CREWGRAPH_DATABASE_KEY"
DURABILITY_VARIABLE = "CREWGRAPH_DURABILITY"
PRICE_VARIABLE = "CREWGRAPH_PRICE"
CACHE_VARIABLE = "CREWGRAPH_CACHE"
PLANS_VARIABLE = "CREWGRAPH_PLANS"
MEMORY_VARIABLE = "CREWGRAPH_MEMORY"

MAX_REQUEST_CHARS = 64_000
"""Requests longer than this are refused: no local model could read them."""


def _home() -> Path:
    override = os.environ.get(HOME_VARIABLE)
    return Path(override) if override else Path(platformdirs.user_data_dir("crewgraph", appauthor=False))


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, of prompts and of replies, in one currency."""

    prompt: float
    completion: float

    @classmethod
    def parse(cls, text: str) -> Price:
        """The price that ``"0.15/0.60"`` means. Raises `InvalidInput`: it is not two numbers."""
        try:
            prompt, completion = (float(part) for part in text.split("/"))
        except ValueError:
            prompt = completion = -1.0
        if not (0 <= prompt < math.inf and 0 <= completion < math.inf):
            raise InvalidInput(
                f"{PRICE_VARIABLE}={text!r} is not a price: write what a million tokens of prompt and of reply "
                "cost, such as 0.15/0.60."
            )
        return cls(prompt, completion)

    def of(self, usage: Usage) -> float:
        """What this usage costs."""
        return (usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion) / 1_000_000


def _price() -> Price | None:
    text = os.environ.get(PRICE_VARIABLE)
    return Price.parse(text) if text else None


def _keys() -> tuple[str, ...]:
    return tuple(key for key in os.environ.get(DATABASE_KEY_VARIABLE, "").split(",") if key)


def _durability() -> Synchronous:
    text = os.environ.get(DURABILITY_VARIABLE, "").upper() or "NORMAL"
    if text not in ("NORMAL", "FULL"):
        raise InvalidInput(
            f"{DURABILITY_VARIABLE}={text!r} is not known: normal (survives a killed process) or full (also a power cut)."
        )
    return cast("Synchronous", text)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process needs to know about its surroundings. Read once at the edge, then passed down.

    `home` holds everything crewgraph keeps for a user (runs, models, engine state, logs). `model_url` is the
    base URL of an OpenAI-compatible server (ending in `/v1`), or several of the same models with commas between them;
    None means what ``models.toml`` in `home` names, else the embedded engine. `cache` is where models' replies are kept:
    a file or a URL; None keeps none. `plans` is where plans that worked are kept (see `planmemory`), `memory` where
    agents' memories are (see `remembering`). `database_url` is a
    PostgreSQL or SQLite URL; None means a SQLite file in `home`. With `database_keys` what is kept is encrypted: the
    first key encrypts, all of them decrypt. `durability` FULL survives a power cut too. `price` is what tokens cost.
    """

    home: Path = field(default_factory=_home)
    model_url: str | None = field(default_factory=lambda: os.environ.get(MODEL_URL_VARIABLE) or None)
    model: str | None = field(default_factory=lambda: os.environ.get(MODEL_NAME_VARIABLE) or None)
    model_key: str | None = field(
        default_factory=lambda: os.environ.get(MODEL_KEY_VARIABLE) or None, repr=False
    )
    database_url: str | None = field(
        default_factory=lambda: os.environ.get(DATABASE_VARIABLE) or None, repr=False
    )
    database_keys: tuple[str, ...] = field(default_factory=_keys, repr=False)
    durability: Synchronous = field(default_factory=_durability)
    price: Price | None = field(default_factory=_price)
    cache: str | None = field(default_factory=lambda: os.environ.get(CACHE_VARIABLE) or None, repr=False)
    plans: str | None = field(default_factory=lambda: os.environ.get(PLANS_VARIABLE) or None, repr=False)
    memory: str | None = field(default_factory=lambda: os.environ.get(MEMORY_VARIABLE) or None, repr=False)

    @property
    def model_urls(self) -> tuple[str, ...]:
        """The base URLs of model engines, where they are named."""
        return tuple(url.strip() for url in (self.model_url or "").split(",") if url.strip())

    @property
    def models_file(self) -> Path:
        """Which engines and models there are, where a file says so: see `endpoints.file`."""
        return self.home / "models.toml"

    @property
    def database(self) -> str | Path:
        """Where runs and threads are kept: a SQLite file, or the URL of a database."""
        return self.database_url or self.home / "crewgraph.db"

    @property
    def has_runs(self) -> bool:
        """Whether there is a database to look into: a file may not have been made yet."""
        return not isinstance(self.database, Path) or self.database.exists()

    @property
    def tenants_file(self) -> Path:
        """What tenants may use, where there are any: see `tenants`."""
        return self.home / "tenants.toml"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be written down: the keys that this process was given."""
        return tuple(key for key in (self.model_key, *self.database_keys) if key)

    @property
    def models_dir(self) -> Path:
        """Where pulled model files are kept."""
        return self.home / "models"

    @property
    def engines_dir(self) -> Path:
        """State and logs of the engines that crewgraph started."""
        return self.home / "engines"
