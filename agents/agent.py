"""An agent: a role with a goal, the tools it may use, and the shape of what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ..runtime.errors import InvalidCrew
from ..runtime.events import Effect
from ..runtime.policy import Allowance
from .model import Message, ModelRequest

if TYPE_CHECKING:
    from .architectures.architecture import Architecture


@dataclass(frozen=True)
class Agent:
    """One member of a crew.

    `tools` are its own (functions made with `@tool`, or langchain-core tools). `model` names one of the engine's
    models, or is None for the default; `adapter` a LoRA adapter on it, so that many roles share one base model. With
    `output_type` its written results are JSON of that pydantic model. `max_turns` bounds its reasoning loop,
    `max_tokens` each reply, `limit` how many tasks it works on at once. `briefing` is what it is told before all else;
    it has its crew's where it has none of its own.

    `architecture` is how it works on a task: an `Architecture`, or the name of one of ours (left out: it writes, and where
    its model is trusted it calls tools first). `guardrails` hold each of its results before anybody else sees it, and
    send it back at most `corrections` times. `delegates` names the colleagues whom it may ask or hand its task to (True:
    all of them). `may` says which effects its tool calls may have (left out: any), `allowance` what each of its tasks may use.
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
    adapter: str | None = None
    briefing: str = ""
    architecture: Architecture | str | None = None
    guardrails: Sequence[Any] = ()
    corrections: int = 2
    delegates: bool | Sequence[str] = False
    may: Sequence[Effect] | None = None
    allowance: Allowance | None = None

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
        """Who it is, in a paragraph; identical in all of its calls."""
        return " ".join(
            part
            for part in (
                f"You are the {self.role}.",
                self.backstory.strip(),
                f"Your goal: {self.goal.strip()}",
            )
            if part
        )

    def system(self, *shared: str) -> Message:
        """The system message of its calls: its briefing, what it has in common with colleagues, and then who it is.

        The order is the engine's: a prefix that agents share, byte for byte, is computed once for all of them.
        """
        parts = (self.briefing.strip(), *shared, self.persona)
        return Message("system", "\n\n".join(part for part in parts if part))

    def asks(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        schema: dict[str, Any] | None = None,
    ) -> ModelRequest:
        """A call to its model, through its adapter, with at most `max_tokens` (None: its own) in reply."""
        return ModelRequest(
            tuple(messages),
            model=self.model,
            max_tokens=max_tokens or self.max_tokens,
            schema=schema,
            adapter=self.adapter,
        )
