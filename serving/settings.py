"""Owns where things live and which engine is meant: folders, environment variables, their defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

MODEL_URL_VARIABLE = "CREWGRAPH_MODEL_URL"
MODEL_NAME_VARIABLE = "CREWGRAPH_MODEL"
MODEL_KEY_VARIABLE = "CREWGRAPH_MODEL_KEY"
HOME_VARIABLE = "CREWGRAPH_HOME"

MAX_REQUEST_CHARS = 100_000
"""Requests longer than this are refused: no local model could read them."""


def _home() -> Path:
    override = os.environ.get(HOME_VARIABLE)
    return Path(override) if override else Path(platformdirs.user_data_dir("crewgraph", appauthor=False))


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process needs to know about its surroundings. Read once at the edge, then passed down.

    `home` holds everything crewgraph keeps for a user (runs, models, engine state, logs). `model_url` is the
    base URL of an OpenAI-compatible server (ending in `/v1`); None means the embedded engine.
    """

    home: Path = field(default_factory=_home)
    model_url: str | None = field(default_factory=lambda: os.environ.get(MODEL_URL_VARIABLE) or None)
    model: str | None = field(default_factory=lambda: os.environ.get(MODEL_NAME_VARIABLE) or None)
    model_key: str | None = field(
        default_factory=lambda: os.environ.get(MODEL_KEY_VARIABLE) or None, repr=False
    )

    @property
    def database(self) -> Path:
        """The SQLite file that holds runs and threads."""
        return self.home / "crewgraph.db"

    @property
    def models_dir(self) -> Path:
        """Where pulled model files are kept."""
        return self.home / "models"

    @property
    def engines_dir(self) -> Path:
        """State and logs of the engines that crewgraph started."""
        return self.home / "engines"
