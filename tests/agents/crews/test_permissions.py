"""An agent's calls have no effect that it may not have, and its tasks use no more than it is allowed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from crewgraph import Agent, Allowance, Crew, IdempotencyKey, ModelRequest, Task, tool
from crewgraph.agents.desk import Desk
from crewgraph.agents.testing import ScriptedModel
from crewgraph.agents.writing import Brief
from crewgraph.planner.checking.checker import check
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidCrew, TaskFailed, ToolError
from crewgraph.tools.tool import Tool

Run = Callable[..., Awaitable[Any]]
FINISH = json.dumps({"tool": "finish"})


def pay_into(effects: list[str]) -> Tool:
    @tool(effect="once")
    async def pay(to: str) -> str:
        """Pay somebody.

        Args:
            to: Who gets it.
        """
        effects.append(to)
        return f"paid {to}"

    return pay


def office(effects: list[str], **more: Any) -> Crew:
    reader = Agent("reader", "Look things up.", may=["read_only"], architecture="react")
    boss = Agent("boss", "Decide.", may=["read_only", "once"])
    return Crew([reader, boss], tools=[pay_into(effects)], **more)


def test_a_tool_beyond_it_is_not_offered() -> None:
    crew = office([])
    assert "pay" not in crew.tools_of(crew.agents[0])
    assert "pay" in crew.tools_of(crew.agents[1])
    assert [a.role for a in crew.holders(crew.toolset["pay"])] == ["boss"]


async def test_a_call_beyond_it_is_refused_before_anything_happens(ctx: RunContext) -> None:
    effects: list[str] = []
    crew = office(effects)
    reader = crew.agents[0]
    task = Task(id="t", description="Pay.")
    desk = Desk(reader, crew, ScriptedModel(), ctx, task, Brief("Pay Ann.", "en"), crew.tools_of(reader))
    said = "The agent 'reader' may not call pay: its effect is 'once', and it may have read_only."
    with pytest.raises(ToolError, match=said):
        await desk.call("pay", {"to": "ann"})
    assert effects == []
    assert ctx.journal.finished_steps == 0


async def test_no_plan_has_it_called_by_who_may_not(ask: Run) -> None:
    effects: list[str] = []
    crew = office(effects)
    tasks = [
        Task(id="p", description="Pay.", agent="reader", tool="pay", args={"to": "ann"}),
        Task(id="answer", description="Say it.", agent="boss", depends_on=("p",)),
    ]
    assert [str(f) for f in check(tasks, crew)] == ["Task p: reader may not use pay; give it to boss."]


def test_a_task_of_the_authors_beyond_it_is_refused_when_the_crew_is_made() -> None:
    task = Task(id="p", description="Pay.", agent="reader", tool="pay", args={"to": "ann"})
    with pytest.raises(InvalidCrew, match="Task 'p' has 'reader' call 'pay', whose effect is 'once'"):
        office([], tasks=[task])


async def test_a_colleague_may_what_it_may_and_no_more_for_being_asked(exact: Run) -> None:
    def make(effects: list[str]) -> Crew:
        @tool(effect="idempotent")
        async def file_it(what: str, key: IdempotencyKey) -> str:
            """File something.

            Args:
                what: What to file.
            """
            effects.append(what)
            return f"filed {what}"

        clerk = Agent("clerk", "File.", tools=[file_it], may=["idempotent"], architecture="react")
        lead = Agent("lead", "Lead.", delegates=True, may=["read_only"], architecture="react")
        return Crew([clerk, lead], tasks=[Task(id="t", description="File the letter.", agent="lead")])

    def script(request: ModelRequest) -> str:
        told = "\n".join(m.content for m in request.messages)
        if request.schema is None:
            return "It is filed."
        if "Result:" in told:
            return FINISH
        args = {"colleague": "clerk", "question": "File the letter, please."}
        return json.dumps(
            {"tool": "ask_colleague", "args": args}
            if "You are the lead" in told
            else {"tool": "file_it", "args": {"what": "letter"}}
        )

    ran = await exact(make, script)
    assert ran.effects == ["letter"]


@pytest.mark.parametrize("architecture", [None, "direct"])
async def test_what_an_agent_is_allowed_ends_its_task_and_not_the_run(
    ask: Run, architecture: str | None
) -> None:
    def make(effects: list[str]) -> Crew:
        agents = [
            Agent("ann", "Talk.", allowance=Allowance(tokens=1), architecture=architecture,
                  guardrails=[lambda result: "again"]),
            Agent("ben", "Talk.", architecture="direct"),
        ]  # fmt: skip
        tasks = [
            Task(id="a", description="Talk.", agent="ann", allowance=None),
            Task(id="b", description="Talk.", agent="ben", depends_on=("a",)),
        ]
        return Crew(agents, tasks=tasks)

    with pytest.raises(TaskFailed, match="budget of 1 tokens is used up"):
        await ask(make, lambda _: "far too much of it")


async def test_a_task_with_an_allowance_of_its_own_keeps_it(ask: Run) -> None:
    def make(effects: list[str]) -> Crew:
        ann = Agent(
            "ann",
            "Talk.",
            allowance=Allowance(tokens=1),
            guardrails=[lambda r: "again" if r.text == "no" else None],
        )
        return Crew([ann], tasks=[Task(id="a", description="Talk.", allowance=Allowance(tokens=10_000))])

    ran = await ask(make, lambda r: "yes" if "again" in r.messages[-1].content else "no")
    assert ran.outcome.answer == "yes"
