"""Owns errors as the OpenAI protocol writes them: `{"error": {message, type, code, param}}`.

Where a run ended with the error, ``crewgraph.run_id`` stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi.responses import JSONResponse

from ...runtime.errors import CrewgraphError, EngineError, InvalidInput, ReplayDiverged, TaskFailed

E = TypeVar("E", bound=Exception)


class ApiError(Exception):
    """An error that the API answers with itself (see CrewgraphError: one that the crew's run raised)."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        *,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param, self.retry_after = status, code, param, retry_after


def error_body(error: BaseException) -> dict[str, Any]:
    """The error object for any exception; what is not meant for clients is not told to them."""
    status = status_of(error)
    if isinstance(error, ApiError | CrewgraphError):
        message, code = " ".join(str(error).split()), _telling(error).code
    else:
        message, code = (
            "The server failed while it worked on this request; its log has the details.",
            "internal_error",
        )
    param = error.param if isinstance(error, ApiError) else None
    told = {"error": {"message": message, "type": _type(status), "code": code, "param": param}}
    run_id = error.run_id if isinstance(error, CrewgraphError) else ""
    return {**told, "crewgraph": {"run_id": run_id}} if run_id else told


def status_of(error: BaseException) -> int:
    """The HTTP status for any exception."""
    if isinstance(error, ApiError):
        return error.status
    if isinstance(error, ReplayDiverged):  # what is asked for contradicts what is kept; the server is well
        return 409
    return _telling(error).http_status if isinstance(error, CrewgraphError) else 500


def _telling(error: E) -> E | EngineError | InvalidInput:
    """The error whose status tells most: what failed for want of an engine, or for wrong input, is that one's failure."""
    if isinstance(error, TaskFailed) and isinstance(error.__cause__, EngineError | InvalidInput):
        return error.__cause__
    return error


def error_response(error: BaseException, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The whole response. A run that failed would fail again, so clients are told not to retry it unasked."""
    retry_after = error.retry_after if isinstance(error, ApiError) else None
    told = {"retry-after": str(retry_after)} if retry_after is not None else {"x-should-retry": "false"}
    return JSONResponse(error_body(error), status_code=status_of(error), headers={**told, **(headers or {})})


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"


def is_ours(error: BaseException) -> bool:
    """Whether the error was raised on purpose, with a message meant for the caller."""
    return isinstance(error, ApiError | CrewgraphError)
