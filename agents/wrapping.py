"""Wrapping: a model client that hands everything on to another, for those that change one thing."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from .model import Embeddings, ModelClient, ModelDelta, ModelReply, ModelRequest


class Wrapping(ModelClient):
    """A `ModelClient` around `inner`; subclasses override what they change. Closing it closes `inner`."""

    def __init__(self, inner: ModelClient) -> None:
        self.inner = inner

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The inner client's reply."""
        return await self.inner.complete(request)

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The inner client's stream."""
        return self.inner.stream(request)

    async def models(self) -> list[str]:
        """The inner client's models."""
        return await self.inner.models()

    async def aclose(self) -> None:
        """Close the inner client."""
        await self.inner.aclose()

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """The inner client's vectors."""
        return await self.inner.embed(texts, model=model)

    async def count_tokens(self, request: ModelRequest) -> int:
        """The inner client's count."""
        return await self.inner.count_tokens(request)

    async def context_tokens(self, model: str | None = None) -> int | None:
        """The inner client's window."""
        return await self.inner.context_tokens(model)
