"""A chat API that really listens, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from crewgraph.agents.agent import Agent
from crewgraph.agents.crew import Crew
from crewgraph.runtime.graph import Task
from crewgraph.serving.api.app import make_app
from crewgraph.serving.house import House
from crewgraph.serving.settings import Settings
from crewgraph.tools.tool import tool

Listen = Callable[[FastAPI], AbstractAsyncContextManager[str]]


@pytest.fixture
def listen() -> Listen:
    """Makes an app listen; gives its base URL, up to `/v1`."""
    return _listening


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def _listening(app: FastAPI) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(uvicorn.Config(app, lifespan="off", ws="none", log_level="error"))
        serving = asyncio.create_task(server._serve([listener]))
        await server.ready.wait()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            await serving


ASK: list[Any] = [{"role": "user", "content": "pay the bill"}]


class Till:
    """A crew that looks a price up and asks before it pays. What happens can be watched, held up and broken."""

    def __init__(self) -> None:
        self.paid: list[str] = []
        self.price = 7
        self.lost = False
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

        @tool
        async def price(item: str) -> int:
            """The price of an item."""
            self.reached.set()
            await self.gate.wait()
            return self.price

        @tool(effect="once", approval=True)
        async def pay(amount: int, to: str) -> str:
            """Pay an amount to somebody."""
            self.paid.append(f"{to}={amount}")
            if self.lost:
                raise ConnectionError("no word came back")
            return f"paid {amount} to {to}"

        self.tools = [price, pay]
        self.crew = self.made("buying")

    def made(self, name: str, *, item: str = "tea") -> Crew:
        look = Task(id="look", description="look up", tool="price", args={"item": item}, agent="clerk")
        pay = Task(
            id="pay",
            description="pay",
            tool="pay",
            args={"amount": "$look.value", "to": "Ann"},
            agent="clerk",
        )
        return Crew([Agent("clerk", "Pay bills.", tools=self.tools)], tasks=[look, pay], name=name)


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.open(Settings(home=tmp_path / "home", model_url=None), engine=False) as house:
        yield house


@pytest.fixture
async def http(house: House, till: Till, listen: Listen) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        listen(make_app(house, till.crew, running=1, waiting=1, crew_path="buying.py")) as url,
        httpx.AsyncClient(base_url=url, timeout=30) as http,
    ):
        yield http


async def begun(http: httpx.AsyncClient, **headers: str) -> str:
    """The id of a run that waits for leave to pay."""
    asked = await http.post("/chat/completions", json={"model": "buying", "messages": ASK}, headers=headers)
    assert asked.status_code == 200, asked.text
    run_id: str = asked.json()["crewgraph"]["run_id"]
    return run_id


def refused(answer: httpx.Response, status: int, code: str, words: str = "") -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "code", "param"}
    assert error["code"] == code
    assert words in error["message"]
    assert "\n" not in error["message"]
