"""Owns a crew as a CrewAI tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...agents.crew import Crew
from ...agents.interop.crewai import silence
from ...runtime.errors import InvalidRequest
from ..house import House
from ..settings import Settings
from .loan import Loan
from .tool import Asked

if TYPE_CHECKING:
    # CrewAI is an extra: where it is not installed, checkers take its names for Any.
    from crewai.tools import BaseTool  # pyright: ignore[reportMissingImports]  # an extra


def as_crewai_tool(
    crew: Crew,
    house: House | None = None,
    *,
    settings: Settings | None = None,
    name: str | None = None,
    description: str | None = None,
) -> BaseTool:
    """The crew as a CrewAI tool that takes a request and gives the answer. Every call is a run of its own.

    A run that has no answer, or waits for a person, says so in words. Raises `InvalidRequest`: CrewAI is not installed.
    """
    silence()
    try:
        from crewai.tools import BaseTool  # pyright: ignore[reportMissingImports]  # an extra
    except ModuleNotFoundError as error:
        raise InvalidRequest(
            "CrewAI is not installed; pip install 'crewgraph[crewai]' in an environment without vLLM."
        ) from error
    loan = Loan(crew, house, settings)

    class CrewTool(BaseTool):  # type: ignore[misc]  # Any where CrewAI is not installed
        """A crew that CrewAI's agents ask."""

        def _run(self, request: str) -> str:
            return loan.said_now(request)

        async def _arun(self, request: str) -> str:
            return await loan.said(request)

    return CrewTool(name=name or loan.name, description=description or loan.description, args_schema=Asked)
