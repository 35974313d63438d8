"""Agents ask colleagues, who really work, and hand tasks on: in the same run, exactly once, and never in a circle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph import Agent, Crew, ModelRequest, Task, TaskGraph, tool
from crewgraph.agents.desk import Desk
from crewgraph.agents.interop.tasks.function import function_agent
from crewgraph.agents.testing import ScriptedModel
from crewgraph.agents.worker import CrewWorker
from crewgraph.agents.working.delegation import like
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.journalling.journal import Journal

Run = Callable[..., Awaitable[Any]]
FINISH = json.dumps({"tool": "finish"})


def act(name: str, **args: Any) -> str:
    return json.dumps({"tool": name, "args": args})


def ask_for(colleague: str, question: str) -> str:
    return act("ask_colleague", colleague=colleague, question=question)


def role(request: ModelRequest) -> str:
    return request.messages[0].content.split("You are the ", 1)[1].split(".", 1)[0]


def all_told(request: ModelRequest) -> str:
    return "\n".join(message.content for message in request.messages)


TASK = Task(id="t", description="Find the price of a pen.", agent="lead")


def shop(effects: list[str], *, delegates: Any = True, **more: Any) -> Crew:
    @tool(unit="EUR")
    async def price(item: str) -> float:
        """The price of an item.

        Args:
            item: What is sold.
        """
        effects.append(item)
        return 12.5

    agents = [
        Agent("clerk", "Know prices.", tools=[price], model="small"),
        Agent("lead", "Answer.", delegates=delegates, architecture="react"),
    ]
    return Crew(agents, tasks=[TASK], **more)


def shop_script(request: ModelRequest) -> str:
    told = all_told(request)
    if role(request) == "lead":
        if request.schema is not None:
            return FINISH if "Result:" in told else ask_for("clerk", "What does a pen cost?")
        return "A pen costs 12.5 EUR."
    if request.schema is not None:
        return FINISH if "Result:" in told else act("price", item="pen")
    return "12.5 EUR, says the till."


async def test_a_colleague_who_is_asked_really_works(exact: Run) -> None:
    ran = await exact(shop, shop_script, "What does a pen cost?")
    assert ran.effects == ["pen"]
    assert ran.outcome.answer == "A pen costs 12.5 EUR."
    assert ran.outcome.evidence == ("pen: price 12.5 EUR [price]",)
    assert "12.5 EUR, says the till." in all_told(ran.requests[-1])
    assert {r.model for r in ran.requests if role(r) == "clerk"} == {"small"}
    assert ran.notes == ["lead asks clerk: What does a pen cost?"]
    assert ran.tasks == ["t"]


async def test_only_who_delegates_is_offered_colleagues_and_only_those_it_names(ask: Run) -> None:
    offered: dict[str, Any] = {}

    def script(request: ModelRequest) -> str:
        offered[role(request)] = offered.get(role(request), "") + json.dumps(request.schema)
        return FINISH if request.schema is not None else "Oslo"

    def make(effects: list[str]) -> Crew:
        agents = [
            Agent("clerk", "Know.", architecture="react"),
            Agent("boss", "Decide."),
            Agent("lead", "Lead.", delegates=["clerk"], architecture="react"),
        ]
        tasks = [Task(id=a.role, description="Name a city.", agent=a.role) for a in agents]
        return Crew(agents, tasks=tasks, process="sequential")

    await ask(make, script)
    assert '"clerk"' in offered["lead"]
    assert "boss" not in offered["lead"]
    assert "ask_colleague" not in offered["clerk"] + offered["boss"]


async def test_a_colleague_who_cannot_is_said_to_the_one_who_asked(ask: Run) -> None:
    def make(effects: list[str]) -> Crew:
        agents = [
            Agent("clerk", "Know.", guardrails=[lambda result: "no such thing"], corrections=0),
            Agent("lead", "Lead.", delegates=True, architecture="react"),
        ]
        return Crew(agents, tasks=[TASK])

    def script(request: ModelRequest) -> str:
        if role(request) == "lead" and request.schema is not None:
            return FINISH if "That did not work" in all_told(request) else ask_for("clerk", "What is it?")
        return "Nobody knows."

    ran = await ask(make, script)
    assert ran.outcome.answer == "Nobody knows."
    assert "clerk: the guardrail 'guardrail' refused its only attempt: no such thing" in all_told(
        ran.requests[-1]
    )


def pair(**more: Any) -> Crew:
    agents = [
        Agent("a", "Ask b.", delegates=True, architecture="react"),
        Agent("b", "Ask a.", delegates=True, architecture="react"),
    ]
    return Crew(agents, tasks=[Task(id="t", description="Find the price of a pen.", agent="a")], **more)


async def test_who_waits_for_the_answer_is_not_asked_the_same(exact: Run) -> None:
    def script(request: ModelRequest) -> str:
        other = "b" if role(request) == "a" else "a"
        if request.schema is None:
            return f"{role(request)} gives up."
        return (
            FINISH
            if "That did not work" in all_told(request) or "Result:" in all_told(request)
            else ask_for(other, "What is the price of a pen?")
        )

    ran = await exact(lambda _: pair(depth=3), script)
    assert "The a is waiting for you to answer just that" in "".join(map(all_told, ran.requests))
    assert ran.notes == ["a asks b: What is the price of a pen?"]
    assert ran.outcome.answer == "a gives up."


async def test_something_else_may_be_asked_back(ask: Run) -> None:
    def script(request: ModelRequest) -> str:
        told = all_told(request)
        if request.schema is None:
            return "A green one." if "Which colour" in request.messages[1].content else "12.5 EUR"
        if "Result:" in told or "Request: Which colour" in told:
            return FINISH
        return (
            ask_for("b", "What is the price of a pen?")
            if role(request) == "a"
            else ask_for("a", "Which colour?")
        )

    ran = await ask(lambda _: pair(), script)
    assert ran.notes == ["a asks b: What is the price of a pen?", "b asks a: Which colour?"]


async def test_a_task_is_handed_on_as_a_whole(exact: Run) -> None:
    def make(effects: list[str]) -> Crew:
        crew = shop(effects)
        host = Agent("host", "Say it.", architecture="direct")
        tasks = [TASK, Task(id="u", description="Say it nicely.", agent="host", depends_on=("t",))]
        return Crew([*crew.agents, host], tasks=tasks)

    def script(request: ModelRequest) -> str:
        told = all_told(request)
        if role(request) == "lead":
            return act("hand_off", colleague="clerk", why="it knows prices")
        if role(request) == "host":
            return "Answer: with pleasure, 12.5 EUR"
        if request.schema is not None:
            return FINISH if "Result:" in told else act("price", item="pen")
        return "12.5 EUR, says the till."

    ran = await exact(make, script)
    assert ran.effects == ["pen"]
    assert ran.notes == ["lead hands the task to clerk: it knows prices"]
    assert [role(r) for r in ran.requests if role(r) == "lead"] == ["lead"]
    assert ran.outcome.answer == "with pleasure, 12.5 EUR"
    clerk = next(r for r in ran.requests if role(r) == "clerk")
    assert "Task: Find the price of a pen." in all_told(clerk)
    assert "12.5 EUR, says the till." in all_told(ran.requests[-1])


async def test_who_gave_a_task_away_does_not_get_it_back(exact: Run) -> None:
    def script(request: ModelRequest) -> str:
        other = "b" if role(request) == "a" else "a"
        if request.schema is None:
            return f"{role(request)} did it."
        names = json.dumps(request.schema)
        return act("hand_off", colleague=other, why="") if "hand_off" in names else FINISH

    ran = await exact(lambda _: pair(), script)
    assert ran.notes == ["a hands the task to b."]
    assert ran.outcome.answer == "b did it."


async def test_a_guardrail_holds_who_has_the_task_now(ask: Run) -> None:
    def make(effects: list[str]) -> Crew:
        agents = [
            Agent("b", "Do.", guardrails=[lambda r: "too short" if len(r.text) < 4 else None]),
            Agent("a", "Lead.", delegates=True, architecture="react", guardrails=[lambda r: "never asked"]),
        ]
        return Crew(agents, tasks=[Task(id="t", description="Say it.", agent="a")])

    def script(request: ModelRequest) -> str:
        if role(request) == "a":
            return act("hand_off", colleague="b", why="")
        return "a long one" if "too short" in all_told(request) else "no"

    assert (await ask(make, script)).outcome.answer == "a long one"


ROLES = ("a", "b", "c", "d")
QUESTIONS = ("What is the price of a pen?", "Who sells ink here?", "When does the shop open?")


@settings(max_examples=40, deadline=None)
@given(
    choices=st.lists(
        st.tuples(
            st.sampled_from(["ask_colleague", "hand_off", "finish"]),
            st.sampled_from(ROLES),
            st.sampled_from(QUESTIONS),
        ),
        min_size=1,
        max_size=40,
    ),
    depth=st.integers(1, 3),
)
def test_whatever_agents_ask_of_each_other_it_ends_within_its_bounds(
    choices: list[tuple[str, str, str]], depth: int
) -> None:
    """A model that asks and hands on as it likes: never deeper than allowed, never round in a circle, always an end."""
    turns = 2
    agents = [Agent(r, f"Be {r}.", delegates=True, architecture="react", max_turns=turns) for r in ROLES]
    crew = Crew(agents, tasks=[Task(id="t", description="Find out.", agent="a")], depth=depth)
    count = 0

    def script(request: ModelRequest) -> str:
        nonlocal count
        count += 1
        if request.schema is None:
            return "done"
        name, who, question = choices[count % len(choices)]
        if name == "finish":
            return FINISH
        args = {"question": question} if name == "ask_colleague" else {"why": question}
        return act(name, colleague=who, **args)

    async def carry_out() -> None:
        ctx = RunContext(Journal("run"))
        worker = CrewWorker(crew, TaskGraph(crew.tasks), ScriptedModel(script), "Find out.", "en")
        result = await worker(crew.tasks[0], ctx.for_task("t"))
        assert result.text == "done"

    asyncio.run(carry_out())
    shifts = sum((turns * len(ROLES)) ** level for level in range(depth + 1)) * len(ROLES)
    assert count <= shifts * (turns + 1)


async def test_colleagues_who_are_asked_side_by_side_are_each_asked_once(exact: Run) -> None:
    async def lead(desk: Desk) -> str:
        asked = [
            ("clerk", "What does a pen cost?"),
            ("clerk", "What does ink cost?"),
            ("host", "Who are you?"),
        ]
        said = await asyncio.gather(
            *(desk.call("ask_colleague", {"colleague": c, "question": q}) for c, q in asked)
        )
        return " ".join(map(str, said))

    def make(effects: list[str]) -> Crew:
        clerk = shop(effects).agents[0]
        agents = [
            clerk,
            Agent("host", "Say it.", architecture="direct"),
            Agent("lead", "Lead.", delegates=True, architecture=function_agent(lead)),
        ]
        return Crew(agents, tasks=[TASK])

    def script(request: ModelRequest) -> str:
        told = all_told(request)
        if role(request) == "host":
            return "Answer: the host"
        item = "ink" if "ink" in told else "pen"
        if request.schema is not None:
            return FINISH if "Result:" in told else act("price", item=item)
        return f"{item} is 12.5"

    ran = await exact(make, script)
    assert sorted(ran.effects) == ["ink", "pen"]
    assert ran.outcome.answer == "pen is 12.5 ink is 12.5 the host"
    assert ran.outcome.evidence == ("pen: price 12.5 EUR [price]", "ink: price 12.5 EUR [price]")


async def test_code_that_catches_everything_hands_its_task_on_all_the_same(exact: Run) -> None:
    async def stubborn(desk: Desk) -> str:
        try:
            await desk.call("hand_off", {"colleague": "host", "why": "no time"})
        except Exception:
            return "kept it"
        return "went on"

    def make(effects: list[str]) -> Crew:
        agents = [
            Agent("host", "Say it.", architecture="direct"),
            Agent("lead", "Lead.", delegates=True, architecture=function_agent(stubborn)),
        ]
        return Crew(agents, tasks=[TASK])

    ran = await exact(make, lambda _: "Answer: the host did it")
    assert ran.outcome.answer == "the host did it"


def test_what_is_asked_in_other_words_is_the_same_thing() -> None:
    assert like("What is the price of a pen?", "the price of the pen, please")
    assert like("钢笔多少钱？", "钢笔多少钱")
    assert not like("What is the price of a pen?", "Which colour is it?")
    assert not like("?", "!")
    assert like("?", " ? ")
