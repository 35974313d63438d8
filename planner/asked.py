"""What a planner is asked: the request and what is known about it, of which crew, and what has happened so far."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..agents.aptitude import Aptitude
from ..agents.crew import Crew
from ..agents.model import Message
from ..runtime.budget import Budget
from ..runtime.context import RunContext
from ..runtime.graph import Task, TaskResult
from .intent.kinds import UNSURE, Intent
from .plan import Estimate, Plan


@dataclass(frozen=True, slots=True)
class Example:
    """A request like this one, and the tasks that answered it: a plan that worked. `likeness` is a cosine, 1 the same."""

    request: str
    tasks: tuple[Task, ...]
    likeness: float = 1.0


@dataclass(frozen=True, slots=True)
class SoFar:
    """What has come of a plan that has to be changed: why, what is done, and what went wrong, each by task id.

    `results` are whole and are kept; `failures` are sentences, `codes` their classes (`CrewgraphError.code`). `tried` are
    the calls (see `call_key`) that earlier plans of this run did without in the end, so that none is planned again the
    same. `changes` is how often the plan has been changed already, `estimate` what it was thought to take.
    """

    tasks: tuple[Task, ...]
    results: Mapping[str, TaskResult]
    failures: Mapping[str, str]
    reason: str
    codes: Mapping[str, str] = field(default_factory=dict)
    tried: frozenset[str] = frozenset()
    changes: int = 0
    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to be planned for a crew.

    `history` is what was said before in its conversation, `examples` plans that worked for requests like it, `budget` what
    the run may use, `so_far` set where an earlier plan has to be changed. `trusted` says whether the model has shown that
    it can plan and choose, `aptitude` how that came out where it was looked at.
    """

    crew: Crew
    request: str
    intent: Intent = UNSURE
    history: Sequence[Message] = ()
    examples: Sequence[Example] = ()
    budget: Budget = field(default_factory=Budget)
    so_far: SoFar | None = None
    trusted: bool = False
    aptitude: Aptitude | None = None

    @property
    def said(self) -> str:
        """All that the user said, in this request and before it."""
        return "\n".join([*(m.content for m in self.history if m.role == "user"), self.request])

    @property
    def earlier(self) -> str:
        """What the user said last before this request; "" where nothing."""
        return next((m.content for m in reversed(self.history) if m.role == "user"), "")


Change = Callable[[Asked, RunContext], Awaitable[Plan | None]]
"""Makes another plan where one could not be carried out (`asked.so_far`); None where nothing useful is left to do."""


def call_key(task: Task) -> str:
    """Equal for tasks that make the same call: the same tool with the same arguments, or the same piece of work."""
    return f"{task.tool or task.description}({json.dumps([task.args, task.each], sort_keys=True)})"
