"""Owns where what is remembered from run to run is kept: in the home folder, where the settings say, or nowhere."""

from __future__ import annotations

from pathlib import Path

from ..runtime.errors import InvalidInput
from .settings import Settings

_OFF = frozenset({"off", "no", "none", "0"})


def kept_at(named: str | None, settings: Settings, *, folder: str, variable: str) -> str | Path | None:
    """What is `named` (a folder, or the URL of a Qdrant server), else `folder` in the home folder.

    None where it says off, and where what is kept is to be encrypted and nothing is named: then it is not kept.

    Raises:
        InvalidInput: it is neither a folder nor a server that can be spoken to; `variable` is where it was named.
    """
    said = (named or "").strip()
    if said.lower() in _OFF:
        return None
    if not said:
        return None if settings.database_keys else settings.home / folder
    if "://" not in said:
        return Path(said).expanduser()
    if not said.startswith(("http://", "https://")):
        raise InvalidInput(
            f"{variable}={said!r} is no place for {folder}: name a folder, the URL of a Qdrant server "
            "(http://host:6333), or off."
        )
    return said
