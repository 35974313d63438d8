"""What is opened at the first use is opened once, for all, and by nobody's leave broken off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from crewgraph.serving.endpoints.once import Once


class Door:
    """Opens when `let` is set; counts."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.begun = self.opened = self.closed = 0
        self.fault: Exception | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        self.begun += 1
        await self.let.wait()
        if self.fault is not None:
            raise self.fault
        self.opened += 1
        yield "open"
        self.closed += 1


async def test_all_who_need_it_wait_for_one_opening() -> None:
    door = Door()
    once = Once(door.open)
    waiting = [asyncio.create_task(once.get()) for _ in range(5)]
    await asyncio.sleep(0)
    door.let.set()
    assert set(await asyncio.gather(*waiting)) == {"open"}
    assert await once.get() == once.value == "open"
    await once.aclose()
    assert (door.begun, door.opened, door.closed, once.value) == (1, 1, 1, None)


async def test_who_leaves_does_not_break_it_off() -> None:
    door = Door()
    once = Once(door.open)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await once.get()
    door.let.set()
    assert await once.get() == "open"
    assert door.begun == 1
    await once.aclose()


async def test_what_failed_is_tried_again_by_the_next() -> None:
    door = Door()
    door.let.set()
    door.fault = RuntimeError("no")
    once = Once(door.open)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            await once.get()
    door.fault = None
    assert await once.get() == "open"
    assert door.begun == 3
    await once.aclose()


async def test_closing_breaks_an_opening_off() -> None:
    door = Door()
    once = Once(door.open)
    waiting = asyncio.create_task(once.get())
    await asyncio.sleep(0.01)
    await once.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (door.begun, door.opened) == (1, 0)
