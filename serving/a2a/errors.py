"""Errors as the A2A protocol knows them: each with its JSON-RPC code, HTTP status and reason (specification 1.0, 5.4)."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from ...runtime.errors import CrewgraphError, InvalidInput, NotFound
from ..api.errors import ApiError, error_body, status_of

_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_DOMAIN = "a2a-protocol.org"


class _Code(NamedTuple):
    rpc: int
    http: int
    status: str


class Kind(Enum):
    """What is wrong, by the protocol's name; the value is its JSON-RPC code, HTTP status and gRPC status."""

    JSON_PARSE = _Code(-32700, 400, "INVALID_ARGUMENT")
    INVALID_REQUEST = _Code(-32600, 400, "INVALID_ARGUMENT")
    METHOD_NOT_FOUND = _Code(-32601, 404, "NOT_FOUND")
    INVALID_PARAMS = _Code(-32602, 400, "INVALID_ARGUMENT")
    INTERNAL = _Code(-32603, 500, "INTERNAL")
    TASK_NOT_FOUND = _Code(-32001, 404, "NOT_FOUND")
    TASK_NOT_CANCELABLE = _Code(-32002, 400, "FAILED_PRECONDITION")
    PUSH_NOTIFICATION_NOT_SUPPORTED = _Code(-32003, 400, "FAILED_PRECONDITION")
    UNSUPPORTED_OPERATION = _Code(-32004, 400, "FAILED_PRECONDITION")
    CONTENT_TYPE_NOT_SUPPORTED = _Code(-32005, 400, "INVALID_ARGUMENT")
    VERSION_NOT_SUPPORTED = _Code(-32009, 400, "FAILED_PRECONDITION")


class A2AError(Exception):
    """An answer that is an error. The message is for people: what is wrong, where, what to do."""

    def __init__(self, kind: Kind, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status or kind.value.http
        self.reason = reason or kind.name

    @property
    def details(self) -> list[dict[str, Any]]:
        """The protocol's typed details: which error this is, by its name."""
        return [{"@type": _INFO, "reason": self.reason, "domain": _DOMAIN, "metadata": {}}]

    def as_rpc(self, call_id: object) -> dict[str, Any]:
        """The whole JSON-RPC answer to the call of this id."""
        error = {"code": self.kind.value.rpc, "message": str(self), "data": self.details}
        return {"jsonrpc": "2.0", "id": call_id, "error": error}

    def as_http(self) -> dict[str, Any]:
        """The body of an answer over HTTP+JSON, a `google.rpc.Status`."""
        told = {"code": self.status, "status": self.kind.value.status, "message": str(self)}
        return {"error": {**told, "details": self.details}}


def a2a_error(error: BaseException) -> A2AError:
    """The protocol's error for any exception; what is not meant for clients is not told to them."""
    if isinstance(error, A2AError):
        return error
    told = error_body(error)["error"]
    if isinstance(error, NotFound):
        kind = Kind.TASK_NOT_FOUND
    elif isinstance(error, ApiError) and told["code"] == "invalid_json":
        kind = Kind.JSON_PARSE
    elif isinstance(error, InvalidInput) or (isinstance(error, ApiError) and error.status < 500):
        kind = Kind.INVALID_PARAMS
    else:
        kind = Kind.INTERNAL
    ours = isinstance(error, ApiError | CrewgraphError)
    return A2AError(
        kind, told["message"], status=status_of(error), reason=told["code"].upper() if ours else ""
    )
