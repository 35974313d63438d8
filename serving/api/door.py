"""Owns who may come in: no web pages of other origins; and for whom a request is made."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request

from .errors import ApiError

TENANT_HEADER = "x-crewgraph-tenant"
_LONGEST = 200


def refuse_other_origins(request: Request) -> None:
    """A web page elsewhere must not set a user's crew to work, nor read what it did.

    Browsers say where a request comes from. Raises `ApiError`.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ApiError(403, "Requests from other web pages are refused.", "other_origin")


def tenant_of(request: Request) -> str:
    """For whom the request is made: the name in ``X-Crewgraph-Tenant``, or nobody in particular.

    Raises:
        ApiError: it is no name.
    """
    name = request.headers.get(TENANT_HEADER, "").strip()
    if len(name) > _LONGEST or not name.isprintable():
        raise ApiError(
            400, f"X-Crewgraph-Tenant is a name of at most {_LONGEST} characters.", "invalid_request"
        )
    return name
