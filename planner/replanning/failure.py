"""Failure: what kind of trouble a task had, told by the class and the words of its error, which a journal keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ...runtime.errors import (
    BudgetExceeded,
    EngineBusy,
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    KeyRefused,
    NotAnEngine,
    Rejected,
    StreamBroken,
    Surprise,
    TaskFailed,
    ToolArgumentError,
    ToolError,
    UnknownModel,
)
from ...tools.tool import Tool

Kind = Literal["passing", "arguments", "surprise", "rejected", "pressed", "allowance", "failed"]
"""It may work the next time; it was called wrongly; its result breaks an assumption; a person said no; it was not begun,
because the budget would not reach; it used up what it may use itself; anything else."""

PRESSED = "pressed"
"""The code of the error by which a task is not begun, because the rest of the plan does not fit the budget."""

_PASSING = re.compile(
    r"time[sd]?[ _-]?out|took longer than|Connection\w*(?:Error|Reset|Refused|Aborted)|BrokenPipe|connection "
    r"(?:was )?(?:reset|refused|closed|lost|aborted)|temporar|unavailable|too many requests|rate limit|try again|"
    r"\b(?:408|425|429|502|503|504)\b|超时|暂时|稍后|连接",
    re.IGNORECASE,
)
_OF_CODE: dict[str, Kind] = {
    PRESSED: "pressed",
    Surprise.code: "surprise",
    Rejected.code: "rejected",
    ToolArgumentError.code: "arguments",
    BudgetExceeded.code: "allowance",
    **{kind.code: "passing" for kind in (EngineBusy, EngineTimeout, EngineUnreachable, StreamBroken)},
}
_ENGINE = frozenset(
    kind.code
    for kind in (
        EngineError,
        EngineBusy,
        EngineTimeout,
        EngineUnreachable,
        StreamBroken,
        KeyRefused,
        UnknownModel,
        NotAnEngine,
    )
)
_MAY_PASS = frozenset({ToolError.code, TaskFailed.code, EngineError.code, "internal_error"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one task has no result that can be used: `why` in a sentence without its full stop, `code` its class."""

    kind: Kind
    why: str
    code: str = TaskFailed.code

    @property
    def of_engine(self) -> bool:
        """Whether the model's engine was in the way, and not the work."""
        return self.code in _ENGINE

    @classmethod
    def of(cls, code: str, why: str) -> Failure:
        """The failure that an error of this class tells of in these words."""
        kind = _OF_CODE.get(code, "failed")
        if kind == "failed" and code in _MAY_PASS and _PASSING.search(why):
            kind = "passing"
        return cls(kind, why.strip().rstrip(".。"), code)


def undone(failure: Failure, tool: Tool | None) -> bool:
    """Whether it is certain that the call changed nothing, so that something may be done in its place.

    A `once` tool says so by `ToolError`. An `idempotent` one knows a call again only under the key of its own task: made
    by another task it might be doubled.
    """
    if tool is None or tool.effect == "read_only":
        return True
    if failure.kind == "pressed" or failure.code == ToolArgumentError.code:
        return True
    return tool.effect == "once" and failure.code == ToolError.code
