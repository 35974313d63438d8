"""Ways: the strategies by the names that people choose them by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..agents.model import ModelClient
    from .strategies.strategy import Strategy, Streaming

Mode = Literal["auto", "rules", "model", "stream", "stepwise", "rewoo", "guided", "adapt"]
"""Who plans. `auto`: the crew's own planner if it has one, else the model where it has shown that it can, else the rules."""

GROWING = frozenset({"stream", "stepwise"})
"""Strategies whose tasks are carried out while they plan."""


def strategy(name: str, client: ModelClient) -> Strategy:
    """The strategy of that name, which plans with this model."""
    match name:
        case "rules":
            from .strategies.rules import Rules

            return Rules()
        case "rewoo":
            from .strategies.rewoo import ReWOO

            return ReWOO(client)
        case "adapt":
            from .strategies.adapt import Adapt
            from .strategies.model import ModelStrategy

            return Adapt(ModelStrategy(client))
        case "guided":
            from .strategies.guided import Guided

            return Guided(client)
        case "stream" | "stepwise":
            return growing(name, client)
        case _:
            from .strategies.model import ModelStrategy

            return ModelStrategy(client)


def growing(name: str, client: ModelClient) -> Streaming:
    """The strategy of that name that gives tasks while it plans."""
    if name == "stepwise":
        from .strategies.stepwise import Stepwise

        return Stepwise(client)
    from .strategies.streaming import StreamingStrategy

    return StreamingStrategy(client)
