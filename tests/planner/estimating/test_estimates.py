"""What a plan is thought to take, before it is carried out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph import Agent, Crew, Task, tool
from crewgraph.planner.estimating.estimate import GUESSED_ENTRIES, estimate, with_seconds
from crewgraph.planner.estimating.measures import Known, Measured, Sample, gathered, of_agent, of_tool
from crewgraph.planner.plan import TaskEstimate
from crewgraph.runtime.policy import Allowance, Condition
from crewgraph.tools.planning import Traits


@tool
def look(at: str = "") -> str:
    """Look something up."""
    return at


@tool(traits=Traits(seconds=7.5, money=0.25), limit=2)
def order(what: str) -> str:
    """Order something."""
    return what


CREW = Crew(agents=[Agent("clerk", "Look.", tools=[look, order]), Agent("host", "Answer.", max_tokens=80)])
PAST = Known(
    {
        of_tool("look"): Measured(12, 2.0, 0.5, 0, 0.0, 1),
        of_agent("host", "writing"): Measured(5, 4.0, 1.0, 300, 0.01, 0),
    }
)


def task(id: str, *after: str, **more: object) -> Task:
    return Task.model_validate({"id": id, "description": id, "agent": "clerk", "depends_on": after} | more)


@st.composite
def plans(draw: st.DrawFn) -> list[Task]:
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, 8))):
        after = draw(st.sets(st.sampled_from([t.id for t in tasks]))) if tasks else set()
        seconds = draw(st.integers(0, 9))
        tasks.append(task(f"t{number}", *sorted(after), tool="look", expected_seconds=seconds))
    return draw(st.permutations(tasks))


def chains(tasks: list[Task]) -> Iterator[tuple[str, ...]]:
    """Every chain there is, by looking at all."""
    needs = {t.id: t.needs for t in tasks}

    def upto(task_id: str) -> Iterator[tuple[str, ...]]:
        yield (task_id,)
        for need in needs[task_id]:
            for chain in upto(need):
                yield (*chain, task_id)

    for task_id in needs:
        yield from upto(task_id)


@given(plans())
def test_the_critical_path_is_the_longest_of_all_chains(tasks: list[Task]) -> None:
    found = estimate(tasks, CREW)
    seconds = {t.id: t.expected_seconds or 0 for t in tasks}
    assert found.critical_seconds == max(sum(map(seconds.__getitem__, chain)) for chain in chains(tasks))
    assert found.path in set(chains(tasks))
    assert sum(seconds[task_id] for task_id in found.path) == found.critical_seconds
    assert found.seconds == sum(seconds.values())
    assert found.tool_calls == len(tasks)


def test_what_was_measured_comes_before_what_a_tool_says_and_that_before_a_guess() -> None:
    measured, said, guessed = (PAST.of(task("t", tool=name), CREW) for name in ("look", "order", "compare"))
    assert measured == TaskEstimate(seconds=2.0, tool_calls=1, measured=12)
    assert said == TaskEstimate(seconds=7.5, money=0.25, tool_calls=1)
    assert guessed.measured == 0
    assert Known({}).of(task("t", tool="look"), CREW) == TaskEstimate(seconds=1.0, tool_calls=1)


def test_what_the_author_says_a_task_takes_is_not_overruled() -> None:
    assert PAST.of(task("t", tool="look", expected_seconds=30), CREW).seconds == 30


def test_an_agent_nobody_has_measured_is_thought_to_write_as_others_do() -> None:
    known = gathered(
        [Sample(of_agent("host", "writing"), 3.0, 200), Sample(of_agent("host", "writing"), 5.0, 400)]
    )
    other = known.of(task("t", "x"), CREW)
    assert (other.seconds, other.tokens, other.measured) == (4.0, 300, 2)


def test_a_model_nobody_has_measured_is_guessed_by_how_long_its_reply_may_be() -> None:
    short = Known({}).of(task("t", "x", agent="host"), CREW)
    long = Known({}).of(task("t", "x"), CREW)
    looking = Known({}).of(task("t"), CREW)
    assert short.measured == 0
    assert 0 < short.seconds < long.seconds < looking.seconds
    assert 0 < short.tokens < long.tokens < looking.tokens
    assert (short.tool_calls, looking.tool_calls > 0) == (0, True)


def test_medians_are_not_moved_by_one_call_that_hung() -> None:
    known = gathered(Sample(of_tool("look"), seconds) for seconds in (1.0, 1.1, 1.2, 1.3, 900.0))
    found = known.by[of_tool("look")]
    assert (found.calls, found.seconds) == (5, 1.2)
    assert found.spread == pytest.approx(0.2)


def test_an_entry_counts_in_work_and_not_in_the_path() -> None:
    found = estimate([task("all", tool="look", each=["a", "b", "c"], args={"at": "$item"})], CREW, PAST)
    assert (found.seconds, found.critical_seconds, found.tool_calls) == (6.0, 2.0, 3)
    nobody = estimate([task("all", tool="look", each=[], args={"at": "$item"})], CREW, PAST)
    assert (nobody.seconds, nobody.critical_seconds, nobody.tool_calls) == (0.0, 0.0, 0)


def test_entries_wait_for_each_other_where_a_tool_takes_only_so_many_at_once() -> None:
    found = estimate([task("all", tool="order", each=list("abcde"), args={"what": "$item"})], CREW)
    assert (found.seconds, found.critical_seconds) == (37.5, 22.5)
    assert found.money == 1.25


def test_a_list_that_comes_of_a_list_is_as_long_and_another_is_guessed() -> None:
    tasks = [
        task("first", tool="look", each=list("abcd"), args={"at": "$item"}),
        task("then", tool="look", each="$first", args={"at": "$item"}),
        task("one", tool="look"),
        task("open", tool="look", each="$one", args={"at": "$item"}),
    ]
    assert estimate(tasks, CREW, PAST).tool_calls == 4 + 4 + 1 + GUESSED_ENTRIES


def test_a_task_with_a_condition_is_counted_as_begun() -> None:
    asked = Condition(value="$a", test="not_empty")
    found = estimate([task("a", tool="look"), task("b", tool="look", when=asked)], CREW, PAST)
    assert (found.critical_seconds, found.path) == (4.0, ("a", "b"))


def test_a_guess_stays_below_what_a_task_may_take_and_what_was_measured_does_not() -> None:
    tight = task("t", "x", agent="host", timeout=0.5, allowance=Allowance(tokens=100, money=0))
    guessed, known = Known({}).of(tight, CREW), PAST.of(tight, CREW)
    assert (guessed.seconds, guessed.tokens, guessed.money) == (0.5, 100, 0)
    assert (known.seconds, known.tokens, known.money) == (4.0, 300, 0.01)


def test_expected_seconds_are_filled_in_where_the_author_said_none() -> None:
    tasks = [
        task("a", tool="look"),
        task("b", "a", tool="order", expected_seconds=1),
        task("c", "b", agent="host"),
    ]
    filled = with_seconds(tasks, estimate(tasks, CREW, PAST))
    assert [t.expected_seconds for t in filled] == [2.0, 1, 4.0]
    assert with_seconds(filled, estimate(filled, CREW, PAST)) == filled
    assert [t.model_copy(update={"expected_seconds": None}) for t in filled] == [
        t.model_copy(update={"expected_seconds": None}) for t in tasks
    ]


def test_only_what_is_about_a_crew_is_kept_of_it() -> None:
    many = Known(
        {**PAST.by, of_tool("other"): Measured(1, 1.0), of_agent("stranger", "writing"): Measured(1, 1.0)}
    )
    assert many.about(CREW) == PAST
