"""A served crew that listens, calls to it as the protocol writes them, and agents of other makers."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from crewgraph.serving.api.app import make_app
from crewgraph.serving.house import House

from ..api.conftest import Listen, Till, house, listen, till

__all__ = ["house", "listen", "till"]

_numbers = itertools.count(1)


class Peer:
    """An A2A client of the bare protocol."""

    def __init__(self, http: httpx.AsyncClient, **headers: str) -> None:
        self.http = http
        self.headers = {"A2A-Version": "1.0", **headers}

    async def call(self, method: str, /, **params: Any) -> dict[str, Any]:
        call = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        answer = await self.http.post("/a2a", json=call, headers=self.headers)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        assert (told["jsonrpc"], told["id"]) == ("2.0", 7)
        return told

    async def result(self, method: str, /, **params: Any) -> dict[str, Any]:
        told = await self.call(method, **params)
        assert "error" not in told, told
        result: dict[str, Any] = told["result"]
        return result

    async def send(self, text: str, **more: Any) -> dict[str, Any]:
        """The task that comes of a message; `configuration` and the message's other fields in `more`."""
        given = {"configuration": more.pop("configuration")} if "configuration" in more else {}
        task: dict[str, Any] = (await self.result("SendMessage", message=message(text, **more), **given))[
            "task"
        ]
        return task

    async def stream(self, method: str, /, **params: Any) -> AsyncIterator[dict[str, Any]]:
        call = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        async with self.http.stream("POST", "/a2a", json=call, headers=self.headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream"), await answer.aread()
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])["result"]


def message(text: str, **more: Any) -> dict[str, Any]:
    """A message with an id of its own."""
    return {"messageId": f"m{next(_numbers)}", "role": "ROLE_USER", "parts": [{"text": text}], **more}


def state(task: dict[str, Any]) -> str:
    told: str = task["status"]["state"]
    return told.removeprefix("TASK_STATE_")


def answer_of(task: dict[str, Any]) -> str:
    (artifact,) = task["artifacts"]
    return "".join(part["text"] for part in artifact["parts"])


Serve = Callable[..., Any]


@pytest.fixture
async def served(house: House, till: Till, listen: Listen) -> AsyncIterator[str]:
    """The base URL of the crew that asks before it pays."""
    app = make_app(house, till.crew, crew_path="buying.py")
    async with listen(app) as url:
        yield url.removesuffix("/v1")
        app.state.gate.close()
        await app.state.errands.aclose()


@pytest.fixture
async def peer(served: str) -> AsyncIterator[Peer]:
    async with httpx.AsyncClient(base_url=served, timeout=30) as http:
        yield Peer(http)
