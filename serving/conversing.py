"""Conversing: what a run hears of its conversation, and the summaries that are made on the way."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import JsonValue

from ..agents.crew import Crew
from ..agents.model import Message, ModelClient, ModelRequest
from ..agents.threads.counting import PER_MESSAGE, estimate
from ..planner.ways import Mode
from ..runtime.errors import EngineError
from ..runtime.store import Store
from ..runtime.store.threads.references import filled

if TYPE_CHECKING:
    from ..agents.threads.talk import Talk

UNTOLD = 8192
"""Tokens that a model is thought to read where its engine does not tell."""
SHORT = 1200
"""Bytes of history that every model has room for: no engine is asked, or started, because of them."""

_KEPT = 64
_KEPT_MESSAGES = 50_000
_MARGIN = 0.03
_NOTES = 850
_PLAN = 1180  # of a plan with twelve tasks, the longest that a trusted model is asked for
_TRIES = 3

Summarise = Callable[[str, str, "Talk", int, int, int], Awaitable[tuple[str, str] | None]]
"""Has a model summarise: thread, tenant, its talk, the message to go up to, its window, how long. None: it does not."""


class Heard(NamedTuple):
    """What a run is begun with: the history as its options keep it, and the messages that this stands for."""

    entries: list[dict[str, Any]]
    said: list[dict[str, Any]]

    @property
    def messages(self) -> list[Message]:
        """What models are told."""
        return [Message(role_of(one["role"]), one["content"]) for one in self.said]


class Conversations:
    """The conversations of a house: those that are going on are read once, and then only what is new in them."""

    def __init__(self, store: Store, client: ModelClient, summarise: Summarise) -> None:
        self._store = store
        self._client = client
        self._summarise = summarise
        self._talks: OrderedDict[str, Talk] = OrderedDict()
        self._windows: dict[str | None, int | None] = {}

    def turn(self, thread_id: str | None) -> AbstractAsyncContextManager[None]:
        """Alone in a conversation, if there is one."""
        return nullcontext() if thread_id is None else self._store.turn(thread_id)

    async def heard(self, thread_id: str, request: str, crew: Crew, mode: Mode, tenant: str) -> Heard:
        """What a run of this request hears of its conversation: all of it, or what its models have room for.

        Raises:
            NotFound: there is no such conversation.
        """
        talk = await self._talk(thread_id)
        if talk.bytes <= SHORT:
            return _all(talk)
        from ..agents.threads.compaction import Room, compact, fits, summarised_until

        window = await self._window(crew)
        asks = _asks(crew, request, window)
        room = Room(
            int(window * (1 - _MARGIN)) - max(ask.tokens for ask in asks) - _beside(crew, mode, window)
        )
        if fits(talk, room) and 2 * talk.size <= room.tokens:
            return _all(talk)
        for _ in range(_TRIES):
            if not fits(talk, room):
                talk.summary = await self._store.summary(thread_id)
                if upto := summarised_until(talk, room):
                    await self._summarised(thread_id, tenant, talk, upto, room.summary, window)
            heard = _of(talk, compact(talk, request, room))
            over = await self._over(heard.messages, asks, window)
            if over <= 0:
                return heard
            room = Room(max(0, min(room.tokens, talk.size) - int(over * 1.2) - PER_MESSAGE))
        return Heard([], [])  # the request alone is as much as the model reads

    async def _talk(self, thread_id: str) -> Talk:
        """The conversation with all its messages."""
        from ..agents.threads.talk import Talk

        talk = self._talks.pop(thread_id, None) or Talk()
        found = await self._store.messages(thread_id, since=talk.last)
        if talk.messages and (not found or found[0] != talk.messages[-1]):
            talk = Talk()  # it is another one than it was
            found = await self._store.messages(thread_id)
        talk.add([message for message in found if message.number > talk.last])
        self._talks[thread_id] = talk
        while len(self._talks) > 1 and (
            len(self._talks) > _KEPT or sum(map(len, self._talks.values())) > _KEPT_MESSAGES
        ):
            self._talks.popitem(last=False)
        return talk

    async def _window(self, crew: Crew) -> int:
        """How many tokens the smallest of the crew's models reads and writes together."""
        found: list[int] = []
        for model in dict.fromkeys([agent.model for agent in crew.agents]):
            if model not in self._windows:
                try:
                    self._windows[model] = await self._client.context_tokens(model)
                except EngineError:
                    continue  # the call that needs it will say what is wrong
            found.append(self._windows[model] or UNTOLD)
        return min(found, default=UNTOLD)

    async def _over(self, messages: Sequence[Message], asks: Sequence[_Ask], window: int) -> int:
        """By how many tokens the longest prompt is too long, where the engine can count them; else 0."""
        over = 0
        for ask in asks:
            request = ModelRequest((ask.system, *messages, ask.said), model=ask.model)
            try:
                over = max(over, await self._client.count_tokens(request) + ask.reply - window)
            except EngineError:
                continue
        return over

    async def _summarised(
        self, thread_id: str, tenant: str, talk: Talk, upto: int, room: int, window: int
    ) -> None:
        """Keep a summary up to this message: a model's where one is trusted, else the conversation's own sentences."""
        from ..agents.threads.digest import digest

        before = talk.summary
        state: JsonValue = before.state if before is not None else None
        made = digest(talk, upto, room, before.upto if before is not None else 0, state)
        text, run_id = made.text(talk.language()), None
        own = room - sum(one.tokens for one in made.facts)
        by_model = await self._summarise(thread_id, tenant, talk, upto, window, own)
        if by_model is not None:
            text, run_id = made.text(talk.language(), by_model[0]), by_model[1]
        talk.summary = await self._store.add_summary(thread_id, upto, text, made.state, run_id)


