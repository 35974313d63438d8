"""Owns `ClientLoop`: the one event loop that a model client lives on, and the doors to it from threads and other loops."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future
from contextlib import aclosing
from typing import Any, Protocol, TypeVar, runtime_checkable

from ...runtime.errors import EngineError, InvalidRequest
from ..model import ModelClient, ModelDelta, ModelReply, ModelRequest
from .scope import current_scope

T = TypeVar("T")
_END = object()
STANDSTILL_S = 30.0
"""A loop that does not begin a call within these seconds is taken to be blocked by the very code that waits."""


@runtime_checkable
class Homed(Protocol):
    """A client that says itself on which loop it is to be asked, at each call."""

    def home(self) -> asyncio.AbstractEventLoop:
        """The loop."""
        ...


class ClientLoop:
    """A client's connections belong to one event loop; other frameworks call from threads and loops of their own.

    The loop is the one running where this is made, or else the one that calls first. Where a thread calls first, a
    thread with a loop of its own is started for the client, and ended by `close`, or with this object. All methods
    may be called from anywhere; on the client's own loop they go straight to it.
    """

    def __init__(self, client: ModelClient) -> None:
        self.client = client
        self._homed = client if isinstance(client, Homed) else None
        self._lock = threading.Lock()
        self._ender: weakref.finalize[..., Any] | None = None
        self._thread: threading.Thread | None = None
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole reply, for a coroutine on any loop."""
        return await self.run(lambda: self.client.complete(request))

    async def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the client's coroutine gives, for a coroutine on any loop; cancelling this cancels that."""
        here = asyncio.get_running_loop()
        home = self._home(here)
        if home is here:
            return await make()
        future = self._submit(home, make)
        try:
            return await asyncio.wrap_future(future)
        finally:
            future.cancel()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written, for a coroutine on any loop; closing it closes the client's stream."""
        here = asyncio.get_running_loop()
        home = self._home(here)
        if home is here:
            async with aclosing(self.client.stream(request)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        pieces: asyncio.Queue[Any] = asyncio.Queue()

        def tell(piece: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop that asked has ended meanwhile
                here.call_soon_threadsafe(pieces.put_nowait, piece)

        future = self._submit(home, lambda: self._pump(request, tell))
        future.add_done_callback(lambda _: tell(_END))
        try:
            while (piece := await pieces.get()) is not _END:
                yield piece
            _result(future)
        finally:
            future.cancel()

    def complete_now(self, request: ModelRequest) -> ModelReply:
        """The whole reply, for a thread."""
        return self.run_now(lambda: self.client.complete(request))

    def run_now(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the client's coroutine gives, for a thread, which waits.

        Raises `InvalidRequest` on the thread of the client's own loop: waiting there would be for ever.
        """
        future = self._begun(make)
        try:
            return _result(future)
        finally:
            future.cancel()

    def stream_now(self, request: ModelRequest) -> Generator[ModelDelta, None, None]:
        """The reply as it is written, for a thread; closing it closes the client's stream."""
        pieces: queue.SimpleQueue[Any] = queue.SimpleQueue()
        future = self._begun(lambda: self._pump(request, pieces.put))
        future.add_done_callback(lambda _: pieces.put(_END))
        try:
            while (piece := pieces.get()) is not _END:
                yield piece
            _result(future)
        finally:
            future.cancel()

    def close(self) -> None:
        """End the thread that was started for the client, after closing the client there; else do nothing."""
        with self._lock:
            ender, thread = self._ender, self._thread
        if ender is not None and thread is not None:
            ender()
            thread.join()

    async def _pump(self, request: ModelRequest, tell: Callable[[Any], None]) -> None:
        async with aclosing(self.client.stream(request)) as deltas:
            async for delta in deltas:
                tell(delta)

    def _home(self, here: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop:
        if self._homed is not None:
            return self._homed.home()
        with self._lock:
            if self._loop is None:
                self._loop = here or self._start()
            return self._loop

    def _start(self) -> asyncio.AbstractEventLoop:
        ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(
            target=_live, args=(self.client, ready), name="crewgraph model client", daemon=True
        )
        self._thread.start()
        loop, over = ready.result()
        self._ender = weakref.finalize(self, _tell_over, loop, over)
        return loop

    def _begun(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        try:
            here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        home = self._home(None)
        if here is home:
            raise InvalidRequest(
                "The model was called synchronously on the event loop that its client lives on, which would wait for "
                "ever; use the framework's async door, or run the synchronous one in asyncio.to_thread."
            )
        begun = threading.Event()

        async def work() -> T:
            begun.set()
            return await make()

        future = self._submit(home, work)
        future.add_done_callback(lambda _: begun.set())
        if not begun.wait(STANDSTILL_S):
            future.cancel()
            raise EngineError(
                f"The event loop that the model's client lives on has not turned for {STANDSTILL_S:g} s; it is likely "
                "blocked by a synchronous call that waits for this one: run that in asyncio.to_thread."
            )
        return future

    def _submit(
        self, home: asyncio.AbstractEventLoop, make: Callable[[], Coroutine[Any, Any, T]]
    ) -> Future[T]:
        def start() -> Future[T]:
            work = make()
            try:
                if not home.is_running():
                    raise RuntimeError
                return asyncio.run_coroutine_threadsafe(work, home)
            except RuntimeError:
                work.close()
                raise InvalidRequest(
                    "The event loop that the model's client lived on has ended; make the client and its adapter "
                    "inside the loop that runs now."
                ) from None

        scope = current_scope()
        return start() if scope is None else scope.begin(start)


def _result(future: Future[T]) -> T:
    try:
        return future.result()
    except CancelledError:
        raise asyncio.CancelledError("the model call was ended") from None


def _live(client: ModelClient, ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    async def until_over() -> None:
        over = asyncio.Event()
        ready.set_result((asyncio.get_running_loop(), over))
        await over.wait()
        await client.aclose()

    asyncio.run(until_over())


def _tell_over(loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # it has ended by itself
        loop.call_soon_threadsafe(over.set)
