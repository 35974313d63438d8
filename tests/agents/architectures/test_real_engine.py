"""Every architecture, once, on a model that really writes (marker `engine`): it ends within its bound and says something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from crewgraph.agents.architectures import NAMES
from crewgraph.agents.architectures.architecture import Architecture
from crewgraph.agents.architectures.debate import Debate
from crewgraph.agents.architectures.direct import Direct
from crewgraph.agents.architectures.plan_and_solve import PlanAndSolve
from crewgraph.agents.architectures.react import React
from crewgraph.agents.architectures.reflection import Reflection
from crewgraph.agents.architectures.self_consistency import SelfConsistency
from crewgraph.agents.architectures.supervisor import Supervisor
from crewgraph.agents.architectures.tree_of_thoughts import TreeOfThoughts
from crewgraph.agents.testing import ForbiddenModel
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import StepFinished
from crewgraph.serving.engines import engine_client
from crewgraph.serving.settings import Settings

from .conftest import Office, Shop

SMALL: Sequence[Architecture] = (
    Direct(),
    React(turns=2),
    PlanAndSolve(steps=2),
    Reflection(rounds=1),
    SelfConsistency(samples=3),
    TreeOfThoughts(breadth=1, branches=2, depth=2),
    Debate(rounds=1),
    Supervisor(rounds=2, calls=8),
)


def test_all_of_them_are_tried() -> None:
    assert {way.name for way in SMALL} == set(NAMES)


@pytest.mark.engine
@pytest.mark.parametrize("way", SMALL, ids=lambda way: way.name)
async def test_it_runs_on_a_real_engine_and_replays_without_one(
    way: Any, shared_home: Settings, office: Office
) -> None:
    shop = Shop(max_tokens=64)
    agent = replace(shop.boss if way.name == "supervisor" else shop.clerk, max_tokens=64)
    async with engine_client(shared_home) as client, office.at_work(shop, agent, client) as desk:
        found = await way.conclude(desk)
    assert found.text.strip()
    calls = sum(isinstance(event, StepFinished) and event.name == "model" for event in office.heard)
    assert 1 <= calls <= way.most_calls(agent)
    async with office.opened() as store:
        ctx = RunContext(await store.read_run("last")).for_task("t")
        again = await way.conclude(office.desk(shop, agent, ForbiddenModel(), ctx))
    assert again == found
