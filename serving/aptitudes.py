"""Remembers what each model has shown it can do, so that it is quizzed once and not at every run."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..agents.aptitude import Aptitude
from ..agents.model import ModelClient
from .settings import Settings


class Aptitudes:
    """A small JSON file under the home folder: one entry per model and server address."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.home / "aptitudes.json"
        file = settings.models_file
        self._server = settings.model_url or (str(file) if file.exists() else "embedded")
        self._lock = asyncio.Lock()

    async def of(self, client: ModelClient, probe: Callable[[ModelClient], Awaitable[Aptitude]]) -> Aptitude:
        """The aptitude of the model that the client speaks to; quizzed where it is not known yet.

        Raises:
            EngineError: the engine does not answer.
        """
        async with self._lock:
            model = (await client.models() or [""])[0]
            known = await asyncio.to_thread(self._read)
            key = f"{self._server} {model}"
            if key in known:
                try:
                    return TypeAdapter(Aptitude).validate_python(known[key])
                except ValidationError:
                    pass  # spoilt: ask again
            found = await probe(client)
            await asyncio.to_thread(self._write, {**known, key: asdict(found)})
            return found

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            known = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}  # not there yet, or spoilt: the quiz is cheap
        return known if isinstance(known, dict) else {}

    def _write(self, known: dict[str, dict[str, Any]]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(f"{self._file}.{os.getpid()}")
        fresh.write_text(json.dumps(known, indent=1), "utf-8")
        fresh.replace(self._file)
