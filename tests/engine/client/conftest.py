"""Protocol fakes that listen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from aiohttp import web

from .protocol_fake import Play, ProtocolFake, RawFake


@pytest_asyncio.fixture
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[ProtocolFake]:
    """A protocol fake; parametrize it indirectly to say who it claims to be."""
    played = ProtocolFake(getattr(request, "param", "someone"))
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/chat/completions", played.chat)
    app.router.add_get("/v1/models", played.models)
    app.router.add_route("*", "/{rest:(?!v2).*}", played.other)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    played.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield played
    await runner.cleanup()


@pytest_asyncio.fixture
async def raw() -> AsyncIterator[Callable[..., Awaitable[RawFake]]]:
    """Starts fakes that send bytes as they are."""
    async with AsyncExitStack() as stack:

        async def start(*plays: Play) -> RawFake:
            made = await RawFake(*plays).start()
            stack.push_async_callback(made.stop)
            return made

        yield start
