"""An agent: a role with a goal, the tools it may use, and the shape of what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from ..runtime.errors import InvalidCrew


@dataclass(frozen=True)
class Agent:
    """One member of a crew.

    `tools` are its own (functions made with `@tool`, or langchain-core tools). `model` names one of the engine's
    models, or is None for the default. With `output_type` its written results are JSON of that pydantic model.
    `max_turns` bounds its reasoning loop, `max_tokens` each reply, `limit` how many tasks it works on at once.
    """

    role: str
    goal: str
    backstory: str = ""
    tools: Sequence[object] = ()
    model: str | None = None
    output_type: type[BaseModel] | None = None
    max_turns: int = 6
    max_tokens: int = 256
    limit: int | None = None

    def __post_init__(self) -> None:
        if not self.role.strip():
            raise InvalidCrew(
                "An agent has no role: give it a short name for what it does, such as 'researcher'."
            )
        if self.limit is not None and self.limit < 1:
            raise InvalidCrew(f"The agent {self.role!r} may work on {self.limit} tasks at once: 1 or more.")
        if not self.goal.strip():
            raise InvalidCrew(
                f"The agent {self.role!r} has no goal: say in a sentence what it is to achieve."
            )

    @property
    def description(self) -> str:
        """Role and goal in one line, for planners."""
        return f"{self.role}: {self.goal}"

    @property
    def persona(self) -> str:
        """The system prompt that every call of this agent begins with; identical in all of them."""
        return " ".join(
            part
            for part in (
                f"You are the {self.role}.",
                self.backstory.strip(),
                f"Your goal: {self.goal.strip()}",
            )
            if part
        )
