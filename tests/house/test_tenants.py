"""Runs are made for tenants, who share what they may use; what it says in their file is checked."""

from __future__ import annotations

import calendar
import time
from pathlib import Path
from typing import Any

import pytest

from crewgraph import Budget, House, Settings, Usage
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import BudgetExceeded, InvalidInput, TaskFailed
from crewgraph.serving.settings import Price
from crewgraph.serving.tenants import TenantBudget, read_tenants

COMPARE = "Which costs more, a pen or ink?"


async def test_a_tenants_runs_share_its_budget_over_houses(settings: Settings, shop: Any, model: Any) -> None:
    tenants = {"acme": TenantBudget(Budget(tool_calls=6))}
    for _ in range(2):
        async with House.open(settings, client=model, tenants=tenants) as house:
            outcome = await house.ask(shop.crew, COMPARE, tenant="acme", planner="rules")
            calls = (await house.store.usage("acme")).tool_calls
    assert calls == 6  # the comparison is a tool call too
    assert outcome.answer


async def test_a_tenant_that_has_used_up_its_budget_is_stopped(
    settings: Settings, shop: Any, model: Any
) -> None:
    tenants = {"acme": TenantBudget(Budget(tool_calls=4)), "other": TenantBudget(Budget())}
    async with House.open(settings, client=model, tenants=tenants) as house:
        await house.ask(shop.crew, COMPARE, tenant="acme", planner="rules")
        second = await house.ask(shop.crew, COMPARE, tenant="acme", planner="rules")
        assert "Missing: " in second.answer, "one call was left, and two were wanted"
        with pytest.raises((BudgetExceeded, TaskFailed), match="tool calls"):
            await house.ask(shop.crew, COMPARE, tenant="acme", planner="rules")
        assert (await house.store.usage("acme")).tool_calls == 4
        await house.ask(shop.crew, COMPARE, tenant="other", planner="rules")


async def test_an_unknown_tenant_is_refused_where_there_are_known_ones(
    settings: Settings, shop: Any, model: Any
) -> None:
    async with House.open(settings, client=model, tenants={"acme": TenantBudget(Budget())}) as house:
        with pytest.raises(InvalidInput, match="no tenant 'acne'; there are: acme"):
            await house.ask(shop.crew, COMPARE, tenant="acne")


def test_a_month_begins_on_its_first_day() -> None:
    now = calendar.timegm((2026, 11, 22, 13, 0, 0))
    limits = TenantBudget(Budget(), "month")
    assert time.gmtime(limits.since(now))[:6] == (2026, 11, 1, 0, 0, 0)
    assert time.gmtime(TenantBudget(Budget(), "day").since(now))[:6] == (2026, 11, 22, 0, 0, 0)
    assert TenantBudget(Budget()).since(now) == 0


def test_the_tenants_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text('[acme]\ntokens = 2_000_000\nmoney = 20.0\nsoft = 0.8\nper = "month"\n', "utf-8")
    found = read_tenants(file)
    assert found == {"acme": TenantBudget(Budget(tokens=2_000_000, money=20.0, soft=0.8), "month")}
    assert read_tenants(tmp_path / "none.toml") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[acme\n", "cannot be read"),
        ("acme = 3\n", r"write \[acme\]"),
        ("[acme]\ntokns = 3\n", "no limit 'tokns'"),
        ('[acme]\ntokens = "many"\n', "it is a number"),
        ("[acme]\ntokens = -1\n", "from 0 up"),
        ('[acme]\nper = "year"\n', '"day" or "month"'),
        ('[acme]\nwithout = "price"\n', "a list of tools' names"),
    ],
)
def test_a_wrong_tenants_file_is_said_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(InvalidInput, match=said):
        read_tenants(file)


def test_tokens_cost_what_the_price_says() -> None:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=500_000)
    assert Price.parse("0.15/0.60").of(usage) == pytest.approx(0.45)


@pytest.mark.parametrize("text", ["", "1", "a/b", "1/-2", "1/2/3"])
def test_a_wrong_price_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a price"):
        Price.parse(text)


async def test_near_a_soft_limit_the_rules_plan(settings: Settings, shop: Any, able: Any) -> None:
    client: ScriptedModel = able([])
    tenants = {"acme": TenantBudget(Budget(tool_calls=5, soft=0.5))}
    async with House.open(settings, client=client, tenants=tenants) as house:
        await house.ask(shop.crew, COMPARE, tenant="acme", planner="rules")
        second = await house.ask(shop.crew, "Look up a pen, then plan a purchase.", tenant="acme")
        plan = next(e for e in await house.store.events(second.run_id) if e.kind == "plan_made")
        assert plan.strategy == "rules"
        assert any("runs low" in note for note in plan.notes)
        assert (await house.replay(second.run_id, shop.crew)).answer == second.answer


async def test_a_tool_that_is_kept_from_a_tenant_is_neither_planned_nor_called(
    settings: Settings, shop: Any, model: Any
) -> None:
    tenants = {"guest": TenantBudget(Budget(), without=("price",)), "acme": TenantBudget(Budget())}
    async with House.open(settings, client=model, tenants=tenants) as house:
        kept = await house.ask(shop.crew, COMPARE, tenant="guest")
        assert not shop.calls
        assert (await house.replay(kept.run_id, shop.crew)).answer == kept.answer
        await house.ask(shop.crew, COMPARE, tenant="acme")
        assert sorted(shop.calls) == ["ink", "pen"]
