"""Tenants: for whom runs are made, and what all runs of one may use together."""

from __future__ import annotations

import asyncio
import calendar
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ..runtime.budget import Budget, Cost, SharedMeter
from ..runtime.errors import InvalidInput
from ..runtime.store import Store

Period = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class TenantBudget:
    """What one tenant may use, in all or `per` day or month (UTC), and `without` which tools."""

    budget: Budget
    per: Period | None = None
    without: tuple[str, ...] = ()

    def since(self, now: float) -> float:
        """When the present period began, in seconds since the epoch."""
        if self.per is None:
            return 0.0
        then = time.gmtime(now)
        day = 1 if self.per == "month" else then.tm_mday
        return float(calendar.timegm((then.tm_year, then.tm_mon, day, 0, 0, 0)))


class Tenants:
    """The meters of a house's tenants.

    Runs of one house share one meter, so that they cannot overspend side by side. What runs elsewhere have used is
    read from the store when the period's first run begins here.
    """

    def __init__(self, store: Store, budgets: Mapping[str, TenantBudget]) -> None:
        self._store = store
        self._budgets = dict(budgets)
        self._meters: dict[str, tuple[float, SharedMeter]] = {}
        self._lock = asyncio.Lock()

    def without(self, tenant: str) -> tuple[str, ...]:
        """The tools that are not for this tenant."""
        limits = self._budgets.get(tenant)
        return limits.without if limits is not None else ()

    async def meter(self, tenant: str) -> SharedMeter | None:
        """The tenant's meter for the present period; None where nothing limits it.

        Raises:
            InvalidInput: there are limits for tenants, and this one is not among them.
        """
        if not tenant:
            return None
        limits = self._budgets.get(tenant)
        if limits is None:
            if self._budgets:
                raise InvalidInput(
                    f"There is no tenant {tenant!r}; there are: {', '.join(sorted(self._budgets))}."
                )
            return None
        since = limits.since(time.time())
        async with self._lock:
            known = self._meters.get(tenant)
            if known is None or known[0] != since:
                used = await self._store.usage(tenant, since)
                meter = SharedMeter(
                    limits.budget,
                    of=f"tenant {tenant}",
                    spent=Cost(used.tokens, used.tool_calls, used.money),
                    seconds=used.seconds,
                )
                known = self._meters[tenant] = (since, meter)
            return known[1]


def read_tenants(file: Path) -> dict[str, TenantBudget]:
    """The tenants of a TOML file: a table for each, with limits and ``per``. A file that is not there: none.

    Raises:
        InvalidInput: it is not TOML, or a limit is not one.
    """
    if not file.exists():
        return {}
    try:
        tables: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The tenants file {file} cannot be read: {error}.") from None
    return {name: _tenant(file, name, table) for name, table in tables.items()}


_LIMITS = tuple(field.name for field in fields(Budget))


def _tenant(file: Path, name: str, table: Any) -> TenantBudget:
    if not isinstance(table, dict):
        raise InvalidInput(f"{file}: {name!r} is not a table; write [{name}] and its limits below it.")
    per = table.pop("per", None)
    if per not in (None, "day", "month"):
        raise InvalidInput(f'{file}: tenant {name!r} has per = {per!r}; it is "day" or "month".')
    without = table.pop("without", [])
    if not isinstance(without, list) or not all(isinstance(tool, str) for tool in without):
        raise InvalidInput(
            f"{file}: tenant {name!r} has without = {without!r}; it is a list of tools' names."
        )
    for limit, value in table.items():
        if limit not in _LIMITS:
            raise InvalidInput(
                f"{file}: tenant {name!r} has no limit {limit!r}; there are: {', '.join(_LIMITS)}."
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise InvalidInput(f"{file}: tenant {name!r} has {limit} = {value!r}; it is a number from 0 up.")
    return TenantBudget(Budget(**table), per, tuple(without))
