"""Before a task with `approval` begins, a person is asked, and what they say is what is done."""

from __future__ import annotations

from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import Rejected, RunWaiting, TaskFailed
from crewgraph.runtime.events import Answer
from crewgraph.runtime.graph import Task, TaskResult
from crewgraph.runtime.policy import Condition, Retry


def task(name: str, *needs: str, **more: Any) -> Task:
    return Task(id=name, description=f"do {name}", depends_on=needs, **more)


MAIL = task("mail", approval=True, agent="writer", tool="send", args={"to": "$who", "n": 1})
TASKS = [task("who"), MAIL, task("after", "mail"), task("other")]


async def worker(work: Task, ctx: RunContext) -> Any:
    return {"who": "Ann", "mail": work.args}.get(work.id, work.id)


def saying(*answers: Answer) -> Any:
    left = list(answers)

    def person(asked: Any) -> Answer | None:
        return left.pop(0) if left else None

    return person


def test_it_is_not_begun_unasked_and_the_question_shows_what_it_would_do(trial: Any) -> None:
    with pytest.raises(RunWaiting, match=r"1 question waits.*May task 'mail' begin.*crewgraph answer r-test"):
        trial.sitting(TASKS, worker)
    assert trial.done == ["who", "other"]
    (asked,) = trial.of("asked")
    assert asked.task_id == "mail"
    assert asked.choices == ("approve", "edit", "answer", "reject")
    assert asked.about == {
        "agent": "writer",
        "tool": "send",
        "args": {"to": "Ann", "n": 1},
        "description": "do mail",
    }
    assert "mail" not in trial.ids("task_started")


def test_approved_it_is_done_as_it_was(trial: Any) -> None:
    trial.person = saying(Answer(decision="approve"))
    assert trial.sitting(TASKS, worker)["mail"].value == {"to": "Ann", "n": 1}
    assert trial.ids("asked") == ["mail"]


def test_approved_in_a_later_sitting_nothing_is_done_or_asked_twice(trial: Any) -> None:
    with pytest.raises(RunWaiting):
        trial.sitting(TASKS, worker)
    with pytest.raises(RunWaiting):
        trial.sitting(TASKS, worker)
    assert trial.done == []
    trial.person = saying(Answer(decision="approve"))
    assert list(trial.sitting(TASKS, worker)) == ["who", "mail", "after", "other"]
    assert trial.done == ["mail", "after"]
    assert trial.rows("asked") == trial.rows("answered") == ["mail"]
    trial.sitting(TASKS, worker)
    assert trial.done == []
    assert trial.replay(TASKS, worker)["mail"].value == {"to": "Ann", "n": 1}


def test_an_edit_is_what_is_done_and_its_values_are_no_references(trial: Any) -> None:
    trial.person = saying(Answer(decision="edit", value={"to": "$who", "cc": "Bob"}))
    assert trial.sitting(TASKS, worker)["mail"].value == {"to": "$who", "cc": "Bob"}
    trial.sitting(TASKS, worker)
    assert trial.done == []
    assert trial.replay(TASKS, worker)["mail"].value == {"to": "$who", "cc": "Bob"}


def test_an_edit_may_take_all_arguments_away(trial: Any) -> None:
    trial.person = saying(Answer(decision="edit", value={}))
    assert trial.sitting([MAIL.model_copy(update={"args": {"to": "Ann"}})], worker)["mail"].value == {}


@pytest.mark.parametrize("wrong", ["text", 5, [1], ["a"]])
def test_an_edit_of_another_form_is_asked_for_again(trial: Any, wrong: Any) -> None:
    trial.person = saying(Answer(decision="edit", value=wrong), Answer(decision="edit", value={"n": 2}))
    assert trial.sitting(TASKS, worker)["mail"].value == {"n": 2}
    assert [asked.question.startswith("That edit cannot be used") for asked in trial.of("asked")] == [
        False,
        True,
    ]
    assert trial.replay(TASKS, worker)["mail"].value == {"n": 2}


