"""The rules as a strategy: they plan without a model."""

from __future__ import annotations

from dataclasses import dataclass

from ...runtime.context import RunContext
from ..asked import Asked
from ..plan import Plan
from .rules import by_rules


@dataclass(frozen=True)
class Rules:
    """Plans by what the words of a request name of the tools."""

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """The plan: calls, what joins their figures, and an answer; the answer alone where no tool fits."""
        return by_rules(asked.crew, asked.request, earlier=asked.earlier, examples=asked.examples)
