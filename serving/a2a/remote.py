"""A remote A2A agent in a crew: what its tasks are asked is sent to it, and its answer is theirs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, JsonValue

from ...agents.architectures.architecture import Concluded, Seen
from ...runtime.budget import Cost
from ...runtime.errors import Rejected, ToolError
from ...runtime.events import Answer, Decision
from .folding import Ended, Fold
from .rpc import UNSUPPORTED, BrokenOff, Line, RemoteRefused
from .telling import CANCELED, COMPLETED, INPUT_REQUIRED

if TYPE_CHECKING:
    from ...agents.agent import Agent
    from ...agents.desk import Desk
    from ...runtime.context import RunContext

_ROUNDS = 20
_LOST = 5
"""So often a stream may be lost without bringing anything before that is an error."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_CANCEL_SECONDS = 5.0


def remote_agent(url: str, *, name: str = "", key: str | None = None, silence: float = 300.0) -> RemoteAgent:
    """An `Architecture` that has an agent's tasks done by the A2A agent at `url` (its base URL, or that of its card).

    `key` is sent as a bearer token, to that host only. After `silence` seconds without a word the connection is taken for
    lost and the task asked for anew. ::

        Agent("researcher", "Find sources.", architecture=remote_agent("http://127.0.0.1:8010"))
    """
    return RemoteAgent(url, name or urlsplit(url).netloc or url, key, silence)


@dataclass(frozen=True)
class RemoteAgent:
    """See `remote_agent`.

    Sending is an `idempotent` step, whose key is the message's id; the remote task's id is its result, so that a run that
    was broken off goes on with that task and sends nothing twice. What the remote agent asks, a person is asked here. A
    run that is cancelled cancels the remote task; resumed, it sends its request anew.
    """

    url: str
    name: str
    key: str | None = field(default=None, repr=False)
    silence: float = 300.0

    def most_calls(self, agent: Agent) -> int | None:
        """Nobody can tell: the models are the remote agent's."""
        return None

    async def conclude(self, desk: Desk) -> Concluded:
        """What the remote agent answers.

        Raises:
            ToolError: it cannot be reached, refuses, or fails at the task.
            Rejected: a person did not want to say what it asked.
        """
        line = Line(self.url, key=self.key, silence=self.silence)
        talk = _Talk(self, line, desk.ctx)
        try:
            return await talk.to_the_end(desk.asked)
        except asyncio.CancelledError:
            await asyncio.shield(talk.give_up())
            raise
        finally:
            await talk.aclose()
            await line.aclose()


class _Begun(BaseModel):
    """What came of sending: the remote task, or its answer where it makes no task of it."""

    task: str = ""
    context: str = ""
    answer: str | None = None


