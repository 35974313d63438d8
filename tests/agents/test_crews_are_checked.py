"""A crew that could not work is refused when it is made, in a sentence that says how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from crewgraph import Agent, Crew, Task, Tool, calculate, tool
from crewgraph.agents.guarding.judge import Judge
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


@tool(effect="once")
def pay(to: str) -> str:
    """Pay somebody.

    Args:
        to: Who gets it.
    """
    return to


ONE, TWO = Task(id="one", description="-", depends_on=("two",)), Task(id="two", description="-")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: Crew([Agent("ann", "Find.", architecture="reakt")]),
            "The agent 'ann' has the architecture 'reakt': did you mean 'react'? There are: direct, react",
        ),
        (
            lambda: Crew([Agent("ann", "Find.", architecture=7)]),  # type: ignore[arg-type]  # wrong on purpose
            "The agent 'ann' has 7 as its architecture: give the name of one",
        ),
        (
            lambda: Crew([ANN, BEN], process="sequentiel"),  # type: ignore[arg-type]  # wrong on purpose
            "The crew 'crew' has the process 'sequentiel': did you mean 'sequential'?",
        ),
        (
            lambda: Crew([ANN, BEN], process="hierarchical", manager=BEN),
            "The manager 'ben' is also one of the agents of the crew 'crew'",
        ),
        (
            lambda: Crew([ANN, BEN], process="conversation", manager=Agent("ann", "Lead.")),
            "The manager 'ann' is also one of the agents",
        ),
        (
            lambda: Crew([ANN], manager=BEN),
            "The crew 'crew' has a manager, and its process is planned: a manager leads a hierarchical crew",
        ),
        (lambda: Crew([ANN], process="conversation"), "The conversation of the crew 'crew' needs two agents"),
        (
            lambda: Crew([ANN, BEN], process="conversation", tasks=[TWO]),
            "is a conversation and has tasks: say in the request what is to be talked about",
        ),
        (lambda: Crew([ANN, BEN], process="conversation", turns=0), "has 0 turns: 1 or more"),
        (lambda: Crew([ANN, BEN], depth=0), "has the depth 0: 1 or more"),
        (
            lambda: Crew([ANN], process="sequential", planner=object()),
            "has a planner of its own, and its process is sequential, which needs none",
        ),
        (
            lambda: Crew([ANN], process="sequential", tasks=[ONE, TWO]),
            "Task 'one' needs 'two', which comes after it: put 'two' first",
        ),
        (
            lambda: Crew([Agent("ann", "F.", delegates=["bne"]), BEN]),
            "The agent 'ann' delegates to 'bne', who is not in the crew: did you mean 'ben'? There are: ann, ben",
        ),
        (
            lambda: Crew([Agent("ann", "F.", delegates="ben"), BEN]),
            "'ann' delegates to 'ben': give a list of roles",
        ),
        (lambda: Crew([Agent("ann", "F.", delegates=["ann"]), BEN]), "'ann' delegates to itself"),
        (lambda: Crew([Agent("ann", "F.", delegates=True)]), "'ann' delegates, and is alone in the crew"),
        (
            lambda: Crew([Agent("ann", "F.", may=["read_only"])], tools=[pay]),
            "Nobody in the crew 'crew' may use the tool 'pay', whose effect is 'once': add 'once' to what",
        ),
        (
            lambda: Crew([Agent("ann", "F.", may=["readonly"])]),  # type: ignore[list-item]  # wrong on purpose
            "The agent 'ann' may have the effect 'readonly': did you mean 'read_only'?",
        ),
        (lambda: Crew([Agent("ann", "F.", corrections=-1)]), "'ann' has -1 corrections: 0 or more"),
        (
            lambda: Crew([Agent("ann", "F.", output_type=dict)]),  # type: ignore[arg-type]  # wrong on purpose
            "The agent 'ann' has the output type <class 'dict'>, which is no pydantic model",
        ),
        (
            lambda: Crew([Agent("ann", "F.", guardrails=[7])]),
            "7 is no guardrail of the agent 'ann': give a function",
        ),
        (lambda: Crew([Agent("ann", "F.", guardrails=len)]), "The guardrails of the agent 'ann' are"),  # type: ignore[arg-type]  # wrong on purpose
        (
            lambda: Crew([Agent("ann", "F.", guardrails=[{"type": "strin"}])]),
            "A guardrail of the agent 'ann' is no JSON schema: 'strin' is not valid",
        ),
        (
            lambda: Crew([Agent("ann", "F.", guardrails=[Judge("Short.", agent="critic")])]),
            "A judge of the agent 'ann' is 'critic', who is not in the crew: there are: ann",
        ),
        (lambda: Judge(" "), "A judge has no criterion: say in a sentence"),
        (
            lambda: Crew([ANN], tasks=[TWO], guardrails={"tow": [Judge("Short.")]}),
            "The crew 'crew' has guardrails for the task 'tow': did you mean 'two'? There are: two",
        ),
        (
            lambda: Crew([ANN], guardrails={"t": [Judge("Short.")]}),
            "The crew 'crew' has guardrails for the task 't': there are none",
        ),
    ],
)
def test_a_crew_that_names_what_is_not_there_is_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(InvalidCrew) as error:
        make()
    assert said in str(error.value)


def test_a_hierarchical_crew_has_a_manager_from_when_it_is_made() -> None:
    crew = Crew([ANN, BEN], process="hierarchical", briefing="Be brief.")
    assert crew.manager is not None
    assert (crew.manager.role, crew.manager.architecture, crew.manager.briefing) == (
        "manager",
        "supervisor",
        "Be brief.",
    )
    assert [a.role for a in crew.everyone] == ["ann", "ben", "manager"]
    assert crew.agent("manager") is crew.manager
    assert crew.agent(None).role == "ben"
    assert Crew([ANN, Agent("manager", "-")], process="hierarchical").manager.role == "crew manager"  # type: ignore[union-attr]  # one is made
    assert replace(crew, name="other").manager == crew.manager
    led = Crew([BEN], process="hierarchical", manager=Agent("boss", "Lead.", tools=[calculate]))
    assert "calculate" in led.toolset
    assert "calculate" not in led.without(["calculate"]).toolset


def test_some_of_a_crew_may_be_taken_out_for_a_piece_of_work() -> None:
    crew = Crew([Agent("ann", "F.", delegates=["ben"]), BEN], process="hierarchical", depth=3)
    some = crew.among([crew.agents[0]])
    assert [a.role for a in some.everyone] == ["ann"]
    assert some.depth == 3
    assert [a.role for a in crew.everyone] == ["ann", "ben", "manager"]


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
