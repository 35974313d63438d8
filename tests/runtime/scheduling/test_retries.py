"""A failed task is tried again as its author said: so often, after so long, holding no place meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import (
    InvalidInput,
    Rejected,
    StepInDoubt,
    StoreError,
    TaskFailed,
    ToolError,
)
from crewgraph.runtime.graph import Task
from crewgraph.runtime.policy import Allowance, Retry

FLAT = Retry(attempts=3, wait=5, factor=1, jitter=0)


def task(name: str, *needs: str, **more: Any) -> Task:
    return Task(id=name, description=name, depends_on=needs, **more)


def failing(times: int, error: Exception | None = None) -> Any:
    """A worker that fails so often in all sittings, for each task."""
    left: dict[str, int] = {}

    async def worker(work: Task, ctx: RunContext) -> str:
        await asyncio.sleep(1)
        left[work.id] = left.get(work.id, times) - 1
        if left[work.id] >= 0:
            raise error or ConnectionError("busy")
        return work.id

    return worker


def test_it_is_tried_again_after_each_wait_until_it_works(trial: Any) -> None:
    retry = Retry(attempts=4, wait=2, factor=3, jitter=0)
    results = trial.sitting([task("a", retry=retry), task("b", "a")], only_a(2))
    assert results["b"].value == "b"
    assert [(e.task_id, e.attempt, e.wait, e.error) for e in trial.of("task_retried")] == [
        ("a", 1, 2.0, "ConnectionError: busy"),
        ("a", 2, 6.0, "ConnectionError: busy"),
    ]
    assert trial.ids("task_started") == ["a", "a", "a", "b"]
    assert trial.seconds == pytest.approx(3 + 2 + 6 + 1)


def only_a(times: int) -> Any:
    fail = failing(times)

    async def worker(work: Task, ctx: RunContext) -> str:
        if work.id == "a":
            given: str = await fail(work, ctx)
            return given
        await asyncio.sleep(1)
        return work.id

    return worker


def test_after_the_last_attempt_the_task_has_failed(trial: Any) -> None:
    with pytest.raises(
        TaskFailed, match=r"'a' failed, and 1 that need it were skipped: ConnectionError: busy"
    ):
        trial.sitting([task("a", retry=FLAT), task("b", "a"), task("c")], only_a(9))
    assert trial.done.count("a") == 3
    assert trial.ids("task_erred") == ["a"]
    assert trial.ids("task_finished") == ["c"]


def test_a_task_without_a_retry_is_tried_once(trial: Any) -> None:
    with pytest.raises(TaskFailed):
        trial.sitting([task("a")], failing(1))
    assert trial.done == ["a"]


@pytest.mark.parametrize("error", [InvalidInput("no such unit"), Rejected("a person said no")])
def test_what_must_fail_again_is_not_tried_again(trial: Any, error: Exception) -> None:
    with pytest.raises((TaskFailed, Rejected)):
        trial.sitting([task("a", retry=FLAT)], failing(1, error))
    assert trial.done == ["a"]
    assert trial.of("task_retried") == []


def test_a_store_that_fails_stops_the_run_and_is_not_tried_again(trial: Any) -> None:
    with pytest.raises(StoreError, match="disk full"):
        trial.sitting([task("a", retry=FLAT), task("b")], failing(1, StoreError("disk full")))
    assert trial.of("task_retried") == trial.of("task_erred") == []


def test_a_task_that_has_used_up_its_own_allowance_is_not_tried_again_and_others_go_on(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> int:
        await asyncio.sleep(1)
        return await ctx.step("call", one, inputs={}) if work.id == "a" else 1

    async def one() -> int:
        return 1

    none_left = Allowance(tokens=0)
    with pytest.raises(TaskFailed, match=r"'a' failed.*task a's budget of 0 tokens"):
        trial.sitting([task("a", retry=FLAT, allowance=none_left), task("b")], worker)
    assert trial.done == ["a", "b"]
    assert trial.ids("task_finished") == ["b"]


def test_while_it_waits_it_holds_no_place(trial: Any) -> None:
    tasks = [task("a", retry=FLAT, expected_seconds=9), task("b"), task("c")]
    trial.sitting(tasks, only_a(1), limit=1)
    assert trial.ids("task_started") == ["a", "b", "c", "a"]
    assert trial.seconds == pytest.approx(1 + 5 + 1)


def test_attempts_count_over_sittings_and_the_rest_of_the_wait_is_kept(trial: Any) -> None:
    with pytest.raises(TaskFailed):
        trial.sitting([task("a", retry=FLAT)], failing(3))
    failed = [row.kind for row in trial.tape.rows].index("task_retried")
    trial.tape.rows[failed] = trial.tape.rows[failed]._replace(at=time.time() - 2)
    trial.sitting([task("a", retry=FLAT)], failing(0), upto=failed + 1)
    assert trial.done == ["a"]
    assert 2 < trial.seconds - 1 < 3.5, "5 seconds were to be waited, 2 of them are over"

    with pytest.raises(TaskFailed):
        trial.sitting([task("a", retry=FLAT)], failing(9), upto=failed + 1)
    assert len(trial.done) == 2, "one of the three attempts was made in the sitting before"


def test_a_wait_that_is_over_is_not_waited_again(trial: Any) -> None:
    with pytest.raises(TaskFailed):
        trial.sitting([task("a", retry=FLAT)], failing(3))
    failed = [row.kind for row in trial.tape.rows].index("task_retried")
    trial.tape.rows[failed] = trial.tape.rows[failed]._replace(at=time.time() - 60)
    trial.sitting([task("a", retry=FLAT)], failing(0), upto=failed + 1)
    assert trial.seconds == pytest.approx(1)


def test_a_run_that_failed_for_good_has_all_attempts_again_when_resumed(trial: Any) -> None:
    for _ in range(2):
        with pytest.raises(TaskFailed):
            trial.sitting([task("a", retry=FLAT)], failing(9))
        assert len(trial.done) == 3


def test_what_an_attempt_finished_is_read_back_by_the_next(trial: Any, effects: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> list[int]:
        one = await ctx.step("one", effects.giving(1, "one"), inputs={})
        call = effects.failing(ToolError("down"), "two") if len(trial.done) < 3 else effects.giving(2, "two")
        return [one, await ctx.step("two", call, inputs={})]

    assert trial.sitting([task("a", retry=FLAT)], worker)["a"].value == [1, 2]
    assert effects.calls == ["one", "two", "two", "two"]
    effects.calls.clear()
    assert trial.replay([task("a", retry=FLAT)], worker)["a"].value == [1, 2]
    assert effects.calls == []
    assert trial.seconds == 0


def test_a_replay_of_a_run_that_failed_fails_in_the_same_words_and_waits_for_nothing(
    trial: Any, effects: Any
) -> None:
    async def worker(work: Task, ctx: RunContext) -> int:
        given: int = await ctx.step("two", effects.failing(ToolError("down")), inputs={})
        return given

    said = []
    with pytest.raises(TaskFailed) as live:
        trial.sitting([task("a", retry=FLAT)], worker)
    said.append(str(live.value))
    assert trial.seconds == 10
    with pytest.raises(TaskFailed) as again:
        trial.replay([task("a", retry=FLAT)], worker)
    said.append(str(again.value))
    assert said[0] == said[1]
    assert trial.seconds == 0
    assert len(effects.calls) == 3


def test_a_once_effect_that_may_have_happened_is_not_tried_again(trial: Any, effects: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> int:
        pay = effects.failing(ConnectionError("lost"), "pay")
        given: int = await ctx.step("pay", pay, inputs={}, effect="once")
        return given

    with pytest.raises(StepInDoubt, match="may have happened"):
        trial.sitting([task("a", retry=FLAT)], worker)
    assert effects.calls == ["pay"]


def test_cancelled_while_it_waits_it_is_not_tried_again(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> str:
        if work.id == "stop":
            await asyncio.sleep(3)
            raise StoreError("disk full")
        raise ConnectionError("busy")

    with pytest.raises(StoreError):
        trial.sitting([task("a", retry=FLAT), task("stop")], worker)
    assert trial.done == ["a", "stop"]
