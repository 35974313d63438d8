"""Owns `Engine`: one engine of the models file, opened at the first call that needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from ..settings import Price
from .file import EngineTable
from .once import Once
from .priced import Priced

if TYPE_CHECKING:
    from ..client.dialects.dialect import EngineKind
    from ..client.http import HttpModelClient
    from ..client.routing import Replica


class Engine:
    """One engine: what it serves, its client, and the same as a router sees it.

    `opening` opens its client. `told` names its models where that can be told without opening it. `price` is for an
    engine whose table names none. A `watched` one is asked how busy it is, which only a choice among several needs.
    """

    def __init__(
        self,
        name: str,
        table: EngineTable,
        opening: Callable[[], AbstractAsyncContextManager[HttpModelClient]],
        *,
        told: Callable[[], Sequence[str]] | None = None,
        kind: EngineKind | None = None,
        price: Price | None = None,
        watched: bool = True,
    ) -> None:
        self.name = name
        self.table = table
        self.kind = table.kind or kind
        self._client = Once(opening)
        self._told = told
        self._price = Price.parse(table.price) if table.price is not None else price
        self._watched = watched
        self._replica: Replica | None = None

    @property
    def models(self) -> tuple[str, ...] | None:
        """What it serves, where that is known without asking it."""
        if self.table.models:
            return self.table.models
        if self._told is not None and self._client.value is None:
            return tuple(self._told())
        return None

    async def ask(self) -> tuple[str, ...]:
        """What it serves; and `kind` is known then. Raises `EngineError`: it does not answer."""
        client = await self._client.get()
        found = tuple(await client.models())
        self.kind = self.kind or await client.kind()
        return self.table.models or found

    async def replica(self) -> Replica:
        """It as a router sees it. Raises `EngineError`: it cannot be brought up."""
        from ..client.routing import Replica, metrics_of

        client = await self._client.get()
        if self._replica is None:
            seen = client if self._price is None else Priced(client, self._price)
            watch = metrics_of(client) if self._watched else None
            self._replica = Replica(self.name, seen, self.table.weight, watch)
        return self._replica

    async def native_tools(self, model: str | None) -> bool:
        """Whether a model's chat template takes tools: as the table says, else the engine. Raises `EngineError`."""
        if self.table.native_tools is not None:
            return self.table.native_tools
        return (await (await self._client.get()).served(model)).native_tools is True

    async def aclose(self) -> None:
        """Close its client."""
        await self._client.aclose()
