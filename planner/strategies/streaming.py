"""Streaming: tasks are given out while the model is still writing the rest of the plan.

After Kim et al., "An LLM Compiler for Parallel Function Calling" (2023). A task is given the moment its JSON is whole and the
checker passes it, so it may run long before the plan is finished. What was given stands: where a later task is refused, or a
sitting was broken off and the model now writes otherwise, the rest is asked for again behind the tasks that were given.

The lengths of texts are not bounded here, for in a stream bounds stay on the wire, and a token took 40 ms with them and
6 without (vLLM with xgrammar, see docs/benchmarks.md); `max_tokens` bounds the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from ...agents.calls import ask_model
from ...agents.model import ModelClient, ModelRequest
from ...runtime.context import RunContext
from ...runtime.errors import InvalidPlan, ModelError
from ...runtime.graph import Task
from ..asked import Asked
from ..plan import ANSWER, Finding, Plan, listed
from .model import REPAIRS, ModelStrategy
from .strategy import Seen
from .written.elements import Elements
from .written.items import Unreadable, items_of
from .written.sheet import Sheet


@dataclass(frozen=True)
class StreamingStrategy:
    """Plans by one model as `ModelStrategy` does, giving each task as soon as it is written."""

    client: ModelClient
    repairs: int = REPAIRS
    most: int | None = None

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """The plan as a whole, for whoever wants to see it before anything is done. Raises as `ModelStrategy.plan` does."""
        return await ModelStrategy(self.client, self.repairs, self.most).plan(asked, ctx)

    async def stream(self, asked: Asked, ctx: RunContext, seen: Seen) -> AsyncGenerator[Task, None]:
        """Each task as soon as it is whole and passes the checker; the last one answers.

        `asked.so_far` with a reason is an earlier plan to be changed, whose finished tasks are given first; without one, it
        holds the tasks that an earlier sitting of this stream gave.

        Raises:
            InvalidPlan: after the repairs the checker still refuses a task; those given so far stand.
            EngineError: the engine does not answer, or broke off.
        """
        sheet = Sheet(asked, self.most, bounded=False)
        for task in sheet.kept:
            yield task
        given: list[Task] = []
        if not sheet.blank:
            async with aclosing(self._written(sheet, ctx)) as tasks:
                async for task in tasks:
                    given.append(task)
                    yield task
        yield sheet.whole(given)[-1]

    async def _written(self, sheet: Sheet, ctx: RunContext) -> AsyncGenerator[Task, None]:
        """The tasks of the plan, from as many replies as it takes."""
        messages = sheet.messages()
        given: list[Task] = []
        repairs = 0
        while True:
            reply = _Reply(sheet, tuple(given), given_before(sheet.asked, given))
            async with aclosing(self._call(reply, ctx, sheet.request(messages, given))) as tasks:
                async for task in tasks:
                    given.append(task)
                    yield task
            if not reply.findings and not reply.strayed:
                return
            if not reply.strayed:
                if repairs == self.repairs:
                    raise InvalidPlan(
                        f"The model's plan stayed wrong after {repairs} repairs: {listed(reply.findings)}"
                    )
                repairs += 1
            messages += sheet.repair(reply.text, [_STRAYED] if reply.strayed else reply.findings, given)

    async def _call(
        self, reply: _Reply, ctx: RunContext, request: ModelRequest
    ) -> AsyncGenerator[Task, None]:
        """The tasks of one reply, as they are written."""
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        asking = asyncio.create_task(ask_model(ctx, self.client, request, say=pieces.put_nowait))
        asking.add_done_callback(lambda _: pieces.put_nowait(None))
        elements = Elements()
        try:
            while (piece := await pieces.get()) is not None:
                for item in elements.feed(piece):
                    if (task := reply.take(item)) is not None:
                        yield task
            try:
                reply.whole((await asking).text)
            except ModelError as error:
                reply.broke_off(error)
        finally:
            await _ended(asking)
        for task in await reply.settled(ctx):
            yield task


_STRAYED = Finding(
    task="-", problem="other tasks were begun already", mend="go on behind those that are under way"
)


def given_before(asked: Asked, given: Sequence[Task]) -> tuple[Task, ...]:
    """What an earlier sitting of this stream gave behind the tasks that have been `given` in this one."""
    if asked.so_far is None or asked.so_far.reason:
        return ()
    before = tuple(task for task in asked.so_far.tasks if task.id != ANSWER)
    return before[len(given) :] if before[: len(given)] == tuple(given) else ()


@dataclass
class _Reply:
    """What is given out of one reply, behind the tasks that were given (`behind`).

    `earlier` are the tasks that a sitting which was broken off gave out of it: they stand, and a reply that now says
    otherwise has strayed. What was given is journalled when the reply is whole, so that a replay gives the same.
    """

    sheet: Sheet
    behind: tuple[Task, ...]
    earlier: tuple[Task, ...]
    text: str = ""
    findings: list[Finding] = field(default_factory=list)
    strayed: bool = False
    live: list[Task] = field(default_factory=list)
    _stopped: bool = False

    def take(self, item: Any) -> Task | None:
        """The next task as it is written, where it may be given at once."""
        if self._stopped:
            return None
        task, findings = self._read(item, self.live)
        place = len(self.live)
        other = place < len(self.earlier) and task != self.earlier[place]
        if task is None or findings or other:
            self._stopped = True
            return None
        self.live.append(task)
        return task

    def whole(self, text: str) -> None:
        """The reply is there."""
        self.text = text

    def broke_off(self, error: ModelError) -> None:
        """The reply cannot be used beyond what was given of it."""
        self.findings = [Finding(task="-", problem=f"it broke off ({error})", mend="write the rest of it")]

    async def settled(self, ctx: RunContext) -> list[Task]:
        """The tasks that are still to be given, now that the reply is there. Says what is wrong with the others.

        Raises:
            InvalidPlan: there is no reply, and nothing was given that could be gone on from.
        """
        read = self._all() if self.text else []

        async def given() -> list[Task]:
            stand = self.live if len(self.live) >= len(self.earlier) else list(self.earlier)
            return read if read[: len(stand)] == stand else stand

        inputs = {"behind": len(self.behind), "reply": self.text}
        kept = await ctx.step("given", given, inputs=inputs, returns=list[Task])
        if not self.text and not kept and not self.behind:
            raise InvalidPlan(f"The model's plan was not usable: {self.findings[0].problem}.")
        both = min(len(kept), len(read))
        self.strayed = kept[:both] != read[:both]
        return kept[len(self.live) :]

    def _all(self) -> list[Task]:
        """The tasks of the whole reply, up to the first that cannot be given."""
        read: list[Task] = []
        try:
            items = items_of(self.text)
        except Unreadable as error:
            self.findings = [error.finding]
            return read
        for item in items:
            task, self.findings = self._read(item, read)
            if task is None or self.findings:
                break
            read.append(task)
        return read

    def _read(self, item: Any, before: Sequence[Task]) -> tuple[Task | None, list[Finding]]:
        given = (*self.behind, *before)
        try:
            task = self.sheet.task(item, given)
        except Unreadable as error:
            return None, [error.finding]
        return task, self.sheet.next_findings(task, given)


async def _ended(asking: asyncio.Task[Any]) -> None:
    """Waits for a call to end, ending it where nobody wants its reply any more."""
    asking.cancel()
    await asyncio.wait([asking])
    if not asking.cancelled():
        asking.exception()  # looked at: whoever wanted it was told
