"""What a model can be trusted with is asked once, remembered, and said; its key is kept out of everything."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from crewgraph import House, Settings
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.events import PlanMade

ERRAND = "Look up what a pen costs, then plan a purchase."
"""More than the rules are sure of: who is asked to plan it depends on the model."""


def quizzed(model: ScriptedModel) -> int:
    return sum(bool(r.choices) for r in model.requests)


async def strategies(house: House) -> list[str]:
    runs = await house.store.list_runs()
    events = [e for run in runs for e in await house.store.events(run.id)]
    return [e.strategy for e in events if isinstance(e, PlanMade)]


async def test_the_quiz_is_put_once_and_remembered(
    settings: Settings, model: ScriptedModel, shop: Any
) -> None:
    for _ in range(2):
        async with House.open(settings, client=model) as house:
            for _ in range(2):
                await house.ask(shop.crew, ERRAND)
    assert quizzed(model) == 10
    kept = json.loads((settings.home / "aptitudes.json").read_text())
    assert list(kept) == ["embedded scripted"]


async def test_requests_at_once_put_it_once_too(house: House, model: ScriptedModel, shop: Any) -> None:
    await asyncio.gather(*(house.ask(shop.crew, ERRAND) for _ in range(6)))
    assert quizzed(model) == 10


async def test_another_model_and_another_server_are_asked_anew(
    settings: Settings, shop: Any, able: Any, model: ScriptedModel
) -> None:
    async with House.open(settings, client=model) as house:
        await house.ask(shop.crew, ERRAND)
        assert await strategies(house) == ["rules"]
    better = able([{"agent": "clerk", "tool": "price", "args": {"item": "pen"}}])
    elsewhere = replace(settings, model_url="http://127.0.0.1:9/v1")
    async with House.open(elsewhere, client=better) as house:
        await house.ask(shop.crew, ERRAND)
        assert (await strategies(house))[0] == "stream"
    assert quizzed(better) == 10


async def test_spoilt_memory_is_asked_again(settings: Settings, model: ScriptedModel, shop: Any) -> None:
    settings.home.mkdir(parents=True)
    for spoilt in ("{", "[]", '{"embedded scripted": 3}', '{"embedded scripted": {"score": 1}}'):
        (settings.home / "aptitudes.json").write_text(spoilt)
        async with House.open(settings, client=model) as house:
            assert "12.5" in (await house.ask(shop.crew, ERRAND)).answer
    assert quizzed(model) == 40


async def test_the_models_key_is_in_no_file_that_is_kept(
    settings: Settings, model: ScriptedModel, shop: Any
) -> None:
    async with House.open(settings, client=model) as house:
        await house.ask(shop.crew, "Which costs more, a pen or ink?")
        await house.ask(shop.crew, "Hello!")
        for file in settings.home.rglob("*"):
            assert not file.is_file() or b"sesame-very-secret" not in file.read_bytes(), file
    assert settings.model_key == "sesame-very-secret"
    assert "sesame" not in repr(settings)
