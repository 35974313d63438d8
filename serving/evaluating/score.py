"""Owns what a scorer gives and what it is given: `Score`, `Observed`, and the one protocol of all scorers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field, JsonValue

if TYPE_CHECKING:
    from .case import Case


class Score(BaseModel):
    """What a scorer says of one trial: `value` from 0 to 1, whether that is enough, and why.

    Without a `value` it says nothing: it could not judge (why tells). `by` is by which means, where there are several,
    such as which model judged; scores by different means do not compare. `of` is a hash of the scorer and its options, so
    that a score is taken anew when they change.
    """

    model_config = ConfigDict(frozen=True)

    value: float | None = Field(default=None, ge=0, le=1)
    passed: bool | None = None
    why: str = ""
    by: str = ""
    of: str = ""


def right(passed: bool, why: str = "") -> Score:
    """All or nothing."""
    return Score(value=float(passed), passed=passed, why=why)


def silent(why: str) -> Score:
    """No judgement, for this reason."""
    return Score(why=why)


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call of a run, in the order in which they began."""

    name: str
    args: JsonValue = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """What a run's journal tells of it. `value` is the typed result that the answer stands for, None where it has none.

    `seconds` are those it worked, pauses left out; `money` is in the currency of the price list.
    """

    run_id: str
    request: str
    answer: str
    value: JsonValue = None
    calls: tuple[Called, ...] = ()
    evidence: tuple[str, ...] = ()
    seconds: float = 0.0
    tokens: int = 0
    tool_calls: int = 0
    money: float = 0.0


class Bench(Protocol):
    """What scorers may use beside the run: something to compare meanings with, and a model that judges."""

    async def likeness(self, one: str, other: str) -> tuple[float, str]:
        """How near two texts are in meaning, from 0 to 1, and by which means: `meaning` or `words`."""
        ...

    async def verdict(self, criterion: str, observed: Observed, expected: JsonValue) -> Score:
        """A model's judgement, journalled."""
        ...


class Scorer(Protocol):
    """One way to score. Its options are the fields of a frozen dataclass."""

    needs: ClassVar[str]
    """What a case must have for it, in words."""

    def fits(self, case: Case) -> bool:
        """Whether the case has what this scorer needs."""
        ...

    async def score(self, case: Case, observed: Observed, bench: Bench) -> Score:
        """The score of a run that has an answer."""
        ...
