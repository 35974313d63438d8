"""LazyClient: a model client that opens the engines at the first call, and those that stand before it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..agents.model import Embeddings, ModelClient, ModelDelta, ModelReply, ModelRequest
from ..agents.wrapping import Wrapping
from ..runtime.errors import EngineError
from .endpoints.once import Once
from .settings import Settings

if TYPE_CHECKING:
    from .engines.progress import Progress


class LazyClient(ModelClient):
    """A `ModelClient` that opens the settings' engines at the first call, once, and closes them with the house."""

    def __init__(
        self, settings: Settings, stack: AsyncExitStack, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self._settings = settings
        self._on_progress = on_progress
        self._client: Once[ModelClient] = Once(self._open)
        stack.push_async_callback(self._client.aclose)

    def _open(self) -> AbstractAsyncContextManager[ModelClient]:
        from .endpoints.opening import open_models

        extra: dict[str, Any] = {"on_progress": self._on_progress} if self._on_progress else {}
        return open_models(self._settings, **extra)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One call, on the engine."""
        return await (self._client.value or await self._client.get()).complete(request)

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """One streamed call, on the engine."""
        client = self._client.value
        return self._stream(request) if client is None else client.stream(request)

    async def models(self) -> list[str]:
        """What the engine serves."""
        return await (await self._client.get()).models()

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """Vectors, from the engine."""
        return await (await self._client.get()).embed(texts, model=model)

    async def count_tokens(self, request: ModelRequest) -> int:
        """A count, by the engine's own tokenizer."""
        return await (await self._client.get()).count_tokens(request)

    async def context_tokens(self, model: str | None = None) -> int | None:
        """The engine's window."""
        return await (await self._client.get()).context_tokens(model)

    async def aclose(self) -> None:
        """The house closes the engine's client; nothing to do here."""

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        client = await self._client.get()
        async with aclosing(client.stream(request)) as deltas:
            async for delta in deltas:
                yield delta


class NoEngine(LazyClient):
    """A `ModelClient` for replays: whatever is asked of it was not in the journal."""

    def _open(self) -> AbstractAsyncContextManager[ModelClient]:
        raise EngineError(
            "A replay calls no model, and this one wanted to: the run's code or crew has changed since."
        )


class OtherModel(Wrapping):
    """A `ModelClient` that asks another model than its callers name: a fork tries one out.

    It stands below the journal, so that steps keep their keys, and what was recorded is still read back.
    """

    def __init__(self, inner: ModelClient, model: str) -> None:
        super().__init__(inner)
        self.model = model

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One call, on that model."""
        return await self.inner.complete(replace(request, model=self.model))

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """One streamed call, on that model."""
        return self.inner.stream(replace(request, model=self.model))

    async def aclose(self) -> None:
        """Who made the inner client closes it."""
