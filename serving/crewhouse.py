"""CrewHouse: a house for tests, in a folder of its own, where scripted models answer and no engine is started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..agents.aptitude import Aptitude
from ..agents.crew import Crew
from ..agents.model import ModelClient
from ..agents.testing import ForbiddenModel, RecordedModel, Script, ScriptedModel, Trace
from ..runtime.errors import CrewgraphError
from .aptitudes import Aptitudes
from .house import House
from .outcome import Outcome
from .settings import Settings


@dataclass(frozen=True)
class Told:
    """What came of a request: the outcome, all that happened, and the model that was asked."""

    outcome: Outcome
    trace: Trace
    model: ModelClient

    @property
    def answer(self) -> str:
        """The answer."""
        return self.outcome.answer


class CrewHouse:
    """Asks crews in a test. `trusted` says whether its models are believed to plan and to choose actions: no quiz is held.

    Without a script or a model, a model call fails the test.
    """

    def __init__(self, folder: Path, *, trusted: bool = False) -> None:
        self.settings = Settings(
            home=folder, model_url=None, model=None, model_key=None, database_url=None, cache=None, plans=None
        )
        self.trusted = trusted

    @asynccontextmanager
    async def open(self, model: ModelClient) -> AsyncIterator[House]:
        """The house itself, for tests that resume, fork or replay."""
        name = (await model.models() or [""])[0]
        shown = Aptitude(10 if self.trusted else 0, 10, name)

        async def no_quiz(client: ModelClient) -> Aptitude:
            return shown

        await Aptitudes(self.settings).of(model, no_quiz)
        async with House.open(self.settings, client=model) as house:
            yield house

    async def ask(
        self,
        crew: Crew,
        request: str,
        script: Script | Mapping[str, Script] | ModelClient = (),
        **options: Any,
    ) -> Told:
        """Carry a request out. `script` is what the model says, or the model itself; `options` are those of `House.ask`.

        Raises:
            CrewgraphError: the run ended without an answer.
            AssertionError: the script does not fit what was asked.
        """
        model = model_for(script)
        trace = Trace()
        try:
            async with self.open(model) as house:
                listeners = [trace, *options.pop("listeners", ())]
                outcome = await house.ask(crew, request, listeners=listeners, **options)
        except CrewgraphError as error:
            raise _wrong_script(error) or error from None
        finally:
            if isinstance(model, RecordedModel):
                await model.aclose()
        return Told(outcome, trace, model)

    def run(
        self,
        crew: Crew,
        request: str,
        script: Script | Mapping[str, Script] | ModelClient = (),
        **options: Any,
    ) -> Told:
        """`ask` for tests without an event loop."""
        return asyncio.run(self.ask(crew, request, script, **options))


def model_for(script: Script | Mapping[str, Script] | ModelClient) -> ModelClient:
    """The model that a test means: itself, a script's, or one that nobody may call."""
    if isinstance(script, ModelClient):
        return script
    return ForbiddenModel() if not callable(script) and not script else ScriptedModel(script)


def _wrong_script(error: BaseException | None) -> AssertionError | None:
    """The assertion that made a run fail, if one did: a script that did not fit, or a live model that was asked."""
    while error is not None:
        if isinstance(error, AssertionError):
            return error
        error = error.__cause__ or error.__context__
    return None