@pytest.mark.parametrize(("value", "text"), [("sent by hand", "sent by hand"), ({"ü": [1]}, '{"ü": [1]}')])
def test_an_answer_is_the_result_and_nothing_is_begun(trial: Any, value: Any, text: str) -> None:
    trial.person = saying(Answer(decision="answer", value=value))
    results = trial.sitting(TASKS, worker)
    assert results["mail"] == TaskResult(value=value, text=text)
    assert trial.done == ["who", "other", "after"]
    assert trial.ids("task_finished") == ["who", "other", "mail", "after"]
    trial.sitting(TASKS, worker)
    assert trial.done == []
    assert trial.rows("task_finished").count("mail") == 1
    assert trial.replay(TASKS, worker)["mail"].value == value


def test_a_no_skips_what_needs_it_and_says_who_said_so(trial: Any) -> None:
    trial.person = saying(Answer(decision="reject", note="too early", by="Eve"))
    with pytest.raises(Rejected, match=r"'mail' was rejected, and 1 that need it .*: Eve said no: too early"):
        trial.sitting(TASKS, worker)
    (erred,) = trial.of("task_erred")
    assert (erred.task_id, erred.code, erred.error) == ("mail", "rejected", "Eve said no: too early")
    (skipped,) = trial.of("task_skipped")
    assert (skipped.task_id, skipped.reason) == ("after", "rejected")
    assert "to which a person said no" in skipped.because
    assert trial.ids("task_finished") == ["who", "other"]
    with pytest.raises(Rejected):
        trial.sitting(TASKS, worker)
    assert trial.rows("asked") == ["mail"], "a no is a no: it is not asked again"


def test_a_failure_beside_a_no_is_a_failure(trial: Any) -> None:
    async def failing(work: Task, ctx: RunContext) -> Any:
        if work.id == "other":
            raise ValueError("broken")
        return await worker(work, ctx)

    trial.person = saying(Answer(decision="reject"))
    with pytest.raises(TaskFailed, match=r"1 more failed"):
        trial.sitting(TASKS, failing)


def test_a_map_is_one_question_that_shows_every_entry(trial: Any) -> None:
    tasks = [
        task("who"),
        task("m", each=["a", "b"], args={"to": "$who", "what": "$item"}, approval=True),
    ]

    async def sends(work: Task, ctx: RunContext) -> Any:
        return "Ann" if work.id == "who" else f"{work.args['what']} to {work.args['to']}"

    shown = [{"to": "Ann", "what": "a"}, {"to": "Ann", "what": "b"}]
    trial.person = saying(Answer(decision="approve"))
    assert trial.sitting(tasks, sends)["m"].value == ["a to Ann", "b to Ann"]
    (asked,) = trial.of("asked")
    assert (asked.task_id, asked.about["args"]) == ("m", shown)
    trial.tape.rows.clear()
    fewer = [{"to": "Bob", "what": "$item"}]
    trial.person = saying(Answer(decision="edit", value={"to": "Bob"}), Answer(decision="edit", value=fewer))
    assert trial.sitting(tasks, sends)["m"].value == ["$item to Bob"]
    trial.sitting(tasks, sends)
    assert trial.done == []
    assert trial.replay(tasks, sends)["m"].value == ["$item to Bob"]


def test_a_condition_is_told_before_anybody_is_asked(trial: Any) -> None:
    never = Condition(value=1, test="equals", to=2)
    assert trial.sitting([task("a", approval=True, when=never)]) == {}
    assert trial.of("asked") == []


def test_a_retry_does_not_ask_again(trial: Any) -> None:
    async def failing(work: Task, ctx: RunContext) -> Any:
        if len(trial.done) < 3:
            raise ConnectionError("busy")
        return work.args

    trial.person = saying(Answer(decision="edit", value={"n": 2}))
    again = task("a", approval=True, retry=Retry(wait=1))
    assert trial.sitting([again], failing)["a"].value == {"n": 2}
    assert trial.ids("asked") == ["a"]
    assert trial.replay([again], failing)["a"].value == {"n": 2}


def test_what_cannot_be_asked_about_fails_and_is_not_tried_again(trial: Any) -> None:
    tasks = [task("who"), task("m", each="$who", approval=True, retry=Retry(wait=1))]
    with pytest.raises(TaskFailed, match="'m' failed: it is to be done for each of"):
        trial.sitting(tasks, worker)
    assert trial.of("task_retried") == trial.of("asked") == []