class _Ask(NamedTuple):
    """What stands around the history where an agent writes."""

    system: Message
    said: Message
    model: str | None
    reply: int

    @property
    def tokens(self) -> int:
        return estimate(self.system.content) + estimate(self.said.content) + 3 * PER_MESSAGE + self.reply


def _asks(crew: Crew, request: str, window: int) -> list[_Ask]:
    """The call of each of the crew's agents: the longest of each model."""
    longest: dict[str | None, _Ask] = {}
    for agent in crew.agents:
        tools = (
            "\n".join(f"{name} {tool.description}" for name, tool in crew.tools_of(agent).items())
            if agent.architecture is not None
            else ""
        )
        ask = _Ask(agent.system(tools), Message("user", request), agent.model, agent.max_tokens)
        if agent.model not in longest or longest[agent.model].tokens < ask.tokens:
            longest[agent.model] = ask
    return list(longest.values())


def _beside(crew: Crew, mode: Mode, window: int) -> int:
    """What more is to be left free: for notes, and for planning where the window is large enough for both."""
    notes = min(_NOTES, window // 4) if any(agent.architecture for agent in crew.agents) else 0
    if mode == "rules":
        return notes
    from ..planner.strategies.written.prompt import system

    plan = estimate(system(crew, list(crew.toolset.values())).content) + _PLAN
    return max(notes, plan if plan <= window // 2 else 0)


def _all(talk: Talk) -> Heard:
    if not talk.messages:
        return Heard([], [])
    entries = [{"messages": [talk.messages[0].number, talk.last]}]
    return Heard(entries, [{"role": one.role, "content": one.content} for one in talk.messages])


def _of(talk: Talk, entries: list[dict[str, Any]]) -> Heard:
    """The messages that these entries are, by the very way in which a store finds them again."""
    summaries = {talk.summary.number: talk.summary} if talk.summary is not None else {}
    messages = {one.number: one for one in talk.messages}
    history: Any = filled({"history": list[JsonValue](entries)}, messages, summaries)["history"]
    return Heard(entries, history)


def role_of(role: str) -> Any:
    """A kept message's role, as models know it."""
    return role if role in ("system", "user", "assistant") else "user"
