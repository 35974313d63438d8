"""Owns `Listing`: which engine serves what, as far as the engines have been heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from ...runtime.errors import EngineError, EngineTimeout
from .engine import Engine

FIRST_S = 3.0
"""How long a call waits for engines to say what they serve; those that take longer are silent."""
_PATIENT_S = 15.0
AGAIN_S = 5.0


class Listing:
    """What all engines serve. Each is asked once, when it may matter; `version` counts what has changed since.

    Those that did not answer are `silent`: they are asked again, every few seconds at most, beside the calls.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.engines = {engine.name: engine for engine in engines}
        self.version = 0
        self.names: dict[str, tuple[str, ...]] = {e.name: e.models for e in engines if e.models is not None}
        self.silent = {e.name for e in engines if e.models is None or e.kind is None}
        self._asked: set[str] = set()
        self._asking = asyncio.Lock()
        self._again: asyncio.Task[None] | None = None
        self._again_at = 0.0

    async def hear(self, names: Iterable[str]) -> None:
        """See to it that these engines have been asked once."""
        wanted = self.silent.intersection(names) - self._asked
        if wanted:
            async with self._asking:
                wanted -= self._asked
                if wanted:
                    await self._ask(wanted, FIRST_S)

    def look_again(self) -> None:
        """Ask the silent ones again, beside the call, where it is time to."""
        asked = self.silent & self._asked
        if not asked or (self._again is not None and not self._again.done()):
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._again_at:
            self._again = loop.create_task(self._look(asked))

    async def now(self) -> Mapping[str, Sequence[str]]:
        """What is served now: all engines are asked, and those that do not answer left out.

        Raises what the first of them said, where none answers.
        """
        told = {name: found for name, e in self.engines.items() if (found := e.models) is not None}
        failures = await self._ask([name for name in self.engines if name not in told], FIRST_S)
        if not told and len(failures) == len(self.engines):
            raise next(failures[name] for name in self.engines)
        return {
            name: told.get(name) or self.names.get(name, ()) for name in self.engines if name not in failures
        }

    async def aclose(self) -> None:
        """Ask no more."""
        if self._again is not None:
            self._again.cancel()
            await asyncio.gather(self._again, return_exceptions=True)

    async def _look(self, names: Iterable[str]) -> None:
        await self._ask(names, _PATIENT_S)

    async def _ask(self, names: Iterable[str], seconds: float) -> dict[str, EngineError]:
        """Ask these; the errors of those that did not answer."""
        asked = list(names)
        told = await asyncio.gather(*(self._one(self.engines[name], seconds) for name in asked))
        self._asked.update(asked)
        self._again_at = asyncio.get_running_loop().time() + AGAIN_S
        return {name: error for name, error in zip(asked, told, strict=True) if error is not None}

    async def _one(self, engine: Engine, seconds: float) -> EngineError | None:
        kind = engine.kind
        try:
            async with asyncio.timeout(seconds):
                found = await engine.ask()
        except EngineError as error:
            return error
        except TimeoutError:
            return EngineTimeout(
                f"The engine {engine.name!r} did not say what it serves within {seconds:g} s; see whether it hangs."
            )
        if (found, engine.kind) != (self.names.get(engine.name), kind):
            self.version += 1
        self.names[engine.name] = found
        self.silent.discard(engine.name)
        return None
