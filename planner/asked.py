"""What a planner is asked: the request and what is known about it, of which crew, and what has happened so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ..agents.crew import Crew
from ..agents.model import Message
from ..runtime.budget import Budget
from ..runtime.graph import Task, TaskResult
from .intent.kinds import UNSURE, Intent


@dataclass(frozen=True, slots=True)
class Example:
    """A request like this one, and the tasks that answered it: a plan that worked. `likeness` is a cosine, 1 the same."""

    request: str
    tasks: tuple[Task, ...]
    likeness: float = 1.0


@dataclass(frozen=True, slots=True)
class SoFar:
    """What has come of a plan that has to be changed: why, what is done, and what went wrong, each by task id.

    `results` are whole and are kept; `failures` are sentences. `tried` are the calls that failed before, in earlier
    plans of this run too, so that none is planned again the same.
    """

    tasks: tuple[Task, ...]
    results: Mapping[str, TaskResult]
    failures: Mapping[str, str]
    reason: str
    tried: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to be planned for a crew.

    `history` is what was said before in its conversation, `examples` plans that worked for requests like it, `budget` what
    the run may use, `so_far` set where an earlier plan has to be changed. `trusted` says whether the model has shown that
    it can plan and choose (see `Aptitude`).
    """

    crew: Crew
    request: str
    intent: Intent = UNSURE
    history: Sequence[Message] = ()
    examples: Sequence[Example] = ()
    budget: Budget = field(default_factory=Budget)
    so_far: SoFar | None = None
    trusted: bool = False

    @property
    def earlier(self) -> str:
        """What the user said last before this request; "" where nothing."""
        return next((m.content for m in reversed(self.history) if m.role == "user"), "")


NOTHING_DONE: Mapping[str, TaskResult] = MappingProxyType({})
