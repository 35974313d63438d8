"""Limits hold for each model and tenant, prices are counted by runs, and kept replies cost nothing and need no engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph import Agent, Crew, Task
from crewgraph.runtime.budget import Budget
from crewgraph.runtime.errors import BudgetExceeded, EngineBusy
from crewgraph.serving.house import House
from crewgraph.serving.settings import Price, Settings

from .conftest import Fake, Opens, asked, read

ONE = '[engine.a]\nurl = "{a}"\n'


async def test_a_models_requests_a_minute_are_kept_also_by_those_who_name_none(
    fake: Fake, opens: Opens
) -> None:
    a = await fake("a", "one", "two")
    async with opens(ONE + "[model.one]\nrequests_per_minute = 2\n", a) as client:
        await client.complete(asked("1", model="one"))
        await read(client, asked("2"))
        for request in (asked("3", model="one", timeout_s=1), asked("3", timeout_s=1)):
            with pytest.raises(EngineBusy, match="limit for one is used up; try again in"):
                await client.complete(request)
        await client.complete(asked("3", model="two"))
    assert len(a.bodies) == 3


async def test_tokens_a_minute_are_kept(fake: Fake, opens: Opens) -> None:
    a = await fake("a", "one")
    async with opens(ONE + "[model.default]\ntokens_per_minute = 200\n", a) as client:
        await client.complete(asked("1", model="one", max_tokens=50))  # 110 are used
        with pytest.raises(EngineBusy):
            await client.complete(asked("2", model="one", max_tokens=150, timeout_s=1))


async def test_a_tenants_requests_a_minute_are_kept(fake: Fake, opens: Opens) -> None:
    a = await fake("a", "one")
    text = ONE + "[tenant.guest]\nrequests_per_minute = 1\n[tenant.default]\nrequests_per_minute = 2\n"
    async with opens(text, a) as client:
        for tenant, allowed in (("guest", 1), ("other", 2), ("third", 2)):
            for number in range(allowed):
                await client.complete(asked(f"{number}", tenant=tenant))
            with pytest.raises(EngineBusy, match=f"'{tenant}'"):
                await client.complete(asked("more", tenant=tenant, timeout_s=1))


async def test_replies_say_what_they_cost_at_their_own_engine(fake: Fake, opens: Opens) -> None:
    a, b = await fake("a", "one"), await fake("b", "three")
    text = ONE + 'price = "1000/2000"\n[engine.b]\nurl = "{b}"\n'
    async with opens(text, a, b, price=Price(1, 1)) as client:
        reply = await client.complete(asked(model="one"))
        assert reply.usage.money == pytest.approx((100 * 1000 + 10 * 2000) / 1e6)
        assert (await read(client, asked(model="one"))).usage.money == reply.usage.money
        reply = await client.complete(asked(model="three"))
        assert reply.usage.money == pytest.approx(110 / 1e6), (
            "that of the settings, where the file names none"
        )


async def test_prices_add_up_in_a_runs_budget(fake: Fake, tmp_path: Path) -> None:
    a = await fake("a", "one")
    (tmp_path / "models.toml").write_text(ONE.replace("{a}", a.url) + 'price = "1000/2000"\n')
    tasks = [
        Task(id="one", description="Say something.", agent="helper"),
        Task(id="two", description="Say more.", agent="helper", depends_on=("one",)),
    ]
    crew = Crew([Agent("helper", "Answer.")], name="helpers", tasks=tasks)
    settings = Settings(home=tmp_path, model_url=None, model=None, model_key=None)
    async with House.open(settings) as house:
        outcome = await house.ask(crew, "Say something.", planner="rules")
        record = await house.store.find_run(outcome.run_id)
        assert len(a.bodies) > 1
        assert record.money == pytest.approx(len(a.bodies) * 0.12)
        with pytest.raises(BudgetExceeded, match=r"0\.01 money"):
            await house.ask(crew, "Say something.", planner="rules", budget=Budget(money=0.01))


async def test_a_kept_reply_costs_nothing_says_what_it_saved_and_needs_no_engine(
    fake: Fake, opens: Opens
) -> None:
    a = await fake("a", "one")
    text = 'default = "one"\n' + ONE + 'price = "1000/2000"\n[cache]\n'
    async with opens(text, a) as client:
        first = await client.complete(asked())
        assert first.usage.money > 0
    await a.stop()
    async with opens(text, a) as client:
        for reply in (await client.complete(asked()), await read(client, asked())):
            assert reply.text == first.text
            assert (reply.usage.money, reply.usage.total_tokens) == (0, 0)
            assert reply.usage.saved_tokens == first.usage.total_tokens


async def test_kept_replies_do_not_count_against_limits(fake: Fake, opens: Opens) -> None:
    a = await fake("a", "one")
    async with opens(
        ONE + "[model.one]\nrequests_per_minute = 1\n[cache]\nstore = 'memory://'\n", a
    ) as client:
        for _ in range(5):
            await client.complete(asked(model="one"))
    assert len(a.bodies) == 1


async def test_the_settings_may_ask_for_a_cache(fake: Fake, opens: Opens, tmp_path: Path) -> None:
    a = await fake("a", "one")
    kept = str(tmp_path / "kept.db")
    for _ in range(2):
        async with opens(ONE, a, cache=kept) as client:
            await client.complete(asked(model="one"))
    assert len(a.bodies) == 1


async def test_kept_replies_end_with_their_time(fake: Fake, opens: Opens) -> None:
    a = await fake("a", "one")
    async with opens(ONE + "[cache]\nttl_s = 0.001\n", a) as client:
        await client.complete(asked(model="one"))
        await client.complete(asked("Another."))
    async with opens(ONE + "[cache]\nttl_s = 0.001\n", a) as client:
        await client.complete(asked(model="one"))
    assert len(a.bodies) == 3
