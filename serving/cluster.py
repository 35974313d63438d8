"""Crews on a cluster: how a worker process finds them, plans their runs and carries their tasks. Imported on use."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from ..agents.crew import Crew
from ..agents.worker import CrewWorker
from ..planner.orchestrator import Hands
from ..planner.ways import Mode
from ..runtime.budget import Budget
from ..runtime.cluster.cluster import Cluster
from ..runtime.cluster.imports import load
from ..runtime.cluster.members.link import plain_url
from ..runtime.cluster.server import serve
from ..runtime.cluster.workflows.queues import BOTH, Queue
from ..runtime.context import RunContext
from ..runtime.errors import InvalidCrew
from ..runtime.events import PlanMade
from ..runtime.graph import TaskGraph
from ..runtime.journalling.journal import Journal
from ..runtime.worker import Worker
from ..tools.text import language_of
from .crewfile import load_crew
from .entering import history_of
from .house import House, Outcome
from .lazy_client import OtherModel
from .settings import Settings

CONDUCTOR = f"{__name__}:conduct_crew"
MAKER = f"{__name__}:make_worker"

_IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def cluster_url(settings: Settings) -> str:
    """The database that the cluster works on.

    Raises:
        StoreError: it is not PostgreSQL.
    """
    url = settings.database_url or ""
    plain_url(url)
    return url


async def carry(
    settings: Settings,
    queues: Sequence[Queue] = BOTH,
    *,
    concurrency: int | None = None,
    grace: int = 10,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Be one worker of the cluster: see `runtime.cluster.server.serve`, which says what is raised."""
    url = cluster_url(settings)
    async with House.open(settings) as house:
        await serve(
            url,
            house.store,
            queues=queues,
            concurrency=concurrency,
            grace=grace,
            stop=stop,
            given=house,
            context=house.task_context,
            on_ready=on_ready,
        )


async def ask(
    house: House,
    cluster: Cluster,
    crew_path: str,
    request: str,
    *,
    thread_id: str | None = None,
    budget: Budget | None = None,
    planner: Mode = "auto",
    tenant: str = "",
    queues: Mapping[str, str] | None = None,
) -> Outcome:
    """Have a request carried out by the cluster, wherever there is a worker, and wait for its outcome.

    `crew_path` is a crew file or ``package.module:name``, the same on every worker. `queues` says which agents' tasks
    go onto queues of their own.

    Raises:
        CrewgraphError: as `House.ask` does; the run can be gone on with by `resume`, here or on the cluster.
    """
    crew = find_crew(crew_path)
    async with house.turn(thread_id):
        entered = await house.enter(
            crew,
            request,
            crew_path=crew_path,
            thread_id=thread_id,
            budget=budget,
            planner=planner,
            tenant=tenant,
        )
        await entered.aclose()
        return await go_on(house, cluster, entered.run_id, queues=queues)


async def go_on(
    house: House, cluster: Cluster, run_id: str, *, queues: Mapping[str, str] | None = None
) -> Outcome:
    """Have the cluster carry out a run that stands in the store, broken off, answered or never begun; its outcome.

    Raises:
        CrewgraphError: it ended without an answer.
    """
    record = await house.store.find_run(run_id)
    spec: dict[str, JsonValue] = {"queues": dict(queues)} if queues else {}
    await cluster.submit(record.id, CONDUCTOR, spec)
    ending = await cluster.ending(record.id)
    ending.raise_failure()
    return await house.outcome(record.id)


def find_crew(where: str) -> Crew:
    """The crew of a file, or the one that ``package.module:name`` names.

    Raises:
        InvalidCrew: there is none.
        InvalidInput: the module cannot be imported here.
    """
    if not _IMPORT_PATH.fullmatch(where) or Path(where).exists():
        return load_crew(where)
    found = load(where)
    if not isinstance(found, Crew):
        raise InvalidCrew(f"{where!r} is of type {type(found).__name__}, not a Crew.")
    return found


async def conduct_crew(journal: Journal, spec: Mapping[str, Any], cluster: Cluster) -> None:
    """A `Conductor`: plans a crew's run on this machine, and hands its tasks to the cluster."""
    house: House = cluster.given
    record = journal.record or await cluster.store.find_run(journal.run_id)
    crew = find_crew(record.crew_path)
    events = await cluster.store.events(record.id)
    planned = next((event for event in reversed(events) if isinstance(event, PlanMade)), None)
    await house.carry_on(journal, record, crew, planned, hands=hands(cluster, spec.get("queues")))


def hands(cluster: Cluster, queues: Mapping[str, str] | None = None) -> Hands:
    """What `House.ask` and `House.resume` take to plan and schedule a run here, and have its tasks carried elsewhere.

    The run needs a crew path that the workers know too. `queues` says which agents' tasks go onto queues of their own.
    """

    def handed(own: CrewWorker, ctx: RunContext) -> Worker:
        model = ctx.journal.record.model if ctx.journal.record is not None else ""
        plan = len(ctx.journal.plans)  # each plan of a run has its own worker, which knows its tasks
        spec: dict[str, JsonValue] = {"run": ctx.run_id, "plan": plan, "reasons": own.reasons, "model": model}
        return cluster.worker(MAKER, spec, queues=queues)

    return handed


async def make_worker(spec: Mapping[str, Any], house: House) -> Worker:
    """A `Maker`: the crew's own worker for one run, as its conductor would have it."""
    record = await house.store.find_run(spec["run"])
    events = await house.store.events(record.id)
    plans = [event for event in events if isinstance(event, PlanMade)]
    planned = plans[min(spec.get("plan") or len(plans), len(plans)) - 1]
    crew = house.crew_for(find_crew(record.crew_path), record.tenant)
    return CrewWorker(
        crew,
        TaskGraph(planned.tasks),
        OtherModel(house.client, spec["model"]) if spec["model"] else house.client,
        record.request,
        language_of(record.request),
        history_of(record),
        spec["reasons"],
    )
