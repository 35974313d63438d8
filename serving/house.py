"""The house: where crew, engine, store, planner and scheduler are put together. Nothing else wires them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ..agents.aptitude import Aptitude, probe
from ..agents.crew import Crew
from ..agents.model import Message, ModelClient
from ..planner.orchestrator import Hands, Orchestrator
from ..planner.services import NO_SERVICES, Services
from ..planner.ways import Mode
from ..runtime.budget import Budget
from ..runtime.context import Listener, RunContext
from ..runtime.errors import CrewgraphError, NotFound
from ..runtime.events import PlanMade, RunFinished
from ..runtime.journalling.journal import Journal
from ..runtime.reading.replay import open_replay, to_its_end
from ..runtime.stepping.lanes import Lanes
from ..runtime.store import RunRecord, Store, open_store
from .aptitudes import Aptitudes
from .archive import Archive
from .conversing import Conversations
from .endpoints.file import models_of, redactor_of
from .entering import checked_request, options_of
from .lazy_client import LazyClient, NoEngine, OtherModel
from .outcome import Outcome as Outcome
from .planning import services_for
from .settings import Settings
from .starting import Starts
from .tenants import TenantBudget, Tenants, read_tenants

if TYPE_CHECKING:
    from ..runtime.past.bisect import Culprit
    from .engines.progress import Progress


class House(Archive):
    """Runs crews: one store, one engine, any number of runs at once. Made by `House.open`."""

    def __init__(
        self,
        store: Store,
        client: ModelClient,
        settings: Settings,
        *,
        lanes: Lanes | None = None,
        tenants: Mapping[str, TenantBudget] | None = None,
        services: Services = NO_SERVICES,
    ) -> None:
        super().__init__(store)
        self.client = client
        self._aptitudes = Aptitudes(settings)
        self._lanes = lanes or Lanes()
        self._tenants = Tenants(store, tenants or {})
        self._services = services
        self._starts = Starts()
        self._redactor = redactor_of(settings)
        self._conversations = Conversations(store, client, self._summarise)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        engine: bool = True,
        client: ModelClient | None = None,
        limits: Mapping[str, int] | None = None,
        tenants: Mapping[str, TenantBudget] | None = None,
    ) -> AsyncIterator[House]:
        """A house over the settings' database and engine. `client` puts another model in the engine's place.

        `limits` say how many steps of one kind go on at once over all runs (``{"tool:search": 4,
        "engine:default": 8}``), `tenants` what each tenant may use (default: those of the settings' file).

        Raises:
            StoreError: the database cannot be used.
            InvalidInput: the tenants' or the models file cannot be read.
        """
        budgets = read_tenants(settings.tenants_file) if tenants is None else tenants
        if client is None and engine:
            models_of(settings)  # what is wrong with it is said before a run is made
        keys = settings.database_keys or None
        async with AsyncExitStack() as stack:
            opening = open_store(settings.database, synchronous=settings.durability, key=keys)
            store = await stack.enter_async_context(opening)
            door = client or (LazyClient if engine else NoEngine)(settings, stack, on_progress)
            planning = services_for(settings, store, redactor_of(settings))
            services = await stack.enter_async_context(planning)
            yield cls(store, door, settings, lanes=Lanes(limits), tenants=budgets, services=services)

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
        tenant: str = "",
        hands: Hands | None = None,
    ) -> Outcome:
        """Carry a request out. In a thread, earlier messages are its history and both new ones are kept.

        Of several that ask in one thread at once, in this process or in others, each waits for the answer before it.
        `hands` carry its tasks in place of this process (see `serving.cluster`).

        Raises:
            InvalidRequest: it is empty or too long.
            NotFound: there is no such thread.
            RunWaiting, StepInDoubt: a person has to say something first (`questions`, `answer`, `resume`).
            CrewgraphError: the run ended without an answer.
        """
        budget, text = budget or Budget(), checked_request(request)
        async with self._conversations.turn(thread_id):
            journal, heard = await self._entered(
                crew,
                text,
                thread_id=thread_id,
                history=history,
                budget=budget,
                planner=planner,
                crew_path=crew_path,
                tenant=tenant,
                claim=True,
            )
            start = self._starts.start(listeners)
            async with journal, start, self._context(journal, budget, start.listeners, tenant) as ctx:
                orchestrator = replace(self._orchestrator(self.crew_for(crew, tenant), planner), hands=hands)
                finished = await orchestrator.carry_out(text, ctx, history=heard)
                await self._keep_messages(thread_id, text, finished, journal.run_id, new=True)
                return Outcome.of(journal.run_id, thread_id, finished)

    async def enter(
        self,
        crew: Crew,
        request: str,
        *,
        thread_id: str | None = None,
        history: Sequence[Message] = (),
        budget: Budget | None = None,
        planner: Mode = "auto",
        crew_path: str = "",
        tenant: str = "",
        claim: bool = False,
        run_id: str | None = None,
    ) -> Journal:
        """A request written down as a run, for somebody else to carry out where this process does not `claim` it.

        Raises:
            InvalidRequest: it is empty or too long.
            NotFound: there is no such thread.
            StoreError: there is a run with this `run_id` already.
        """
        journal, _ = await self._entered(
            crew,
            checked_request(request),
            thread_id=thread_id,
            history=history,
            budget=budget or Budget(),
            planner=planner,
            crew_path=crew_path,
            tenant=tenant,
            claim=claim,
            run_id=run_id,
        )
        return journal

    async def _entered(
        self,
        crew: Crew,
        text: str,
        *,
        thread_id: str | None,
        history: Sequence[Message],
        budget: Budget,
        planner: Mode,
        tenant: str,
        **given: Any,
    ) -> tuple[Journal, Sequence[Message]]:
        """A run that is written down, and what it hears of what was said before."""
        entries: list[dict[str, Any]] = [{"role": m.role, "content": m.content} for m in history]
        more: dict[str, Any] = {"thread_id": thread_id, "tenant": tenant, **given}
        if thread_id is not None:
            heard = await self._conversations.heard(thread_id, text, crew, planner, tenant)
            entries, history, more["heard"] = heard.entries, heard.messages, heard.said
        options: dict[str, Any] = {"planner": planner, "budget": asdict(budget), "history": entries}
        journal = await self.store.create_run(crew.name, self._redactor.text(text), options=options, **more)
        return journal, history

    def turn(self, thread_id: str | None) -> AbstractAsyncContextManager[None]:
        """Alone in a conversation, for those who `enter` a request and see to its end themselves."""
        return self._conversations.turn(thread_id)

    def task_context(self, journal: Journal, budget: Budget) -> RunContext:
        """The context of one task that is carried here for a run elsewhere: with this house's limits and secrets."""
        return RunContext(journal, budget=budget, lanes=self._lanes, redactor=self._redactor)

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
        options: dict[str, Any] = {"planner": planner, "plan_only": True}
        journal = await self.store.create_run(crew.name, text, crew_path=crew_path, options=options)
        async with journal, self._context(journal, Budget(), (), "") as ctx:
            made = await self._orchestrator(crew, planner).plan(text, ctx, history)
            await ctx.emit(made)
            seconds = round(ctx.meter.seconds, 3)
            await ctx.emit(RunFinished(answer="(planned only)", seconds=seconds, tokens=ctx.spent.tokens))
            return made

    async def resume(
        self,
        run_id: str,
        crew: Crew,
        *,
        listeners: Sequence[Listener] = (),
        budget: Budget | None = None,
        hands: Hands | None = None,
    ) -> Outcome:
        """Go on with a run that was broken off, forked or answered; its finished steps are not run again.

        `hands` carry its tasks in place of this process.

        Raises:
            NotFound: there is no such run.
            StoreError: another process carries it out.
            CrewgraphError: it ended without an answer again.
        """
        record = await self.store.find_run(run_id)
        if record.status == "finished":
            return await self._outcome_of(record)
        async with await self.store.open_run(record.id) as journal:
            # Only now: until it was claimed, another process may have planned or finished it.
            events = await self.store.events(record.id)
            done = next((e for e in reversed(events) if isinstance(e, RunFinished)), None)
            if done is not None:
                await journal.append(done.model_copy(update={"at": time.time()}))
                return await self._outcome_of(record)
            planned = next((e for e in reversed(events) if isinstance(e, PlanMade)), None)
            async with self._conversations.turn(record.thread_id):
                return await self.carry_on(
                    journal, record, crew, planned, listeners=listeners, budget=budget, hands=hands
                )

    async def carry_on(
        self,
        journal: Journal,
        record: RunRecord,
        crew: Crew,
        planned: PlanMade | None,
        *,
        listeners: Sequence[Listener] = (),
        budget: Budget | None = None,
        hands: Hands | None = None,
    ) -> Outcome:
        """`resume` over a run that is claimed already; `hands` carry its tasks in place of this process."""
        planner, kept, history = options_of(record)
        async with self._context(journal, budget or kept, listeners, record.tenant) as ctx:
            own = self.crew_for(crew, record.tenant)
            orchestrator = replace(self._orchestrator(own, planner, record.model), hands=hands)
            finished = await orchestrator.carry_out(record.request, ctx, history=history, planned=planned)
            await self._keep_messages(record.thread_id, record.request, finished, record.id)
            return Outcome.of(record.id, record.thread_id, finished)

    async def replay(self, run_id: str, crew: Crew, *, listeners: Sequence[Listener] = ()) -> Outcome:
        """Run the code again over a run's journal: no model, no tool, nothing written; the identical answer.

        Raises:
            NotFound: there is no such run.
            ReplayDiverged: the code now asks for a step that the journal does not hold.
        """
        ctx = await open_replay(self.store, run_id, listeners=listeners, redactor=self._redactor)
        record = ctx.journal.record
        own = self.crew_for(crew, record.tenant if record is not None else "")
        return await replay_over(ctx, own, self.client)

    def crew_for(self, crew: Crew, tenant: str) -> Crew:
        """The crew as a tenant may use it: without the tools that are not for them (see `tenants`)."""
        return crew.without(self._tenants.without(tenant))

    async def outcome(self, run_id: str) -> Outcome:
        """What came of a run that is finished. Raises `NotFound`: there is no such run, or it has no answer."""
        return await self._outcome_of(await self.store.find_run(run_id))

    async def _outcome_of(self, record: RunRecord) -> Outcome:
        events = await self.store.events(record.id)
        done = next((e for e in reversed(events) if isinstance(e, RunFinished)), None)
        if done is None:
            raise NotFound(f"Run {record.id} has no answer: it is {record.status}.")
        await self._keep_messages(record.thread_id, record.request, done, record.id)
        return Outcome.of(record.id, record.thread_id, done)

    async def bisect(self, good: str, bad: str, crew: Crew) -> Culprit:
        """The first step whose result, put into the good run, brings about the bad run's answer.

        Raises:
            NotFound: there is no such run.
            InvalidRequest: the runs cannot be compared.
        """
        from ..runtime.past.bisect import bisect

        async def carry_on(run_id: str) -> str:
            return (await self.resume(run_id, crew)).answer

        return await bisect(self.store, good, bad, carry_on=carry_on)

    async def _keep_messages(
        self, thread_id: str | None, request: str, finished: RunFinished, run_id: str, *, new: bool = False
    ) -> None:
        if thread_id is None:
            return
        said = [("user", self._redactor.text(request)), ("assistant", self._redactor.text(finished.answer))]
        if not new:  # it may have been broken off just after: its messages are kept once
            kept = {m.role for m in await self.store.messages(thread_id) if m.run_id == run_id}
            said = [(role, text) for role, text in said if role not in kept]
        if said:
            await self.store.add_messages(thread_id, said, run_id)

    @asynccontextmanager
    async def _context(
        self, journal: Journal, budget: Budget, listeners: Sequence[Listener], tenant: str
    ) -> AsyncIterator[RunContext]:
        shared = await self._tenants.meter(tenant)
        ctx = RunContext(
            journal,
            budget=budget,
            listeners=listeners,
            tenant=shared,
            lanes=self._lanes,
            redactor=self._redactor,
        )
        try:
            with shared.counting(ctx.meter) if shared is not None else nullcontext():
                yield ctx
        except CrewgraphError as error:
            error.run_id = journal.run_id
            raise

    async def _summarise(self, *said: Any) -> tuple[str, str] | None:
        """A conversation summarised by the model, as a run of its own; None where it is not trusted with that."""
        from .summarising import summarised

        async def trusted() -> bool:
            return (await self._probe()).plans

        return await summarised(self.store, self.client, self._context, trusted, *said)

    def _orchestrator(self, crew: Crew, planner: Mode, model: str = "") -> Orchestrator:
        client = OtherModel(self.client, model) if model else self.client
        return Orchestrator(crew, client, self._probe, planner, services=self._services)

    async def _probe(self) -> Aptitude:
        return await self._aptitudes.of(self.client, probe)


async def replay_over(ctx: RunContext, crew: Crew, client: ModelClient) -> Outcome:
    """`House.replay` over a journal that is open already, such as a frozen run's. `client` is asked for nothing.

    Raises:
        ReplayDiverged: the code now does otherwise than the journal says.
        CrewgraphError: the run ended without an answer, with this error.
    """
    record = ctx.journal.record
    assert record is not None, "a run that is replayed was kept, by a store or in a file"
    planner, budget, history = options_of(record)
    orchestrator = Orchestrator(crew, client, _no_quiz, planner, budget=budget)
    with to_its_end(ctx):
        finished = await orchestrator.carry_out(record.request, ctx, history=history)
    return Outcome.of(record.id, record.thread_id, finished)


async def _no_quiz() -> Aptitude:
    raise AssertionError("a replay reads the quiz from the journal")
