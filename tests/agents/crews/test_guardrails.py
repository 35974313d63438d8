"""Nothing that a guardrail refuses is seen by anybody: the agent is told why, and tries again, and not for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from crewgraph import Agent, Crew, IdempotencyKey, ModelRequest, Task, TaskResult, tool
from crewgraph.agents.guarding.guardrail import Check
from crewgraph.agents.guarding.judge import Judge
from crewgraph.agents.guarding.refused import OutputRefused
from crewgraph.runtime.errors import InvalidCrew, TaskFailed

Run = Callable[..., Awaitable[Any]]


class City(BaseModel):
    name: str
    rank: Literal[1, 2]


def told(request: ModelRequest) -> str:
    return request.messages[-1].content


def poet(*guardrails: Any, **more: Any) -> Callable[[list[str]], Crew]:
    def make(effects: list[str]) -> Crew:
        agent = Agent("poet", "Name cities.", guardrails=guardrails, **more)
        return Crew([agent], tasks=[Task(id="t", description="Name a city.")])

    return make


def answers(*replies: str) -> Callable[[ModelRequest], str]:
    """The first reply where nothing was refused; each next one to whom the one before it was refused."""

    def script(request: ModelRequest) -> str:
        tried = [n for n, text in enumerate(replies) if f"Your last answer was:\n{text}\n" in told(request)]
        return replies[min(max(tried, default=-1) + 1, len(replies) - 1)]

    return script


def no_rome(result: TaskResult) -> Any:
    return "Rome was named before." if "Rome" in result.text else True


@pytest.mark.parametrize("architecture", [None, "direct"])
async def test_what_is_refused_comes_back_with_the_words_and_is_corrected(
    exact: Run, architecture: str | None
) -> None:
    ran = await exact(poet(no_rome, architecture=architecture), answers("Rome", "Oslo"))
    assert ran.outcome.answer == "Oslo"
    assert len(ran.requests) == 2
    assert "Your last answer was:\nRome\n\nIt was refused: Rome was named before." in told(ran.requests[1])
    assert ran.notes == ["poet: 'no_rome' refused the result (Rome was named before.); it is asked again."]
    assert ran.steps == ["model", "guardrail:no_rome", "model", "guardrail:no_rome"]


async def _async_no_rome(result: TaskResult) -> Any:
    return no_rome(result)


def _raises(result: TaskResult) -> None:
    assert "Rome" not in result.text, "Rome was named before."


def _pair(result: TaskResult) -> tuple[bool, Any]:
    return "Rome" not in result.text, "Rome was named before." if "Rome" in result.text else result.text


@pytest.mark.parametrize("guardrail", [_async_no_rome, _raises, _pair, Check(no_rome, effect="idempotent")])
async def test_a_guardrail_may_say_it_in_any_of_these_ways(exact: Run, guardrail: Any) -> None:
    ran = await exact(poet(guardrail), answers("Rome", "Oslo"))
    assert ran.outcome.answer == "Oslo"
    assert "Rome was named before." in told(ran.requests[1])


@pytest.mark.parametrize(
    ("better", "answer"),
    [
        ("Oslo!", "Oslo!"),
        ({"city": "Oslo"}, '{\n  "city": "Oslo"\n}'),
        (City(name="Oslo", rank=1), '"rank": 1'),
    ],
)
async def test_a_guardrail_may_put_a_better_result_in_its_place(
    ask: Run, better: object, answer: str
) -> None:
    ran = await ask(poet(lambda result: (True, better)), answers("Oslo"))
    assert answer in ran.outcome.answer


async def test_the_last_refusal_shows_the_attempt_and_the_words(ask: Run) -> None:
    with pytest.raises(TaskFailed) as error:
        await ask(poet(no_rome, corrections=1), lambda _: "Rome, " * 200)
    assert "poet: the guardrail 'no_rome' refused all 2 attempts: Rome was named before." in str(error.value)
    assert "The last one was: 'Rome, Rome" in str(error.value)
    assert len(str(error.value)) < 800
    (cause,) = error.value.failures.values()
    assert isinstance(cause, OutputRefused)
    assert cause.attempt.startswith("Rome, Rome")
    assert cause.why == "Rome was named before."


@pytest.mark.parametrize("corrections", [0, 1, 3])
async def test_corrections_are_as_many_as_the_agent_has(ask: Run, corrections: int) -> None:
    calls: list[str] = []

    def script(request: ModelRequest) -> str:
        calls.append(told(request))
        return "Rome"

    with pytest.raises(TaskFailed):
        await ask(poet(no_rome, corrections=corrections), script)
    assert len(calls) == corrections + 1


async def test_a_judge_chooses_says_why_and_is_a_step(exact: Run) -> None:
    def script(request: ModelRequest) -> str:
        if request.choices:
            return "no" if "Text:\nRome" in told(request) else "yes"
        if "It does not meet it." in told(request):
            return "Name a city in Norway."
        return answers("Rome", "Oslo")(request)

    ran = await exact(poet(Judge("It is in Norway.", model="strict")), script)
    assert ran.outcome.answer == "Oslo"
    assert "it does not meet the criterion 'It is in Norway.': Name a city in Norway." in told(
        ran.requests[3]
    )
    judged = [request for request in ran.requests if request.choices]
    assert {(request.choices, request.model) for request in judged} == {(("yes", "no"), "strict")}


async def test_a_judge_may_be_a_colleague_with_its_own_model(ask: Run) -> None:
    def make(effects: list[str]) -> Crew:
        agents = [
            Agent("critic", "Judge.", model="large", adapter="strict"),
            Agent("poet", "Name cities.", guardrails=[Judge("It is short.", agent="critic")]),
        ]
        return Crew(agents, tasks=[Task(id="t", description="Name a city.", agent="poet")])

    ran = await ask(make, lambda r: "yes" if r.choices else "Oslo")
    judged = ran.requests[-1]
    assert (judged.model, judged.adapter) == ("large", "strict")
    assert judged.messages[0].content.startswith("You are the critic.")


GOOD, BAD = '{"name": "Oslo", "rank": 1}', '{"name": "Oslo", "rank": 3}'
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "rank": {"enum": [1, 2]}},
    "required": ["name"],
}


@pytest.mark.parametrize("guardrail", [City, SCHEMA])
async def test_a_type_or_a_schema_holds_the_value(exact: Run, guardrail: Any) -> None:
    def make(effects: list[str]) -> Crew:
        agents = [Agent("poet", "Name cities.", guardrails=[guardrail]), Agent("host", "Answer.")]
        tasks = [
            Task(id="a", description="Name one.", agent="poet"),
            Task(id="b", description="Say it.", agent="host", depends_on=("a",)),
        ]
        return Crew(agents, tasks=tasks)

    ran = await exact(make, answers("Oslo it is.", BAD, GOOD))
    assert any("rank" in told(request) and "It was refused" in told(request) for request in ran.requests)
    assert ran.outcome.answer.startswith(GOOD)


async def test_an_effect_is_not_done_again_for_a_correction(exact: Run) -> None:
    def make(effects: list[str]) -> Crew:
        @tool(effect="idempotent")
        async def book(city: str, key: IdempotencyKey) -> str:
            """Book a trip.

            Args:
                city: Where to.
            """
            effects.append(city)
            return f"booked {city}"

        agent = Agent("clerk", "Book.", tools=[book], architecture="react", guardrails=[no_rome])
        return Crew([agent], tasks=[Task(id="t", description="Book a trip.")])

    def script(request: ModelRequest) -> str:
        if request.schema is not None:
            seen = any("Result:" in message.content for message in request.messages)
            return '{"tool": "finish"}' if seen else '{"tool": "book", "args": {"city": "Oslo"}}'
        corrected = any("It was refused" in message.content for message in request.messages)
        return "Oslo is booked." if corrected else "Rome is booked."

    ran = await exact(make, script)
    assert ran.effects == ["Oslo"]
    assert ran.outcome.answer == "Oslo is booked."
    assert ran.outcome.evidence == ("booked Oslo [book]",)


async def test_the_authors_tasks_may_have_guardrails_of_their_own(ask: Run) -> None:
    def make(effects: list[str]) -> Crew:
        tasks = [
            Task(id="a", description="Name one."),
            Task(id="b", description="Name another.", depends_on=("a",)),
        ]
        return Crew([Agent("poet", "Name.", architecture="direct")], tasks=tasks, guardrails={"b": [no_rome]})

    ran = await ask(make, answers("Rome", "Oslo"))
    assert ran.outcome.answer == "Oslo"
    assert len(ran.requests) == 3


async def test_a_bound_call_that_is_refused_ends_its_task(ask: Run) -> None:
    def make(effects: list[str]) -> Crew:
        @tool
        def rank(city: str) -> int:
            """The rank of a city."""
            return 3

        task = Task(id="t", description="Rank.", tool="rank", args={"city": "Oslo"})
        return Crew(
            [Agent("clerk", "Rank.", tools=[rank])], tasks=[task], guardrails={"t": [lambda _: "too low"]}
        )

    with pytest.raises(TaskFailed, match="rank: the guardrail 'guardrail' refused its only attempt: too low"):
        await ask(make, lambda _: "never")


async def test_a_guardrail_that_fails_or_says_nonsense_is_named(ask: Run) -> None:
    def broken(result: TaskResult) -> None:
        raise KeyError("x")

    with pytest.raises(TaskFailed, match="The guardrail 'broken' failed: KeyError: 'x'"):
        await ask(poet(broken), answers("Oslo"))

    def odd(result: TaskResult) -> Any:
        return 7

    with pytest.raises((TaskFailed, InvalidCrew), match="The guardrail 'odd' gave 7: it gives True or None"):
        await ask(poet(odd), answers("Oslo"))


async def test_each_entry_of_a_list_is_held_by_the_guardrails_of_its_task(ask: Run) -> None:
    held: list[str] = []

    def note(result: TaskResult) -> None:
        held.append(result.text)

    def make(effects: list[str]) -> Crew:
        @tool
        async def rank(city: str) -> int:
            """The rank of a city.

            Args:
                city: Its name.
            """
            return len(city)

        tasks = [
            Task(
                id="r",
                description="Rank.",
                agent="clerk",
                tool="rank",
                args={"city": "$item"},
                each=["Oslo", "Rome"],
            ),
            Task(id="s", description="Say it.", agent="host", depends_on=("r",)),
        ]
        agents = [Agent("clerk", "Rank.", tools=[rank]), Agent("host", "Say.", architecture="direct")]
        return Crew(agents, tasks=tasks, guardrails={"r": [note]})

    await ask(make, lambda _: "Answer: both")
    assert len(held) == 2
