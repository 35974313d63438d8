"""The A2A routes of a served crew: its card, JSON-RPC and HTTP+JSON (specification 1.0, sections 8, 9 and 11)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import BaseModel

from ..api.body import bounded
from ..api.door import refuse_other_origins, tenant_of
from ..api.gate import Gate
from .card import CARD_PATH, PATH, VERSION, card_of
from .errands import Errands, Update
from .errors import A2AError, Kind
from .messages import ListParams, SendParams, TaskParams, no_push, params_of
from .operations import Operations
from .streams import Answering, Streaming, json_response, refused

if TYPE_CHECKING:
    from ...agents.crew import Crew
    from ..house import House

One = Callable[[Any, str], Awaitable[Update]]
Many = Callable[[Any, str], Awaitable[AsyncIterator[Update]]]


def add_a2a_routes(app: FastAPI, house: House, crew: Crew, gate: Gate, crew_path: str = "") -> Errands:
    """Let a served crew speak A2A. Await the errands' `aclose` before the house closes."""
    crew_routes = _Routes(Operations(house, crew, gate, crew_path), crew, gate)
    app.get(CARD_PATH)(crew_routes.card)
    app.post(PATH)(crew_routes.rpc)
    app.post(PATH + "/message:send")(crew_routes.send)
    app.post(PATH + "/message:stream")(crew_routes.stream)
    app.get(PATH + "/tasks")(crew_routes.list)
    app.post(PATH + "/tasks/{task_id}:cancel")(crew_routes.cancel)
    app.api_route(PATH + "/tasks/{task_id}:subscribe", methods=["GET", "POST"])(crew_routes.subscribe)
    app.get(PATH + "/tasks/{task_id}")(crew_routes.get)
    app.api_route(
        PATH + "/tasks/{task_id}/pushNotificationConfigs{rest:path}", methods=["GET", "POST", "DELETE"]
    )(crew_routes.push)
    app.get(PATH + "/extendedAgentCard")(crew_routes.extended)
    return crew_routes.operations.errands


class _Routes:
    def __init__(self, operations: Operations, crew: Crew, gate: Gate) -> None:
        self.operations, self._crew, self._gate = operations, crew, gate
        self._one: dict[str, tuple[type[BaseModel], One]] = {
            "SendMessage": (SendParams, operations.send),
            "GetTask": (TaskParams, operations.get),
            "ListTasks": (ListParams, operations.list),
            "CancelTask": (TaskParams, operations.cancel),
        }
        self._many: dict[str, tuple[type[BaseModel], Many]] = {
            "SendStreamingMessage": (SendParams, operations.stream),
            "SubscribeToTask": (TaskParams, operations.subscribe),
        }

    async def card(self, request: Request) -> Response:
        return json_response(card_of(self._crew, str(request.base_url)))

    # JSON-RPC

    async def rpc(self, request: Request) -> Response:
        call_id: object = None

        def refuse(error: A2AError) -> Response:
            return json_response(error.as_rpc(call_id))

        def wrap(result: Update) -> dict[str, Any]:
            return {"jsonrpc": "2.0", "id": call_id, "result": result}

        try:
            refuse_other_origins(request)
            call = await _json_in(request)
            if not isinstance(call, dict) or call.get("jsonrpc") != "2.0" or "id" not in call:
                said = (
                    'This is no JSON-RPC 2.0 call: send one object with "jsonrpc": "2.0", an id and a method.'
                )
                raise A2AError(Kind.INVALID_REQUEST, said)
            if not isinstance(call["id"], str | int | float | None) or isinstance(call["id"], bool):
                raise A2AError(Kind.INVALID_REQUEST, "The id of a call is a string or a number.")
            call_id = call["id"]
            _check_version(request)
            return self._called(call.get("method"), call.get("params"), request, wrap, refuse)
        except Exception as error:
            return refused(error, refuse)

    def _called(self, method: object, params: object, request: Request, wrap: Any, refuse: Any) -> Response:
        if not isinstance(method, str):
            raise A2AError(Kind.INVALID_REQUEST, "The method of a call is a name, such as SendMessage.")
        if found := self._one.get(method):
            read = params_of(found[0], params)
            return Answering(self._gate, partial(found[1], read, _tenant(request, read)), wrap, refuse)
        if many := self._many.get(method):
            read = params_of(many[0], params)
            return Streaming(self._gate, partial(many[1], read, _tenant(request, read)), wrap, refuse)
        if method.endswith(("PushNotificationConfig", "PushNotificationConfigs")):
            raise no_push()
        if method == "GetExtendedAgentCard":
            raise _no_extended()
        known = ", ".join([*self._one, *self._many])
        raise A2AError(Kind.METHOD_NOT_FOUND, f"There is no method {method[:80]!r}; there are {known}.")

    # HTTP+JSON

    async def send(self, request: Request) -> Response:
        return await self._http(request, "SendMessage", body=True)

    async def stream(self, request: Request) -> Response:
        return await self._http(request, "SendStreamingMessage", body=True)

    async def get(self, request: Request, task_id: str) -> Response:
        return await self._http(request, "GetTask", {**request.query_params, "id": task_id})

    async def list(self, request: Request) -> Response:
        return await self._http(request, "ListTasks", dict(request.query_params))

    async def cancel(self, request: Request, task_id: str) -> Response:
        return await self._http(request, "CancelTask", {"id": task_id})

    async def subscribe(self, request: Request, task_id: str) -> Response:
        return await self._http(request, "SubscribeToTask", {"id": task_id})

    async def push(self, request: Request, task_id: str, rest: str) -> Response:
        return await self._http(request, "CreateTaskPushNotificationConfig", {})

    async def extended(self, request: Request) -> Response:
        return await self._http(request, "GetExtendedAgentCard", {})

    async def _http(
        self, request: Request, method: str, params: object = None, *, body: bool = False
    ) -> Response:
        def refuse(error: A2AError) -> Response:
            return json_response(error.as_http(), error.status)

        try:
            refuse_other_origins(request)
            _check_version(request)
            given = await _json_in(request) if body else params
            return self._called(method, given, request, lambda result: result, refuse)
        except Exception as error:
            return refused(error, refuse)


async def _json_in(request: Request) -> object:
    try:
        return json.loads(await bounded(request))
    except (ValueError, RecursionError):
        raise A2AError(Kind.JSON_PARSE, "The body is not valid JSON.") from None


def _check_version(request: Request) -> None:
    """Clients name the protocol's version; those that name none speak 0.3 (specification 1.0, 3.6)."""
    asked = request.headers.get("a2a-version") or request.query_params.get("A2A-Version") or ""
    if ".".join(asked.strip().split(".")[:2]) not in (VERSION, "1"):
        spoken = f"A2A {asked.strip()[:20]!r}" if asked.strip() else "A2A 0.3 (no A2A-Version is given)"
        said = f"{spoken} is not spoken here: send the header A2A-Version: {VERSION}."
        raise A2AError(Kind.VERSION_NOT_SUPPORTED, said)


def _tenant(request: Request, params: Any) -> str:
    """For whom: the header that the chat API takes, or the protocol's own parameter."""
    header, given = tenant_of(request), (params.tenant or "").strip()
    if len(given) > 200 or not given.isprintable():
        raise A2AError(Kind.INVALID_PARAMS, "tenant is a name of at most 200 characters.")
    if header and given and header != given:
        raise A2AError(Kind.INVALID_PARAMS, "tenant is another one than X-Crewgraph-Tenant names.")
    return header or given


def _no_extended() -> A2AError:
    return A2AError(Kind.UNSUPPORTED_OPERATION, "There is no extended agent card: the card is all there is.")
