"""Measures: what calls like this one took in past runs, and what is guessed where there were none."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from ...agents.crew import Crew
from ...runtime.graph import Task
from ...tools.tool import Tool
from ..plan import TaskEstimate

Work = Literal["writing", "reasoning"]
"""What an agent does in a task that binds no tool: it writes from what it is given, or finds out by tools first."""

_TOOL_SECONDS = 1.0
_COMBINER_SECONDS = 0.01
_TOKENS_A_SECOND = 40.0
_PROMPT_TOKENS = 300
_REPLY_SHARE = 0.5  # of what a reply may be long at most
_GUESSED_TURNS = 3
_DIGITS = 3


class Sample(NamedTuple):
    """What one call took: `seconds`, `tokens`, `money`, `tool_calls`. `of` says which kind of call (see `of_tool`)."""

    of: str
    seconds: float
    tokens: int = 0
    money: float = 0.0
    tool_calls: int = 0


class Measured(NamedTuple):
    """What calls of one kind took: how many there were, then medians. `spread` is the middle half's: from the quarter
    that was quickest to the quarter that was slowest, in seconds."""

    calls: int
    seconds: float
    spread: float = 0.0
    tokens: int = 0
    money: float = 0.0
    tool_calls: int = 0


class Measures(Protocol):
    """Knows what tasks take."""

    def of(self, task: Task, crew: Crew) -> TaskEstimate:
        """What the task is thought to take, done once: one entry, where it is to be done for each of a list."""
        ...


@dataclass(frozen=True)
class Known:
    """Measures held in memory, by kind of call.

    A task takes what its author says (`Task.expected_seconds`); else what calls of its tool, or its agent's work of that
    kind, took; else what any agent's took; else what the tool says of itself (`Traits`); else a guess: 1 s a tool, and
    for a model 40 tokens/s, half of the longest reply, 300 tokens of prompt, and 3 turns where it looks for itself. A
    guess never goes beyond the task's `allowance` and `timeout`; what was measured may, and then they are too small.
    """

    by: Mapping[str, Measured] = field(default_factory=dict)

    def of(self, task: Task, crew: Crew) -> TaskEstimate:
        """What the task is thought to take, done once."""
        found = self.find(task, crew)
        taken = guess(task, crew) if found is None else _estimate(found)
        if task.tool is not None:
            taken = taken.model_copy(update={"tool_calls": 1})
        if task.expected_seconds is not None:
            taken = taken.model_copy(update={"seconds": task.expected_seconds})
        return taken if taken.measured else _capped(taken, task)

    def find(self, task: Task, crew: Crew) -> Measured | None:
        """What calls like this one took; None where there were none."""
        if task.tool is not None:
            return self.by.get(of_tool(task.tool))
        role, work = crew.agent(task.agent).role, work_of(task, crew)
        other: Work = "writing" if work == "reasoning" else "reasoning"
        kinds = (of_agent(role, work), of_agent(role, other), of_agent("", work))
        return next((self.by[kind] for kind in kinds if kind in self.by), None)

    def about(self, crew: Crew) -> Known:
        """Only what is about this crew's tools and agents."""
        kinds = {of_tool(name) for name in crew.toolset}
        works: tuple[Work, ...] = ("writing", "reasoning")
        kinds |= {of_agent(role, work) for role in ("", *(a.role for a in crew.agents)) for work in works}
        return Known({kind: self.by[kind] for kind in sorted(kinds & self.by.keys())})


NOTHING_KNOWN = Known(MappingProxyType({}))
"""No past runs: everything is what tools say of themselves, or a guess."""


def of_tool(name: str) -> str:
    """The kind of a call of this tool."""
    return f"tool:{name}"


def of_agent(role: str, work: Work) -> str:
    """The kind of an agent's own work; with the role "" that of any agent's."""
    return f"{work}:{role}"


def work_of(task: Task, crew: Crew) -> Work:
    """What the agent of a task without a tool will have to do, as far as the plan shows it."""
    tools = crew.tools_of(crew.agent(task.agent)).values()
    return "reasoning" if not task.needs and any(not tool.combines for tool in tools) else "writing"


def gathered(samples: Iterable[Sample]) -> Known:
    """What these calls come to, by kind; the work of agents also over all of them."""
    kinds: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        kinds[sample.of].append(sample)
        work, _, role = sample.of.partition(":")
        if work != "tool" and role:
            kinds[f"{work}:"].append(sample)
    return Known({kind: _measured(kinds[kind]) for kind in sorted(kinds)})


def _measured(samples: list[Sample]) -> Measured:
    seconds = [sample.seconds for sample in samples]
    spread = 0.0
    if len(seconds) > 1:
        low, _, high = quantiles(seconds, n=4, method="inclusive")
        spread = high - low
    return Measured(
        len(samples),
        rounded(median(seconds)),
        rounded(spread),
        round(median(sample.tokens for sample in samples)),
        rounded(median(sample.money for sample in samples)),
        round(median(sample.tool_calls for sample in samples)),
    )


def rounded(value: float) -> float:
    """The value with three digits that count: more would be a claim, and longer to keep."""
    if not math.isfinite(value) or value == 0:
        return 0.0
    return round(value, _DIGITS - 1 - math.floor(math.log10(abs(value))))


def tool_of(task: Task, crew: Crew) -> Tool | None:
    """The tool that a task binds; None where it binds none, or one that the crew does not have."""
    return crew.toolset[task.tool] if task.tool is not None and task.tool in crew.toolset else None


def guess(task: Task, crew: Crew) -> TaskEstimate:
    """What the task takes by what its tool says of itself; for the rest, a guess."""
    if task.tool is not None:
        tool = tool_of(task, crew)
        if tool is None:
            return TaskEstimate(seconds=_TOOL_SECONDS, tool_calls=1)
        usual = _COMBINER_SECONDS if tool.combines else _TOOL_SECONDS
        seconds = usual if tool.traits.seconds is None else tool.traits.seconds
        return TaskEstimate(seconds=seconds, money=tool.traits.money, tool_calls=1)
    turns = _GUESSED_TURNS if work_of(task, crew) == "reasoning" else 1
    reply = crew.agent(task.agent).max_tokens * _REPLY_SHARE
    return TaskEstimate(
        seconds=rounded(turns * reply / _TOKENS_A_SECOND),
        tokens=turns * (_PROMPT_TOKENS + round(reply)),
        tool_calls=turns - 1,
    )


def _estimate(found: Measured) -> TaskEstimate:
    return TaskEstimate(
        seconds=found.seconds,
        tokens=found.tokens,
        money=found.money,
        tool_calls=found.tool_calls,
        measured=found.calls,
    )


def _capped(taken: TaskEstimate, task: Task) -> TaskEstimate:
    """No more than the task may take."""
    limits = task.allowance
    if limits is None and task.timeout is None:
        return taken
    seconds = [s for s in (task.timeout, limits.seconds if limits else None) if s is not None]
    most = {
        "seconds": min(seconds, default=None),
        "tokens": limits.tokens if limits else None,
        "money": limits.money if limits else None,
        "tool_calls": limits.tool_calls if limits else None,
    }
    capped = {name: min(getattr(taken, name), limit) for name, limit in most.items() if limit is not None}
    return taken.model_copy(update=capped)
