"""The model's plan as one function: the model strategy for callers that have a crew and a request."""

from __future__ import annotations

from collections.abc import Sequence

from ...agents.crew import Crew
from ...agents.model import Message, ModelClient
from ...runtime.context import RunContext
from ..asked import Asked
from ..plan import Plan
from .model import ModelStrategy
from .written.schema import plan_schema

__all__ = ["by_model", "plan_schema"]


async def by_model(
    crew: Crew, request: str, client: ModelClient, ctx: RunContext, *, history: Sequence[Message] = ()
) -> Plan:
    """A checked plan written by the model. Raises as `ModelStrategy.plan` does."""
    asked = Asked(crew, request, history=history, budget=ctx.meter.budget)
    return await ModelStrategy(client).plan(asked, ctx)
