"""The house: where crew, engine, store, planner and scheduler are put together. Nothing else wires them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..agents.aptitude import Aptitude, probe
from ..agents.crew import Crew
from ..agents.model import Message, ModelClient, ModelDelta, ModelReply, ModelRequest
from ..planner.orchestrator import Orchestrator
from ..planner.planner import Mode
from ..runtime.budget import Budget
from ..runtime.context import Listener, RunContext
from ..runtime.errors import EngineError, InvalidRequest
from ..runtime.events import PlanMade, RunFinished
from ..runtime.replay import open_replay
from ..runtime.store import RunRecord, Store, open_store
from .aptitudes import Aptitudes
from .settings import MAX_REQUEST_CHARS, Settings

if TYPE_CHECKING:
    from .engines.progress import Progress


@dataclass(frozen=True)
class Outcome:
    """What came of a run: the answer, what it rests on, and what it cost."""

    run_id: str
    thread_id: str | None
    answer: str
    evidence: tuple[str, ...]
    seconds: float
    tokens: int


class LazyClient:
    """A `ModelClient` that brings the engine up at the first call, once, and closes it with the house."""

    def __init__(
        self, settings: Settings, stack: AsyncExitStack, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self._settings = settings
        self._stack = stack
        self._on_progress = on_progress
        self._client: ModelClient | None = None
        self._lock = asyncio.Lock()

    async def _ready(self) -> ModelClient:
        async with self._lock:
            if self._client is None:
                from .engines import engine_client

                extra: dict[str, Any] = {"on_progress": self._on_progress} if self._on_progress else {}
                self._client = await self._stack.enter_async_context(engine_client(self._settings, **extra))
            return self._client

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One call, on the engine."""
        return await (await self._ready()).complete(request)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """One streamed call, on the engine."""
        client = await self._ready()
        async with aclosing(client.stream(request)) as deltas:
            async for delta in deltas:
                yield delta

    async def models(self) -> list[str]:
        """What the engine serves."""
        return await (await self._ready()).models()

    async def aclose(self) -> None:
        """The house closes the engine's client; nothing to do here."""


class NoEngine(LazyClient):
    """A `ModelClient` for replays: whatever is asked of it was not in the journal."""

    async def _ready(self) -> ModelClient:
        raise EngineError(
            "A replay calls no model, and this one wanted to: the run's code or crew has changed since."
        )


