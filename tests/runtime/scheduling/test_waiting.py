"""A task that waits for a person holds up only what needs it; then the run says what it waits for, and ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import RunWaiting, StepInDoubt, TaskFailed
from crewgraph.runtime.events import Answer
from crewgraph.runtime.graph import Task
from crewgraph.runtime.policy import Retry


def task(name: str, *needs: str, **more: Any) -> Task:
    return Task(id=name, description=name, depends_on=needs, **more)


TASKS = [task("ask"), task("after", "ask"), task("slow"), task("slower", "slow")]


async def worker(work: Task, ctx: RunContext) -> Any:
    if work.id.startswith("ask"):
        return (await ctx.ask(f"What of {work.id}?")).value
    await asyncio.sleep(1)
    return work.id


def test_everything_else_goes_on_to_the_end_first(trial: Any) -> None:
    with pytest.raises(RunWaiting, match=r"1 question waits .*'What of ask\?'.*`crewgraph answer r-test`"):
        trial.sitting(TASKS, worker)
    assert trial.ids("task_finished") == ["slow", "slower"]
    assert trial.of("task_erred") == trial.of("task_skipped") == []


def test_all_questions_are_counted_and_the_first_is_named(trial: Any) -> None:
    with pytest.raises(RunWaiting, match=r"2 questions wait .*'What of ask1\?'"):
        trial.sitting([task("ask1"), task("ask2"), task("c", "ask1", "ask2")], worker)


def test_answered_meanwhile_it_goes_on_in_the_same_sitting(trial: Any) -> None:
    trial.person = lambda asked: Answer(decision="answer", value=7) if "slower" in trial.done else None
    assert trial.sitting(TASKS, worker)["ask"].value == 7
    assert trial.done == ["ask", "slow", "slower", "ask", "after"]


def test_an_answer_taken_in_by_another_question_counts(trial: Any) -> None:
    """A task that asks looks for answers too, and may find those to others."""
    answered = Answer(decision="answer", value=1)
    trial.person = lambda asked: (
        answered if asked.task_id == "ask1" and trial.tape.rows[-1].task_id == "ask2" else None
    )
    tasks = [task("ask1"), task("slow"), task("ask2", "slow")]
    with pytest.raises(RunWaiting, match=r"1 question waits.*ask2"):
        trial.sitting(tasks, worker)
    assert trial.ids("task_finished") == ["slow", "ask1"]


def test_answered_later_it_goes_on_from_there(trial: Any, effects: Any) -> None:
    async def careful(work: Task, ctx: RunContext) -> Any:
        if work.id != "ask":
            return work.id
        one = await ctx.step("one", effects.giving(1, "one"), inputs={})
        said = await ctx.ask("May I?")
        return [one, said.decision, await ctx.step("two", effects.giving(2, "two"), inputs={})]

    with pytest.raises(RunWaiting):
        trial.sitting(TASKS, careful)
    trial.person = lambda asked: Answer(decision="approve")
    assert trial.sitting(TASKS, careful)["ask"].value == [1, "approve", 2]
    assert effects.calls == ["one", "two"]
    assert trial.replay(TASKS, careful)["ask"].value == [1, "approve", 2]


def test_a_replay_of_a_run_that_waits_waits(trial: Any) -> None:
    with pytest.raises(RunWaiting) as live:
        trial.sitting(TASKS, worker)
    with pytest.raises(RunWaiting) as again:
        trial.replay(TASKS, worker)
    assert str(live.value) == str(again.value)


def test_waiting_is_no_failure_and_uses_no_attempt(trial: Any) -> None:
    with pytest.raises(RunWaiting):
        trial.sitting([task("ask", retry=Retry(wait=1))], worker)
    assert trial.of("task_retried") == []


def test_a_question_holds_no_place(trial: Any) -> None:
    with pytest.raises(RunWaiting):
        trial.sitting([task("ask", expected_seconds=9), *TASKS[2:]], worker, limit=1)
    assert trial.done == ["ask", "slow", "slower"]


def test_a_failure_is_told_before_a_question(trial: Any) -> None:
    async def failing(work: Task, ctx: RunContext) -> Any:
        if work.id == "slow":
            raise ValueError("broken")
        return await worker(work, ctx)

    with pytest.raises(TaskFailed, match=r"'slow' failed.*broken.*1 question waits for an answer as well"):
        trial.sitting(TASKS, failing)


def test_questions_side_by_side_in_one_task_are_found(trial: Any) -> None:
    async def both(work: Task, ctx: RunContext) -> Any:
        async with asyncio.TaskGroup() as group:
            parts = [group.create_task(ctx.ask(f"{n}?")) for n in range(2)]
        return [part.result().value for part in parts]

    answers = iter([1, 2])
    trial.person = lambda asked: Answer(decision="answer", value=next(answers))
    assert trial.sitting([task("a")], both)["a"].value == [1, 2]


def test_an_entry_of_a_map_may_ask(trial: Any) -> None:
    async def asks(work: Task, ctx: RunContext) -> Any:
        return (await ctx.ask("Which?")).value if work.id == "m.1" else work.args.get("n")

    tasks = [task("m", each=[0, 1, 2], args={"n": "$item"}), task("after", "m")]
    with pytest.raises(RunWaiting):
        trial.sitting(tasks, asks)
    assert trial.ids("task_finished") == ["m.0", "m.2"]
    trial.person = lambda asked: Answer(decision="answer", value=10)
    assert trial.sitting(tasks, asks)["m"].value == [0, 10, 2]


def test_doubt_holds_up_only_what_needs_it_and_is_told_first(trial: Any, effects: Any) -> None:
    async def pays(work: Task, ctx: RunContext) -> Any:
        if work.id == "pay":
            lost = effects.failing(ConnectionError("lost"), "pay")
            return await ctx.step("pay", lost, inputs={}, effect="once")
        return await worker(work, ctx)

    tasks = [task("pay"), task("after", "pay"), *TASKS[2:], task("ask")]
    with pytest.raises(StepInDoubt, match="Step 'pay' of task 'pay'"):
        trial.sitting(tasks, pays)
    assert trial.ids("task_finished") == ["slow", "slower"]
    assert trial.of("task_erred") == trial.of("task_skipped") == []
    with pytest.raises(StepInDoubt):
        trial.sitting(tasks, pays)
    assert effects.calls == ["pay"]


def test_doubt_that_a_person_ends_lets_the_task_go_on(trial: Any, effects: Any) -> None:
    async def pays(work: Task, ctx: RunContext) -> Any:
        if work.id == "pay":
            lost = effects.failing(ConnectionError("lost"), "pay")
            return await ctx.step("pay", lost, inputs={}, effect="once")
        return work.id

    trial.person = lambda asked: Answer(decision="answer", value="it was paid")
    assert trial.sitting([task("pay"), task("after", "pay")], pays)["pay"].value == "it was paid"
    assert effects.calls == ["pay"]


def test_an_error_handled_before_a_doubt_is_read_back_after_it(trial: Any, effects: Any) -> None:
    """The way taken round an error stays the way, although the task was begun several times."""

    async def pays(work: Task, ctx: RunContext) -> Any:
        try:
            await ctx.step("card", effects.failing(ValueError("expired"), "card"), inputs={})
        except ValueError:
            lost = effects.failing(ConnectionError("lost"), "transfer")
            return await ctx.step("transfer", lost, inputs={}, effect="once")

    with pytest.raises(StepInDoubt):
        trial.sitting([task("pay")], pays)
    trial.person = lambda asked: Answer(decision="answer", value="transferred")
    assert trial.sitting([task("pay")], pays)["pay"].value == "transferred"
    assert effects.calls == ["card", "transfer"]
