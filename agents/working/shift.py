"""Shift: an agent at its desk until there is a result: concluded, handed on, given its type, held against guardrails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from ...runtime.errors import ToolError
from ...runtime.graph import TaskResult
from ...tools.tool import Tool
from ...tools.values import Stated
from ..architectures import architecture_of
from ..architectures.architecture import Architecture, Concluded, Seen
from ..guarding.guardrail import Guardrail, named, verdict_of
from ..guarding.refused import OutputRefused, Refusal
from ..writing import Brief, fill
from .delegation import HandedOff
from .desk_tool import DeskTool
from .saying import said, shown

if TYPE_CHECKING:
    from ..desk import Desk

Way = Callable[["Desk"], Awaitable[TaskResult]]
"""How an agent without an architecture comes to a result, where there is such a way."""


@dataclass(frozen=True)
class Shift:
    """One piece of work at one desk. `guardrails` are those of the task, beside the agent's own.

    `way` is how the agent works that has no architecture; `architecture` one to use in place of the agent's own. `asked`
    says that a colleague waits for it.
    """

    desk: Desk
    guardrails: Sequence[Guardrail] = ()
    way: Way | None = None
    architecture: Architecture | None = None
    asked: bool = False
    _evidence: dict[str, None] = field(default_factory=dict, init=False)
    _seen: list[Seen] = field(default_factory=list, init=False)

    async def work(self) -> TaskResult:
        """The result that all guardrails let pass, with the evidence of every attempt at it.

        Raises:
            OutputRefused: the agent has had its corrections, and a guardrail still refuses what it gives.
            EngineError, ModelError, ToolError: what it needed could not be had.
        """
        desk, attempts = self.desk, 0
        memo = desk.memo
        began, place = memo.mark(), len(memo.evidence)
        memo.evidence.append(())
        while True:
            attempts += 1
            desk, result = await self._result(desk)
            refusal, rail, result = await held(result, (*desk.agent.guardrails, *self.guardrails), desk)
            if refusal is None:
                return self._whole(result, place)
            if attempts > desk.agent.corrections:
                raise OutputRefused.of(desk.agent.role, rail, refusal, attempts)
            await desk.ctx.note(
                f"{desk.agent.role}: {rail!r} refused the result ({refusal.why}); it is asked again."
            )
            memo.again(began)
            desk = replace(desk, brief=replace(desk.brief, refusal=refusal))

    async def concluded(self) -> Concluded:
        """The same, for a colleague who waits for it: as an architecture gives it, with what was seen on the way.

        Raises:
            ToolError: a guardrail refuses it; the colleague can go on without.
            EngineError, ModelError: what it needed could not be had.
        """
        try:
            result = await self.work()
        except OutputRefused as error:
            raise ToolError(str(error)) from error
        value = None if result.value == result.text else result.value
        return Concluded(result.text, tuple(self._seen), value)

    def _whole(self, result: TaskResult, place: int) -> TaskResult:
        """The result with its evidence; where a colleague waits for it, that stands in the colleague's result."""
        evidence = self.desk.memo.evidence
        evidence[place] = tuple(self._evidence)
        if self.asked:
            return result
        lines = dict.fromkeys(line for lines in evidence for line in lines)
        return result.model_copy(update={"evidence": tuple(lines)})

    async def _result(self, desk: Desk) -> tuple[Desk, TaskResult]:
        """What comes of it, and at whose desk: where it is handed on, at the last one's."""
        while True:
            own = desk.agent is self.desk.agent
            if own and self.way is not None:
                result = await self.way(desk)
                self._evidence.update(dict.fromkeys(result.evidence))
                return desk, result
            by = self.architecture if own else None
            try:
                found = await (by or architecture_of(desk.agent, desk)).conclude(desk)
            except HandedOff as signal:
                why = f": {signal.why}" if signal.why else "."
                await desk.ctx.note(f"{desk.agent.role} hands the task to {signal.colleague}{why}")
                desk = desk.handed_to(signal.colleague, signal.why)
                continue
            self._seen.extend(found.seen)
            self._evidence.update(dict.fromkeys(lines_of(found.seen, desk)))
            return desk, await shaped(found, desk)


async def held(
    result: TaskResult, guardrails: Sequence[Guardrail], desk: Desk
) -> tuple[Refusal | None, str, TaskResult]:
    """The result as the guardrails leave it, one after the other; or what the first one that refuses it says."""
    for guardrail in guardrails:
        verdict = await verdict_of(guardrail, result, desk)
        if not verdict.ok:
            return Refusal(result.text, verdict.why), named(guardrail), result
        result = verdict.better or result
    return None, "", result


async def shaped(found: Concluded, desk: Desk) -> TaskResult:
    """A conclusion as a result: of the agent's `output_type`, where it has one."""
    kind = desk.agent.output_type
    if kind is None:
        return TaskResult(value=found.text if found.value is None else found.value, text=found.text)
    typed = fitting(kind, found)
    if typed is None:
        brief = with_seen(desk.brief, found.seen, desk)
        brief = replace(brief, written=[*brief.written, found.text] if found.text else brief.written)
        typed = await fill(desk.agent, desk.task, brief, desk.client, desk.ctx)
    return TaskResult(value=typed.model_dump(mode="json"), text=typed.model_dump_json(indent=2))


def fitting(kind: type[BaseModel], found: Concluded) -> BaseModel | None:
    """The conclusion itself, where it is of that type already."""
    try:
        if found.value is not None:
            return kind.model_validate(found.value)
        return kind.model_validate_json(found.text)
    except ValidationError:
        return None


def with_seen(brief: Brief, seen: Sequence[Seen], desk: Desk) -> Brief:
    """The brief with what tools gave meanwhile."""
    stated: list[Stated] = []
    plain: list[str] = []
    for one in seen:
        value = _read(one, desk)
        if isinstance(value, Stated):
            stated.append(value)
        else:
            plain.append(value if isinstance(value, str) else str(value))
    return replace(brief, stated=[*brief.stated, *stated], written=[*brief.written, *plain])


def lines_of(seen: Sequence[Seen], desk: Desk) -> list[str]:
    """The lines of evidence behind what tools gave; what colleagues said is no evidence, theirs is kept elsewhere."""
    lines: list[str] = []
    for one in seen:
        tool = _tool(one.tool, desk)
        if tool is None:
            lines.append(f"{one.tool}: {one.value}")
        elif not isinstance(tool, DeskTool):
            lines += shown(tool, one.value, desk.brief.lang)
    return lines


def _read(one: Seen, desk: Desk) -> Any:
    tool = _tool(one.tool, desk)
    if tool is None:
        return str(one.value)
    value = tool.read(one.value)
    return value if isinstance(value, Stated) else said(tool, one.value, desk.brief.lang)


def _tool(name: str, desk: Desk) -> Tool | None:
    """A tool by name: of the agent, or of a colleague who worked for it; None where it is another framework's."""
    return next((known[name] for known in (desk.toolset, desk.crew.toolset) if name in known), None)
