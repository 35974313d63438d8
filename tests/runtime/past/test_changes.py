"""What may be made otherwise at a fork, what follows from it, and the sentence for what cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from crewgraph.runtime.errors import InvalidGraph, InvalidRequest, NotFound
from crewgraph.runtime.events import (
    Answered,
    Asked,
    Event,
    PlanMade,
    RunErred,
    RunFinished,
    RunForked,
    RunPaused,
    RunResumed,
    RunStarted,
    StepErred,
    StepFinished,
    StepIntended,
    TaskFinished,
    TasksAdded,
    TaskStarted,
)
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.past.fork import Fork, fork_events

from .conftest import Op, Program, answer_of

LOOK, WRITE = Op("once", "look"), Op("read_only", "write")
GRAPH = TaskGraph(
    [
        Task(id="a", description="first", args={"city": {"name": "Rome", "in": ["Italy", "Lazio"]}}),
        Task(id="b", description="beside"),
        Task(id="c", description="last", args={"n": "$a"}, depends_on=("b",)),
    ]
)


def program() -> Program:
    return Program(GRAPH, {"a": (LOOK, WRITE), "b": (LOOK,), "c": (WRITE,)})


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return asyncio.run(program().recorded())


def key_of(events: list[Event], task_id: str, name: str) -> str:
    return next(
        e.key for e in events if isinstance(e, StepIntended) and (e.task_id, e.name) == (task_id, name)
    )


def carried_on(made: Fork, graph: TaskGraph = GRAPH) -> tuple[list[Event], set[tuple[str, str]]]:
    going = Program(graph, program().ops)
    after = asyncio.run(going.carried_on(made.events))
    return after, {(task_id, name) for task_id, name, _ in going.calls}


def plan_of(made: Fork) -> TaskGraph:
    return TaskGraph(next(e for e in made.events if isinstance(e, PlanMade)).tasks)


def forked(events: list[Event], at: str, changes: Mapping[str, Any] | None = None) -> Fork:
    return fork_events(events, at, changes, origin="r-1")


def test_a_fork_says_where_it_comes_from_right_after_its_beginning(events: list[Event]) -> None:
    made = forked(events, "c", {"description": "the last one"})
    assert isinstance(made.events[0], RunStarted)
    second = made.events[1]
    assert isinstance(second, RunForked)
    assert (second.origin, second.changes) == ("r-1", {"description": "the last one"})
    left = events[second.at_seq - 1]
    assert isinstance(left, TaskStarted)
    assert left.task_id == "c"
    assert forked(events, f"#{second.at_seq}").events[2:] == tuple(events[1 : second.at_seq - 1])


def test_a_given_output_takes_the_place_of_the_step_and_only_what_follows_is_done_again(
    events: list[Event],
) -> None:
    made = forked(events, "a:write", {"output": "something else"})
    after, calls = carried_on(made)
    assert ("a", "write") not in calls
    assert ("a", "look") not in calls
    assert ("c", "write") in calls
    assert answer_of(after) != answer_of(events)
    given = [e for e in after if isinstance(e, StepFinished) and e.key == key_of(events, "a", "write")]
    assert [(e.output, e.seconds, e.tokens) for e in given] == [("something else", 0.0, 0)]


def test_a_part_of_an_output_is_set_by_its_path() -> None:
    made = [
        RunStarted(crew="c", request="r"),
        StepIntended(task_id="", name="s", key="k1", inputs={}),
        StepFinished(task_id="", name="s", key="k1", output={"rows": [{"n": 1}, {"n": 2}], "of": "x"}),
    ]
    given = forked(list(made), "k1", {"output.rows.1.n": 5, "output.of": "y"}).events[-1]
    assert isinstance(given, StepFinished)
    assert given.output == {"rows": [{"n": 1}, {"n": 5}], "of": "y"}
    begun = forked(list(made), "#3", {"output": 1})
    assert [e.kind for e in begun.events] == ["run_started", "run_forked", "step_intended", "step_finished"]
    assert begun.in_doubt == ()


def test_changed_arguments_change_the_plan_of_the_fork_and_the_task_is_done_anew(events: list[Event]) -> None:
    made = forked(events, "a", {"args.city.name": "Oslo", "description": "again"})
    task = plan_of(made)["a"]
    assert task.args == {"city": {"name": "Oslo", "in": ["Italy", "Lazio"]}}
    assert task.description == "again"
    after, calls = carried_on(made, plan_of(made))
    assert calls >= {("a", "look"), ("a", "write"), ("c", "write")}
    assert answer_of(after) != answer_of(events)
    whole = plan_of(forked(events, "a", {"args": {"n": "$b"}}))
    assert whole["a"].needs == ("b",)


def test_another_request_is_planned_anew(events: list[Event]) -> None:
    made = forked(events, "plan", {"request": "something else"})
    assert made.request == "something else"
    assert [e.kind for e in made.events] == ["run_started", "run_forked"]
    assert made.kept == ()
    assert len(made.dropped) == len({e.key for e in events if isinstance(e, StepIntended)})


def asked() -> list[Event]:
    return [
        RunStarted(crew="c", request="r"),
        TaskStarted(task_id="a"),
        Asked(task_id="a", key="q1", question="May I?", choices=("approve", "answer", "reject")),
        RunPaused(keys=("q1",)),
        RunResumed(finished_steps=0),
        Answered(task_id="a", key="q1", answer={"decision": "reject", "note": "no"}),  # type: ignore[arg-type]  # read from JSON
        RunErred(error="rejected", code="rejected"),
    ]


@pytest.mark.parametrize(
    ("given", "decision", "value"),
    [
        ("approve", "approve", None),
        ("any words", "answer", "any words"),
        (7, "answer", 7),
        ({"decision": "answer", "value": 3, "by": "Ann"}, "answer", 3),
    ],
)
def test_a_question_is_given_another_answer(given: Any, decision: str, value: Any) -> None:
    for at in ("q1", "a:ask", "#3"):
        made = forked(asked(), at, {"answer": given})
        assert [e.kind for e in made.events][2:] == ["task_started", "asked", "answered"]
        answer = made.events[-1]
        assert isinstance(answer, Answered)
        assert (answer.answer.decision, answer.answer.value) == (decision, value)
    kept = forked(asked(), "#4").events[-1]
    assert isinstance(kept, Answered)
    assert kept.answer.note == "no", "what a person has said is kept when it had been asked before the point"


def test_a_fork_is_not_over_where_its_run_was() -> None:
    ended = [*asked(), RunResumed(finished_steps=1), RunFinished(answer="x")]
    kinds = [e.kind for e in forked(ended, "#10").events]
    assert "run_finished" not in kinds
    assert kinds[-2:] == ["run_erred", "run_resumed"], "an end that was gone on from is history"
    assert [e.kind for e in forked(ended, "#8").events][-1] == "answered"


def test_a_person_can_be_asked_before_a_task_starts_and_the_fork_is_before_that() -> None:
    events: list[Event] = [
        RunStarted(crew="c", request="r"),
        Asked(task_id="a", key="q1", question="May it begin?"),
        Answered(task_id="a", key="q1", answer={"decision": "approve"}),  # type: ignore[arg-type]  # read from JSON
        TaskStarted(task_id="a"),
    ]
    assert [e.kind for e in forked(events, "a").events] == ["run_started", "run_forked"]


def test_nothing_becomes_in_doubt_and_what_is_stays_so() -> None:
    unknown = StepErred(task_id="a", name="pay", key="k1", error="lost", code="outcome_unknown")
    events: list[Event] = [
        RunStarted(crew="c", request="r"),
        TaskStarted(task_id="a"),
        StepIntended(task_id="a", name="pay", key="k1", effect="once"),
        unknown,
        RunPaused(),
        RunResumed(finished_steps=0),
        StepFinished(task_id="a", name="pay", key="k1", output="paid"),
    ]
    for at in ("#4", "#5", "#7"):
        made = forked(events, at)
        assert made.in_doubt == ()
        assert made.kept == ("k1",)
    assert forked(events[:-1], "#5").in_doubt == ("k1",)
    assert forked(events, "a:pay").dropped == ("k1",)
    assert forked(events, "a").running == ()
    assert forked(events, "#4").running == ("a",)


def test_a_task_that_another_one_added_can_be_changed_once_that_one_is_over() -> None:
    def grown(*between: Event) -> list[Event]:
        return [
            RunStarted(crew="c", request="r"),
            PlanMade(tasks=(Task(id="a", description="a"),), strategy="crew"),
            TaskStarted(task_id="a"),
            TasksAdded(task_id="a", tasks=(Task(id="more", description="m", args={"n": 1}),)),
            *between,
            TaskStarted(task_id="more"),
        ]

    over = TaskFinished(task_id="a", result=TaskResult(value=1))
    changed = forked(grown(over), "more", {"args.n": 2}).events[-2]
    assert isinstance(changed, TasksAdded)
    assert changed.tasks[0].args == {"n": 2}
    with pytest.raises(InvalidRequest, match="was added by task 'a', which goes on in the fork"):
        forked(grown(), "more", {"args.n": 2})


def test_an_entry_of_a_map_has_no_arguments_of_its_own() -> None:
    events: list[Event] = [
        RunStarted(crew="c", request="r"),
        PlanMade(tasks=(Task(id="a", description="a", each=[1, 2]),), strategy="crew"),
        TaskStarted(task_id="a"),
        TaskStarted(task_id="a.1"),
    ]
    assert forked(events, "a.1").at_seq == 4
    with pytest.raises(InvalidRequest, match=r"task 'a\.1' is not in the plan by itself"):
        forked(events, "a.1", {"args": {}})


@pytest.mark.parametrize(
    ("at", "changes", "error", "said"),
    [
        ("#1", None, InvalidRequest, r"no fork point '#1': the run has \d+ events, so choose #2 to #\d+"),
        ("#999", None, InvalidRequest, r"no fork point '#999'"),
        ("#x", None, InvalidRequest, r"no fork point '#x'"),
        ("#", None, InvalidRequest, r"no fork point '#'"),
        ("#-3", None, InvalidRequest, r"no fork point '#-3'"),
        ("zz", None, NotFound, r"No task 'zz' was begun.*begun were: a, b, c"),
        ("", None, NotFound, r"No task ''"),
        ("zz:look", None, NotFound, r"No task 'zz'"),
        ("a:fly", None, NotFound, r"No step of task 'a' is called 'fly'; its steps are: look, write"),
        (":fly", None, NotFound, r"No step of the planning is called 'fly'; its steps are: plan"),
        (
            "a",
            {"output": 1},
            InvalidRequest,
            r"'output' cannot be set at task 'a'.*: result, result.PATH, args",
        ),
        ("a:look", {"args.n": 1}, InvalidRequest, r"'args.n' cannot be set at step .* output, output.PATH"),
        ("plan", {"answer": 1}, InvalidRequest, r"'answer' cannot be set at the planning.*: request"),
        ("plan", {"request.x": 1}, InvalidRequest, r"'request.x' cannot be set"),
        ("plan", {"request": " "}, InvalidRequest, "give it a text"),
        ("a", {"args.town": 1}, InvalidRequest, r"args has no 'town'; it has: city"),
        (
            "a",
            {"args.city.in.7": 1},
            InvalidRequest,
            r"args.city.in has no entry '7': it has 2, counted from 0",
        ),
        ("a", {"args.city.name.x": 1}, InvalidRequest, r"args.city.name has nothing inside .* it is a text"),
        ("a", {"args..x": 1}, InvalidRequest, r"'args..x' cannot be set"),
        ("a", {"args": [1]}, InvalidRequest, r"task 'a' cannot be so: args: .*dict"),
        ("a", {"description": 5}, InvalidRequest, r"task 'a' cannot be so: description: .*string"),
        ("a", {"args": {"n": "$nope"}}, InvalidGraph, r"'a' waits for 'nope', which is not in the graph"),
        ("a", {"args": {"n": "$c"}}, InvalidGraph, r"wait for each other"),
        ("a", {"result": 1, "args": {}}, InvalidRequest, r"is given its result, so it is not carried out"),
        ("#4", {"description": "x"}, InvalidRequest, r"cannot be set at event 4; .*there is: none"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    events: list[Event], at: str, changes: dict[str, Any] | None, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as raised:
        forked(events, at, changes)
    assert "\n" not in str(raised.value)


def test_a_task_that_has_begun_cannot_be_changed_any_more(events: list[Event]) -> None:
    place = next(n for n, e in enumerate(events, 1) if isinstance(e, TaskFinished) and e.task_id == "a")
    with pytest.raises(InvalidRequest, match=r"task 'a' had begun by event .*: fork before it begins"):
        forked(events, f"#{place}", {"description": "x"})


def test_an_answer_has_to_be_one_of_the_choices() -> None:
    with pytest.raises(InvalidRequest, match="choose one of approve, answer, reject"):
        forked(asked(), "q1", {"answer": {"decision": "edit", "value": 1}})
    with pytest.raises(InvalidRequest, match="The answer to question q1 is none"):
        forked(asked(), "q1", {"answer": {"decision": "perhaps"}})


def test_a_key_may_be_cut_short_as_long_as_it_is_clear(events: list[Event]) -> None:
    key = key_of(events, "a", "write")
    others = {e.key for e in events if isinstance(e, StepIntended)} - {key}
    short = next(key[:n] for n in range(1, 33) if not any(other.startswith(key[:n]) for other in others))
    assert forked(events, short) == forked(events, key) == forked(events, "a:write")
    twice: list[Event] = [
        RunStarted(crew="c", request="r"),
        StepIntended(task_id="", name="s", key="abc", inputs={}),
        StepIntended(task_id="", name="s", key="abc-1", inputs={}),
    ]
    assert forked(twice, "abc").at_seq == 2
    with pytest.raises(InvalidRequest, match=r"Several steps begin with 'ab' \(abc, abc-1\)"):
        forked(twice, "ab")


def test_a_task_called_plan_is_named_with_a_colon() -> None:
    events: list[Event] = [
        RunStarted(crew="c", request="r"),
        PlanMade(tasks=(Task(id="plan", description="p"),), strategy="crew"),
        TaskStarted(task_id="plan"),
    ]
    assert forked(events, "plan").at_seq == 2
    assert forked(events, "plan:").at_seq == 3


def test_a_run_that_has_not_begun_cannot_be_forked() -> None:
    with pytest.raises(InvalidRequest, match="has not begun yet"):
        forked([], "plan")
