"""Owns a crew as a langchain-core tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from ...agents.crew import Crew
from ..house import House
from ..settings import Settings
from .loan import Loan

if TYPE_CHECKING:
    from langchain_core.tools import StructuredTool


class Asked(BaseModel):
    """What a crew is asked for."""

    request: str = Field(description="What is to be done or found out, with all that is needed for it.")


def as_tool(
    crew: Crew,
    house: House | None = None,
    *,
    settings: Settings | None = None,
    name: str | None = None,
    description: str | None = None,
) -> StructuredTool:
    """The crew as a langchain-core tool that takes a request and gives the answer: for LangGraph and all of langchain.

    Every call is a run of its own. A run that has no answer, or waits for a person, says so in words. It can be called
    from any loop, and from threads other than the house's.
    """
    from langchain_core.tools import StructuredTool

    loan = Loan(crew, house, settings)
    return StructuredTool.from_function(
        func=loan.said_now,
        coroutine=loan.said,
        name=name or loan.name,
        description=description or loan.description,
        args_schema=Asked,
    )