class House:
    """Runs crews: one store, one engine, any number of runs at once. Made by `House.open`."""

    def __init__(self, store: Store, client: ModelClient, settings: Settings) -> None:
        self.store = store
        self.client = client
        self._aptitudes = Aptitudes(settings)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        engine: bool = True,
        client: ModelClient | None = None,
    ) -> AsyncIterator[House]:
        """A house over the settings' database and engine. `client` puts another model in the engine's place.

        Raises:
            StoreError: the database cannot be used.
        """
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(open_store(settings.database))
            door = client or (LazyClient if engine else NoEngine)(settings, stack, on_progress)
            yield cls(store, door, settings)

    async def ask(
        self,
        crew: Crew,
        request: str,
        *,
        thread_id: str | None = None,
        history: Sequence[Message] = (),
        budget: Budget | None = None,
        listeners: Sequence[Listener] = (),
        planner: Mode = "auto",
        crew_path: str = "",
    ) -> Outcome:
        """Carry a request out. In a thread, earlier messages are its history and both new ones are kept.

        Raises:
            InvalidRequest: it is empty or too long.
            NotFound: there is no such thread.
            CrewgraphError: the run ended without an answer.
        """
        text = checked_request(request)
        if thread_id is not None:
            history = [Message(_role(m.role), m.content) for m in await self.store.messages(thread_id)]
        budget = budget or Budget()
        options: dict[str, Any] = {
            "planner": planner,
            "budget": asdict(budget),
            "history": [asdict(m) for m in history],
        }
        journal = await self.store.create_run(
            crew.name, text, crew_path=crew_path, options=options, thread_id=thread_id
        )
        async with journal:
            ctx = RunContext(journal, budget=budget, listeners=listeners)
            finished = await self._orchestrator(crew, planner).carry_out(text, ctx, history=history)
            if thread_id is not None:
                await self.store.add_message(thread_id, "user", text, journal.run_id)
                await self.store.add_message(thread_id, "assistant", finished.answer, journal.run_id)
            return _outcome(journal.run_id, thread_id, finished)

    async def plan(
        self,
        crew: Crew,
        request: str,
        *,
        history: Sequence[Message] = (),
        planner: Mode = "auto",
        crew_path: str = "",
    ) -> PlanMade:
        """The plan for a request, made and checked as a run of its own, and not carried out.

        Raises:
            InvalidRequest: the request is empty or too long.
            InvalidPlan: no valid plan could be made.
        """
        text = checked_request(request)
        journal = await self.store.create_run(
            crew.name, text, crew_path=crew_path, options={"planner": planner, "plan_only": True}
        )
        async with journal:
            ctx = RunContext(journal)
            plan = await self._orchestrator(crew, planner).plan(text, ctx, history)
            made = PlanMade(tasks=plan.tasks, strategy=plan.strategy, notes=plan.notes)
            await ctx.emit(made)
            await ctx.emit(
                RunFinished(
                    answer="(planned only)", seconds=round(ctx.meter.seconds, 3), tokens=ctx.spent.tokens
                )
            )
            return made

    async def resume(
        self, run_id: str, crew: Crew, *, listeners: Sequence[Listener] = (), budget: Budget | None = None
    ) -> Outcome:
        """Go on with a run that was broken off; its finished steps are not run again.

        Raises:
            NotFound: there is no such run.
            StoreError: another process carries it out.
            CrewgraphError: it ended without an answer again.
        """
        record = await self.store.find_run(run_id)
        events = await self.store.events(record.id)
        done = next((e for e in reversed(events) if isinstance(e, RunFinished)), None)
        if done is not None:
            return _outcome(record.id, record.thread_id, done)
        planner, kept, history = _options(record)
        async with await self.store.open_run(record.id) as journal:
            ctx = RunContext(journal, budget=budget or kept, listeners=listeners)
            planned = next((e for e in reversed(events) if isinstance(e, PlanMade)), None)
            orchestrator = self._orchestrator(crew, planner)
            finished = await orchestrator.carry_out(record.request, ctx, history=history, planned=planned)
            if record.thread_id is not None:
                await self.store.add_message(record.thread_id, "user", record.request, record.id)
                await self.store.add_message(record.thread_id, "assistant", finished.answer, record.id)
            return _outcome(record.id, record.thread_id, finished)

    async def replay(self, run_id: str, crew: Crew, *, listeners: Sequence[Listener] = ()) -> Outcome:
        """Run the code again over a run's journal: no model, no tool, nothing written; the identical answer.

        Raises:
            NotFound: there is no such run.
            ReplayDiverged: the code now asks for a step that the journal does not hold.
        """
        ctx = await open_replay(self.store, run_id, listeners=listeners)
        record = ctx.journal.record or await self.store.find_run(run_id)
        planner, _, history = _options(record)
        finished = await self._orchestrator(crew, planner).carry_out(record.request, ctx, history=history)
        return _outcome(record.id, record.thread_id, finished)

    def _orchestrator(self, crew: Crew, planner: Mode) -> Orchestrator:
        return Orchestrator(crew, self.client, self._probe, planner)

    async def _probe(self) -> Aptitude:
        return await self._aptitudes.of(self.client, probe)


def checked_request(request: str) -> str:
    """The request, trimmed.

    Raises:
        InvalidRequest: it is empty or longer than a local model could read.
    """
    text = request.strip()
    if not text:
        raise InvalidRequest("The request is empty: say what you want to know or have done.")
    if len(text) > MAX_REQUEST_CHARS:
        raise InvalidRequest(
            f"The request has {len(text):,} characters, and at most {MAX_REQUEST_CHARS:,} are read: "
            "shorten it, or put the text in a document to search."
        )
    return text


def _options(record: RunRecord) -> tuple[Mode, Budget, list[Message]]:
    """What a run was started with."""
    options: dict[str, Any] = dict(record.options)
    history = [Message(m["role"], m["content"]) for m in options.get("history", ())]
    return options.get("planner", "auto"), Budget(**options.get("budget", {})), history


def _role(role: str) -> Any:
    return role if role in ("system", "user", "assistant") else "user"


def _outcome(run_id: str, thread_id: str | None, finished: RunFinished) -> Outcome:
    return Outcome(run_id, thread_id, finished.answer, finished.evidence, finished.seconds, finished.tokens)
