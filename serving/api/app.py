"""Owns the chat API's routes: a crew stands behind them as a model."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from ...runtime.errors import CrewgraphError, RunWaiting, StepInDoubt
from ..a2a.routes import add_a2a_routes
from .body import invalid, read_ask
from .completion import Completion, Reply
from .door import refuse_other_origins, tenant_of
from .errors import ApiError, error_response
from .gate import Gate
from .runs import add_run_routes
from .stream import StreamTurn
from .tally import Tally
from .turn import WholeTurn
from .words import Words

if TYPE_CHECKING:
    from ...agents.crew import Crew
    from ..house import House


def make_app(
    house: House, crew: Crew, *, running: int = 4, waiting: int = 32, crew_path: str = ""
) -> FastAPI:
    """The chat API of one crew, its past runs, and A2A. `running` runs go on at once and `waiting` more may queue.

    `app.state.gate.close()` cancels the runs under way and turns new requests away, before the house closes; await
    `app.state.errands.aclose()` too, for runs of A2A clients go on without a request.
    """
    app = FastAPI(title=f"crewgraph: {crew.name}", docs_url=None, redoc_url=None, openapi_url=None)
    gate = app.state.gate = Gate(running, waiting)
    card = {"id": crew.name, "object": "model", "created": int(time.time()), "owned_by": "crewgraph"}
    for kind in (ApiError, CrewgraphError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _answer_error)

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        refuse_other_origins(request)
        tenant = tenant_of(request)
        ask = await read_ask(request)
        if ask.model != crew.name:
            raise _no_model(ask.model, crew.name)

        tally, words = Tally(), Words()

        async def run() -> Reply:
            try:
                outcome = await house.ask(
                    crew,
                    ask.request,
                    history=ask.history,
                    listeners=[tally.event, words.event],
                    crew_path=crew_path,
                    tenant=tenant,
                )
            except (RunWaiting, StepInDoubt) as waits:
                return Reply.waiting(waits.run_id, await house.questions(waits.run_id))
            return Reply.of(outcome)

        async def whole() -> Response:
            return JSONResponse(completion.whole(await run()))

        completion = Completion(id=f"chatcmpl-{uuid.uuid4().hex}", model=crew.name, tally=tally)
        if ask.stream:
            return StreamTurn(gate, run, completion, words, include_usage=ask.include_usage)
        return WholeTurn(gate, whole)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [card]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        if name != crew.name:
            raise _no_model(name, crew.name)
        return card

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok", "crew": crew.name}

    add_run_routes(app, house, crew, gate)
    app.state.errands = add_a2a_routes(app, house, crew, gate, crew_path)
    return app


async def _answer_error(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, HTTPException):  # the router's own: an unknown path, a wrong method
        code = "not_found" if error.status_code == 404 else "invalid_request"
        return error_response(ApiError(error.status_code, f"{error.detail}.", code), error.headers)
    if isinstance(error, RequestValidationError):  # a part of the address
        first = dict(error.errors()[0])
        return error_response(invalid({**first, "loc": first["loc"][1:]}))
    return error_response(error)


def _no_model(asked: str, name: str) -> ApiError:
    return ApiError(
        404, f"There is no model {asked[:80]!r} here; there is {name!r}.", "model_not_found", param="model"
    )
