"""Stepwise: the model plans a few tasks, looks at what came of them, and plans the next ones, until it knows enough.

Plan and execute, after Wang et al., "Plan-and-Solve Prompting" (2023), and Yao et al.'s ReAct (2022), with whole waves of tasks
side by side where those have single actions. For requests of which nobody can know beforehand what the later tasks are.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from ...agents.calls import ask_model
from ...agents.model import Message, ModelClient
from ...runtime.context import RunContext
from ...runtime.errors import InvalidPlan, ModelError
from ...runtime.graph import Task
from ...runtime.scheduling.ending import Settled
from ..asked import Asked, call_key
from ..plan import Finding, Plan, listed
from .model import REPAIRS
from .strategy import Seen
from .streaming import given_before
from .written.items import answer_task, as_text, item_of
from .written.prompt import call, results
from .written.sheet import Sheet

MOST_WAVES = 5
"""So often tasks are planned at most, the first time among it."""

_A_WAVE = 5
_FIRST = "Plan only what can be done now; what depends on what comes out of it is planned when the results are there."
_NEXT = 'Write the tasks that are still needed, or {"tasks":[]} where the request can be answered from these results.'


@dataclass(frozen=True)
class Stepwise:
    """Plans by one model, at most `most` tasks at a time and `waves` times, told `repairs` times what is wrong with them."""

    client: ModelClient
    repairs: int = REPAIRS
    most: int = _A_WAVE
    waves: int = MOST_WAVES

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """The first wave, and the task that answers: what comes behind it depends on the results.

        Raises:
            InvalidPlan: the checker refuses it after the repairs.
            EngineError: the engine does not answer.
        """
        sheet = Sheet(asked, self.most)
        tasks = () if sheet.blank else await self._wave(sheet, ctx, self._first(sheet), ())
        note = "The model planned the first step; the next ones depend on its results."
        return Plan(tasks=sheet.whole(tasks), strategy="stepwise", notes=(note,))

    async def stream(self, asked: Asked, ctx: RunContext, seen: Seen) -> AsyncGenerator[Task, None]:
        """The tasks of each wave together, then those of the next; the last one answers from all that has a result.

        Where a later wave stays wrong, the answer is written from what there is.

        Raises:
            InvalidPlan: the checker refuses the first wave after the repairs.
            EngineError: the engine does not answer.
        """
        sheet = Sheet(asked, self.most)
        given: list[Task] = []
        lost: list[str] = []
        for task in sheet.kept:
            yield task
        messages = self._first(sheet)
        for wave in range(0 if sheet.blank else self.waves):
            tasks = await self._given(sheet, ctx, wave, messages, given)
            if not tasks:
                break
            for task in tasks:
                given.append(task)
                yield task
            settled = await seen.settled()
            lost = [task.id for task in given if task.id not in settled.results]
            names = {task.id: task.id for task in (*sheet.kept, *given)}
            items = [item for task in tasks if (item := item_of(task, asked.crew, names)) is not None]
            messages += [
                Message("assistant", as_text(items)),
                Message("user", _came_of(tasks, settled)),
            ]
        yield answer_task(asked.crew, asked.request, (*sheet.kept, *given), without=lost)

    def _first(self, sheet: Sheet) -> list[Message]:
        *before, last = sheet.messages()
        return [*before, Message("user", f"{last.content}\n{_FIRST}")]

    async def _given(
        self, sheet: Sheet, ctx: RunContext, wave: int, messages: Sequence[Message], given: Sequence[Task]
    ) -> list[Task]:
        """The tasks of one wave: those that were given in it before, where a sitting was broken off."""
        try:
            tasks = list(await self._wave(sheet, ctx, messages, given))
        except InvalidPlan as error:
            if not given:
                raise
            await ctx.note(f"{error} The answer rests on what there is.")
            tasks = []
        earlier = list(given_before(sheet.asked, given))

        async def kept() -> list[Task]:
            return tasks if tasks[: len(earlier)] == earlier else earlier

        inputs = {"wave": wave}
        return await ctx.step("given", kept, inputs=inputs, returns=list[Task])

    async def _wave(
        self, sheet: Sheet, ctx: RunContext, messages: Sequence[Message], given: Sequence[Task]
    ) -> tuple[Task, ...]:
        """The next tasks, checked; none where the model wants no more."""
        said = list(messages)
        findings: list[Finding] = []
        for _ in range(self.repairs + 1):
            try:
                reply = await ask_model(ctx, self.client, sheet.request(said, given))
            except ModelError as error:
                raise InvalidPlan(f"The model's plan was not usable: {error}") from None
            tasks, findings = sheet.read(reply.text, given)
            findings = findings or _repeated(tasks, given)
            if not findings:
                return tasks
            said += sheet.repair(reply.text, findings)
        raise InvalidPlan(f"The model's plan stayed wrong after {self.repairs} repairs: {listed(findings)}")


def _repeated(tasks: Sequence[Task], given: Sequence[Task]) -> list[Finding]:
    """Calls that were made before: so loops are noticed."""
    before = {call_key(task): task.id for task in given}
    return [
        Finding(
            task=task.id,
            problem=f"{before[key]} was the same call",
            mend=f"use what came of {before[key]}, or do something else",
        )
        for task in tasks
        if (key := call_key(task)) in before
    ]


def _came_of(tasks: Sequence[Task], settled: Settled) -> str:
    """What came of the tasks of a wave, in words."""
    lines = ["Results:", *results(tasks, settled.results)]
    for task in tasks:
        if task.id in settled.failures:
            lines.append(f"- {task.id} = {call(task)} failed: {settled.failures[task.id]}")
        elif task.id not in settled.results:
            lines.append(f"- {task.id} = {call(task)} was not begun.")
    return "\n".join((*lines, _NEXT))
