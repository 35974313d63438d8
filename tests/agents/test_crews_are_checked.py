"""A crew that could not work is refused when it is made, in a sentence that says how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crewgraph import Agent, Crew, Task, Tool, calculate, tool
from crewgraph.runtime.errors import InvalidCrew, InvalidGraph, InvalidInput

ANN, BEN = Agent("ann", "Find.", tools=[calculate]), Agent("ben", "Write.")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Agent(" ", "Find."), "An agent has no role: give it a short name"),
        (lambda: Agent("ann", " "), "The agent 'ann' has no goal: say in a sentence"),
        (lambda: Crew([]), "The crew 'crew' has no agents: it needs at least one"),
        (
            lambda: Crew([ANN, ANN], name="twins"),
            "Two agents of the crew 'twins' have the role 'ann': rename one",
        ),
        (lambda: Crew([ANN], tools=[len]), "'len' is not a tool: put @tool above it"),
        (
            lambda: (
                Agent("ann", "Find.", tools=["calculate"]) and Crew([Agent("ann", "F.", tools=["calculate"])])
            ),
            "'calculate' is not a tool",
        ),
        (
            lambda: Crew([ANN, BEN], tasks=[Task(id="t", description="-", agent="cid")]),
            "Task 't' is for 'cid', who is not in the crew; its agents are: ann, ben",
        ),
        (
            lambda: Crew([ANN], tasks=[Task(id="t", description="-", tool="guess")]),
            "Task 't' uses the tool 'guess', which the crew does not have; it has: calculate, compare, total, ratio",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_the_mend(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(InvalidCrew) as error:
        make()
    assert said in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (
            [
                Task(id="a", description="-", depends_on=("b",)),
                Task(id="b", description="-", depends_on=("a",)),
            ],
            "in a circle",
        ),
        ([Task(id="a", description="-", depends_on=("z",))], "waits for 'z', which is not in the graph"),
        ([Task(id="a", description="-"), Task(id="a", description="-")], "Two tasks are called 'a'"),
    ],
)
def test_tasks_that_cannot_run_are_refused(tasks: list[Task], said: str) -> None:
    with pytest.raises(InvalidGraph, match=said):
        Crew([ANN], tasks=tasks)


def test_tasks_without_ids_are_numbered() -> None:
    crew = Crew([ANN], tasks=[Task(description="one"), Task(description="two", depends_on=("t1",))])
    assert [t.id for t in crew.tasks] == ["t1", "t2"]


def test_an_agent_may_use_its_own_tools_those_of_the_crew_and_those_that_combine() -> None:
    @tool
    def greet(who: str) -> str:
        """Greet somebody."""
        return f"Hello {who}"

    crew = Crew([ANN, BEN], tools=[greet])
    assert list(crew.tools_of(ANN)) == ["greet", "calculate", "compare", "total", "ratio"]
    assert list(crew.tools_of(BEN)) == ["greet", "compare", "total", "ratio"]
    assert [a.role for a in crew.holders(crew.toolset["greet"])] == ["ann", "ben"]
    assert [a.role for a in crew.holders(crew.toolset["calculate"])] == ["ann"]
    assert isinstance(crew.toolset["calculate"], Tool)
    with pytest.raises(InvalidInput, match="There is no tool 'shout' here; there are: greet, calculate"):
        crew.tools_of(ANN)["shout"]


def test_nobody_is_guessed() -> None:
    crew = Crew([ANN, BEN])
    assert crew.agent(None) is BEN
    assert crew.agent("ann") is ANN
    with pytest.raises(
        InvalidCrew, match="Nobody in the crew 'crew' has the role 'Ann'; there are: ann, ben"
    ):
        crew.agent("Ann")


def test_a_persona_says_role_backstory_and_goal_once_and_always_the_same() -> None:
    agent = Agent("writer", "Write. ", backstory=" You are brief. ")
    assert agent.persona == "You are the writer. You are brief. Your goal: Write."
    assert agent.description == "writer: Write. "
