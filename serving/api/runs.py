"""Owns the routes over runs: looked into, answered, gone on with, replayed, forked, compared.

A run is told as `crewgraph show --json` tells it. What sets the crew to work waits for its turn as chat requests do,
and is stopped when the client leaves: the run can then be resumed. A run that waits for a person is told with status
202. With ``X-Crewgraph-Tenant`` only that tenant's runs are there.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import to_json

from ...runtime.budget import Budget
from ...runtime.errors import NotFound, RunWaiting, StepInDoubt
from ...runtime.reading.history import summarise
from ...runtime.store import RunRecord, RunStatus
from ..answering import Word, answer_to, meant
from ..telling import events_json, question_json, record_json
from .body import read_body
from .door import refuse_other_origins, tenant_of
from .errors import ApiError
from .gate import Gate
from .turn import WholeTurn

if TYPE_CHECKING:
    from ...agents.crew import Crew
    from ..house import House


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AnswerBody(_Body):
    """What a person says. Without a `key` it is to the only open question; `resume` lets the run go on with it."""

    key: str = ""
    decision: Word
    value: JsonValue = None
    note: str = ""
    by: str = ""
    resume: bool = True


class ResumeBody(_Body):
    """New limits for the whole run; without any it keeps its own."""

    tokens: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    tool_calls: int | None = Field(default=None, ge=0)
    money: float | None = Field(default=None, ge=0)
    soft: float | None = Field(default=None, ge=0, le=1)

    def budget(self) -> Budget | None:
        """The budget that these limits are, if there are any."""
        limits = self.model_dump()
        return Budget(**limits) if any(limit is not None for limit in limits.values()) else None


class ForkBody(_Body):
    """Where to leave the run, and what to make otherwise there; `resume` lets the new run go on."""

    at: str
    set: dict[str, JsonValue] = Field(default_factory=dict)
    model: str | None = None
    resume: bool = True


def add_run_routes(app: FastAPI, house: House, crew: Crew, gate: Gate) -> None:
    """The routes over the runs of this house. Those of other crews can be looked at, and not be gone on with."""
    routes = APIRouter(prefix="/v1", dependencies=[Depends(refuse_other_origins)])
    runs = _Runs(house, crew, gate)
    routes.get("/runs")(runs.list)
    routes.get("/runs/{run_id}")(runs.one)
    routes.get("/runs/{run_id}/events")(runs.events)
    routes.get("/runs/{run_id}/questions")(runs.questions)
    routes.post("/runs/{run_id}/answer")(runs.answer)
    routes.post("/runs/{run_id}/resume")(runs.resume)
    routes.post("/runs/{run_id}/replay")(runs.replay)
    routes.post("/runs/{run_id}/fork")(runs.fork)
    routes.get("/diff")(runs.diff)
    app.include_router(routes)


class _Runs:
    def __init__(self, house: House, crew: Crew, gate: Gate) -> None:
        self._house, self._crew, self._gate = house, crew, gate

    async def list(
        self,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 20,
        status: RunStatus | None = None,
    ) -> Response:
        tenant = tenant_of(request) or None
        records = await self._house.store.list_runs(limit=limit, status=status, tenant=tenant)
        return _json({"object": "list", "data": [_line(record) for record in records]})

    async def one(self, request: Request, run_id: str) -> Response:
        record = await self._find(request, run_id)
        return _json(await self._told(record.id))

    async def events(self, request: Request, run_id: str) -> Response:
        record = await self._find(request, run_id)
        return _json(events_json(await self._house.store.events(record.id)))

    async def questions(self, request: Request, run_id: str) -> Response:
        record = await self._find(request, run_id)
        asked = await self._house.questions(record.id)
        return _json({"object": "list", "data": [question_json(question, record.id) for question in asked]})

    async def answer(self, request: Request, run_id: str) -> Response:
        record = await self._find(request, run_id)
        body = await read_body(request, AnswerBody)
        if not body.resume:
            return await self._leave_answer(record, body)
        self._refuse_others_work(record)

        async def work() -> Response:
            left = await self._leave_answer(record, body)
            if record.status == "running":  # whoever carries it out takes the answer
                return left
            return await self._go_on(record.id)

        return WholeTurn(self._gate, work)

    async def resume(self, request: Request, run_id: str) -> Response:
        record = await self._find(request, run_id)
        body = await read_body(request, ResumeBody, may_be_empty=True)
        self._refuse_others_work(record)
        if record.status == "running":
            raise ApiError(409, f"Run {record.id} is being carried out already.", "run_busy")
        return WholeTurn(self._gate, lambda: self._go_on(record.id, body.budget()))

    async def replay(self, request: Request, run_id: str) -> Response:
        record = await self._find(request, run_id)
        self._refuse_others_work(record)

        async def work() -> Response:
            outcome = await self._house.replay(record.id, self._crew)
            return _json({"object": "replay", **asdict(outcome), "same": outcome.answer == record.answer})

        return WholeTurn(self._gate, work)

    async def fork(self, request: Request, run_id: str) -> Response:
        record = await self._find(request, run_id)
        body = await read_body(request, ForkBody)
        if body.resume:
            self._refuse_others_work(record)

        async def work() -> Response:
            forked = await self._house.fork(record.id, at=body.at, changes=body.set, model=body.model)
            if body.resume:
                return await self._go_on(forked.id)
            return _json(await self._told(forked.id), 201)

        return WholeTurn(self._gate, work) if body.resume else await work()

    async def diff(self, request: Request, a: str, b: str) -> Response:
        one, other = await self._find(request, a), await self._find(request, b)
        found = await self._house.diff(one.id, other.id)
        told = {"object": "diff", "run_a": one.id, "run_b": other.id, "same": found.same}
        return _json({**told, **found.to_json()})

    async def _find(self, request: Request, which: str) -> RunRecord:
        tenant, store = tenant_of(request), self._house.store
        try:
            if tenant and which == "last":
                newest = await store.list_runs(limit=1, tenant=tenant)
                if newest:
                    return newest[0]
            else:
                record = await store.find_run(which)
                if not tenant or record.tenant == tenant:
                    return record
        except NotFound:
            pass
        raise ApiError(
            404, f"There is no run {which[:80]!r} here (an id, its unique beginning, or `last`).", "not_found"
        )

    def _refuse_others_work(self, record: RunRecord) -> None:
        """A run of another crew would be carried on with the wrong agents and tools."""
        if record.crew != self._crew.name:
            raise ApiError(
                409,
                f"Run {record.id} is of crew {record.crew!r}, and {self._crew.name!r} is served here.",
                "other_crew",
            )

    async def _leave_answer(self, record: RunRecord, body: AnswerBody) -> Response:
        question = meant(await self._house.questions(record.id), body.key, record)
        answer = answer_to(question, body.decision, body.value, note=body.note, by=body.by)
        await self._house.answer(record.id, question.key, answer)
        told = {"question": question_json(question, record.id), "answer": answer.model_dump()}
        return _json({"object": "answer", "run_id": record.id, **told})

    async def _go_on(self, run_id: str, budget: Budget | None = None) -> Response:
        try:
            await self._house.resume(run_id, self._crew, budget=budget)
        except (RunWaiting, StepInDoubt):
            return _json(await self._told(run_id), 202)
        return _json(await self._told(run_id))

    async def _told(self, run_id: str) -> dict[str, Any]:
        store = self._house.store
        record = await store.find_run(run_id)
        return {"object": "run", **record_json(record, summarise(await store.events(run_id)))}


def _line(record: RunRecord) -> dict[str, Any]:
    return {"object": "run", "run_id": record.id, **asdict(record)}


def _json(value: Any, status: int = 200) -> Response:
    # What tools gave may hold infinities, for which JSON has no form.
    body = to_json(value, inf_nan_mode="null")
    return Response(body, status_code=status, media_type="application/json")