class _Talk:
    """One task's conversation with the remote agent."""

    def __init__(self, agent: RemoteAgent, line: Line, ctx: RunContext) -> None:
        self._agent, self._line, self._ctx = agent, line, ctx
        self._fold = Fold()
        self._updates: AsyncIterator[dict[str, Any]] | None = None
        self._open = ""
        self._answered = ""

    async def to_the_end(self, asked: str) -> Concluded:
        """Send, follow, answer what is asked, until there is a result."""
        request: dict[str, JsonValue] = {"text": asked}
        parts = [request]
        task = context = ""
        for turn in range(_ROUNDS):
            begun = await self._send(parts, task, context, turn)
            if begun.answer is not None:
                return Concluded(begun.answer)
            task, context = begun.task, begun.context
            self._open = task
            ended = await self._follow(task, turn)
            if ended.state != INPUT_REQUIRED:
                self._open = ""
            if ended.state == COMPLETED:
                seen = tuple(Seen(self._agent.name, {"task": task}, line) for line in ended.evidence)
                return Concluded(ended.text, seen, ended.value)
            if ended.state == INPUT_REQUIRED:
                parts = [await self._ask(ended, task)]
                self._answered = ended.mark
            elif ended.state == CANCELED and await self._cancelled_here(task):
                parts, task = [request], ""
            else:
                raise self._failed(ended, task)
        raise ToolError(f"The remote agent {self._agent.name} asked {_ROUNDS} times: it comes to no end.")

    async def give_up(self) -> None:
        """Cancel the remote task, if there is one under way."""
        if self._open:
            await self._cancel(self._open)

    async def aclose(self) -> None:
        """Leave the stream."""
        if self._updates is not None:
            await cast(Any, self._updates).aclose()
            self._updates = None

    async def _send(self, parts: list[dict[str, JsonValue]], task: str, context: str, turn: int) -> _Begun:
        inputs = {"agent": self._agent.url, "parts": parts, "task": task, "turn": turn}
        step = "a2a:send"

        async def send() -> _Begun:
            message: dict[str, Any] = {
                "messageId": self._ctx.idempotency_key(step, inputs),
                "role": "ROLE_USER",
                "parts": parts,
                **({"taskId": task} if task else {}),
                **({"contextId": context} if context else {}),
            }
            beginning = asyncio.ensure_future(self._begin(message))
            try:
                await asyncio.shield(beginning)
            except (
                asyncio.CancelledError
            ):  # it is on its way: which task is to be cancelled comes with the answer
                await asyncio.wait({beginning}, timeout=_CANCEL_SECONDS)
                beginning.cancel()
                await asyncio.gather(beginning, return_exceptions=True)
                raise
            return _Begun(task=self._fold.task_id, context=self._fold.context_id, answer=self._fold.direct)

        return await self._ctx.step(
            step,
            send,
            inputs=inputs,
            returns=_Begun,
            effect="idempotent",
            cost=lambda _: Cost(tool_calls=1),
            reserve=Cost(tool_calls=1),
        )

    async def _begin(self, message: dict[str, Any]) -> None:
        """Send a message, up to where its task is known."""
        await self.aclose()
        self._fold = fold = Fold(self._answered)
        await self._line.open()
        if self._line.streams:
            self._updates = self._line.stream("SendStreamingMessage", {"message": message})
            while not (fold.task_id or fold.at_rest):
                update = await anext(self._updates, None)
                if update is None:
                    raise BrokenOff(f"The agent at {self._agent.url} ended its answer before it began.")
                self._take(update)
        else:
            at_once = {"returnImmediately": True}
            self._take(await self._line.call("SendMessage", {"message": message, "configuration": at_once}))
        self._open = fold.task_id

    async def _follow(self, task: str, turn: int) -> Ended:
        inputs = {"agent": self._agent.url, "task": task, "turn": turn}

        async def follow() -> Ended:
            if self._fold.task_id != task:
                self._fold = Fold(self._answered)
            await self._to_rest(task)
            return self._fold.ended()

        return await self._ctx.step("a2a:follow", follow, inputs=inputs, returns=Ended)

    async def _to_rest(self, task: str) -> None:
        """Follow the task by the stream that is open, by a new one, or, where there are none, by looking at it."""
        lost, pause = 0, _FIRST_PAUSE
        while not self._fold.at_rest:
            try:
                if self._updates is None:
                    self._show(self._fold.take_task(await self._line.call("GetTask", {"id": task})))
                    if self._fold.at_rest:
                        return
                    if not self._line.streams:  # the protocol has no other way with such an agent
                        await asyncio.sleep(pause)
                        pause = min(pause * 1.5, _LONGEST_PAUSE)
                        continue
                    self._updates = self._line.stream("SubscribeToTask", {"id": task})
                async with aclosing(cast(Any, self._updates)) as updates:
                    async for update in updates:
                        self._take(update)
                        lost = 0
                        if self._fold.at_rest:
                            return
            except BrokenOff:
                if lost >= _LOST:
                    raise
            except RemoteRefused as refused:  # it may have come to rest just before
                if refused.rpc != UNSUPPORTED or lost >= _LOST:
                    raise
            finally:
                self._updates = None
            lost += 1
            if lost > _LOST:
                raise BrokenOff(
                    f"The agent at {self._agent.url} ends its streams before task {task} is over."
                )
            await asyncio.sleep(_FIRST_PAUSE * lost)

    def _take(self, update: dict[str, Any]) -> None:
        self._show(self._fold.take(update))

    def _show(self, text: str) -> None:
        if text:
            self._ctx.text(text)

    async def _ask(self, ended: Ended, task: str) -> dict[str, JsonValue]:
        """What a person here says to what the remote agent asks, as a part of a message."""
        ours = ended.questions[0] if ended.questions else None
        known = get_args(Decision)
        offered = [c for c in cast(list[Any], ours.get("choices") or []) if c in known] if ours else []
        choices = cast(tuple[Decision, ...], tuple(offered) or ("answer", "reject"))
        about = {"agent": self._agent.name, "task": task, **({"about": ours.get("about")} if ours else {})}
        question = str(ours.get("question")) if ours else ended.said or "It needs to know more."
        answer = await self._ctx.ask(question, about=about, choices=choices, name="a2a:ask")
        if ours:
            return {"data": {"question": ours.get("key"), **_decision(answer)}}
        if answer.decision == "reject":
            await self._cancel(task)
            self._open = ""
            raise Rejected(f"Nobody wanted to say what the remote agent {self._agent.name} asked: {question}")
        said = answer.value if answer.value is not None else answer.note
        return {"text": said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)}

    async def _cancel(self, task: str) -> bool:
        async def cancel() -> bool:
            try:
                async with asyncio.timeout(_CANCEL_SECONDS):
                    await self._line.call("CancelTask", {"id": task})
            except (ToolError, TimeoutError):
                await self._ctx.note(f"Task {task} of {self._agent.name} could not be cancelled.")
            return True

        return await self._cancel_step(task, cancel)

    async def _cancelled_here(self, task: str) -> bool:
        """Whether this run cancelled the remote task, in an earlier sitting."""

        async def it_did_not() -> bool:
            return False

        return await self._cancel_step(task, it_did_not)

    async def _cancel_step(self, task: str, fn: Any) -> bool:
        inputs = {"agent": self._agent.url, "task": task}
        result: bool = await self._ctx.step(
            "a2a:cancel", fn, inputs=inputs, returns=bool, effect="idempotent"
        )
        return result

    def _failed(self, ended: Ended, task: str) -> ToolError:
        how = ended.state.removeprefix("TASK_STATE_").lower().replace("_", " ") or "in no known state"
        why = f": {ended.said or ended.text}" if ended.said or ended.text else ""
        return ToolError(f"Task {task} of the remote agent {self._agent.name} is {how}{why}")


def _decision(answer: Answer) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {"decision": answer.decision, "note": answer.note}
    return told if answer.value is None else {**told, "value": answer.value}
