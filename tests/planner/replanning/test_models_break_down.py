"""Where the model is trusted, what failed is broken down by it, and the rest planned anew: what is done still stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crewgraph import ModelRequest, Task
from crewgraph.agents.testing import ScriptedModel
from crewgraph.planner.asked import Asked
from crewgraph.planner.replanning.replanner import Replanner
from crewgraph.planner.strategies.adapt import Adapt
from crewgraph.planner.strategies.model import ModelStrategy
from crewgraph.planner.strategies.rules import Rules
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.policy import Condition

from .conftest import Gauges, Runs, answer, at

BROKEN = OSError("the gauge is broken")
SOME = (Condition(value="$result", test="not_empty"),)


class Planner(ScriptedModel):
    """Writes these plans one after the other, and these texts; `asked` are the requests for plans."""

    def __init__(self, plans: Sequence[Sequence[dict[str, Any]]], texts: Sequence[str] = ()) -> None:
        super().__init__(self._reply)
        self.plans = [json.dumps({"tasks": list(plan)}) for plan in plans]
        self.texts = list(texts)
        self.asked: list[str] = []

    def _reply(self, request: ModelRequest) -> str:
        if request.schema is None:
            return self.texts.pop(0) if self.texts else "Noted."
        self.asked.append(request.messages[-1].content)
        return self.plans.pop(0) if self.plans else '{"tasks": []}'


def level(place: str) -> dict[str, Any]:
    return {"tool": "level", "agent": "gauger", "args": {"place": place}}


def by(model: ScriptedModel) -> dict[str, Any]:
    return {"model": model, "replanner": Replanner(model=ModelStrategy(model)), "trusted": True}


async def test_work_that_came_to_nothing_is_broken_down(gauges: Gauges, runs: Runs) -> None:
    model = Planner([[level("Aba"), level("Bex")]], texts=[""])
    whole = Task(id="t1", description="Find the levels of Aba and Bex", agent="gauger", expects=SOME)
    came = await runs.run(gauges.crew(), [whole, at("t2", "Cam"), answer("t1", "t2")], **by(model))
    assert gauges.done == {("level", "Aba"): 1, ("level", "Bex"): 1, ("level", "Cam"): 1}
    assert all(value in "\n".join((came.answer, *came.evidence)) for value in ("120", "340", "75"))
    assert came.missing == ()
    assert len(came.plans) == 2
    assert len(model.asked) == 1


async def test_a_call_that_failed_is_not_planned_again_whoever_plans(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Aba", *[BROKEN] * 9)
    model = Planner([[level("Aba")]] * 4)
    came = await runs.run(gauges.crew(), [at("t1", "Aba"), at("t2", "Cam"), answer("t1", "t2")], **by(model))
    assert gauges.calls["level", "Aba"] == 1
    assert "75" in came.answer
    assert came.missing[0].startswith("level: Aba")


async def test_the_rest_is_planned_anew_and_what_is_done_is_read(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Aba", *[BROKEN] * 9)
    anew = [level("Cam"), {"tool": "depth", "agent": "gauger", "args": {"place": "Aba"}}]
    model = Planner([[level("Aba")], anew])
    came = await runs.run(gauges.crew(), [at("t1", "Aba"), at("t2", "Cam"), answer("t1", "t2")], **by(model))
    assert gauges.done == {("level", "Cam"): 1, ("depth", "Aba"): 1}
    assert "75" in came.answer
    assert "7 m" in came.answer


async def test_a_model_plans_no_effect_that_nobody_planned_before(gauges: Gauges, runs: Runs) -> None:
    gauges.breaks("level", "Aba", *[BROKEN] * 9)
    effect = {"tool": "file_report", "agent": "gauger", "args": {"place": "Aba"}}
    model = Planner([[effect], [level("Cam"), effect]])
    came = await runs.run(gauges.crew(), [at("t1", "Aba"), at("t2", "Cam"), answer("t1", "t2")], **by(model))
    assert not gauges.calls["file_report", "Aba"]
    assert "75" in came.answer


async def test_one_task_first_and_smaller_ones_only_when_it_fails(gauges: Gauges, runs: Runs) -> None:
    request = "Find the level at Aba and the level at Bex"
    model = Planner([[level("Aba"), level("Bex")]], texts=[""])
    crew = gauges.crew()
    asked = Asked(crew, request, trusted=True)
    ctx = RunContext(Journal("r-1"))
    plan = await Adapt(ModelStrategy(model)).plan(asked, ctx)
    assert [task.tool for task in plan.tasks] == [None]
    assert plan.tasks[0].agent == "gauger"
    assert model.asked == [], "nothing is planned before it fails"
    came = await runs.run(crew, plan.tasks, request, **by(model))
    assert gauges.done == {("level", "Aba"): 1, ("level", "Bex"): 1}
    assert "120" in came.answer
    assert "340" in came.answer
    weak = await Adapt(Rules()).plan(replace(asked, trusted=False), ctx)
    assert {task.tool for task in weak.tasks} == {"level", None}


async def test_rules_break_down_what_a_weak_model_could_not_do(gauges: Gauges, runs: Runs) -> None:
    whole = Task(
        id="t1", description="What is the level at Aba and the level at Bex?", agent="gauger", expects=SOME
    )
    parts: dict[str, Any] = {
        "model": Planner([], texts=[""]),
        "replanner": Replanner(rules=Rules()),
    }
    came = await runs.run(gauges.crew(), [whole, answer("t1")], **parts)
    assert gauges.done == {("level", "Aba"): 1, ("level", "Bex"): 1}
    assert came.missing == ()
