"""A task that takes too long is cancelled, wherever it is, and has failed: it may be tried again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import StepInDoubt, TaskFailed
from crewgraph.runtime.graph import Task
from crewgraph.runtime.policy import Allowance, Retry


def task(name: str, *needs: str, **more: Any) -> Task:
    return Task(id=name, description=name, depends_on=needs, **more)


def test_it_reaches_the_running_step_and_only_that_task(trial: Any) -> None:
    stopped: list[str] = []

    async def worker(work: Task, ctx: RunContext) -> str:
        async def stream() -> str:
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                stopped.append(work.id)
                raise
            return "whole"

        given: str = await ctx.step("stream", stream, inputs={})
        return given

    with pytest.raises(TaskFailed, match=r"'a' failed: it took longer than 2\.5 seconds"):
        trial.sitting([task("a", timeout=2.5), task("b")], worker)
    assert stopped == ["a"]
    assert trial.ids("task_finished") == ["b"]


def test_a_replay_fails_in_the_same_words_and_takes_no_time(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> str:
        async def call(seconds: float) -> str:
            await asyncio.sleep(seconds)
            return "there"

        await ctx.step("short", lambda: call(1), inputs={})
        given: str = await ctx.step("long", lambda: call(9), inputs={})
        return given

    tasks = [task("a", timeout=2, retry=Retry(attempts=2, wait=1)), task("b", "a")]
    with pytest.raises(TaskFailed, match="longer than 2 seconds") as live:
        trial.sitting(tasks, worker)
    with pytest.raises(TaskFailed) as again:
        trial.replay(tasks, worker)
    assert str(live.value) == str(again.value)
    assert trial.seconds == 0


def test_each_attempt_has_its_own_time(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> str:
        await asyncio.sleep(3 if len(trial.done) < 3 else 1)
        return "there"

    retry = Retry(attempts=3, wait=10, factor=1, jitter=0)
    assert trial.sitting([task("a", timeout=2, retry=retry)], worker)["a"].value == "there"
    assert trial.seconds == pytest.approx(2 + 10 + 2 + 10 + 1)
    assert [event.error for event in trial.of("task_retried")] == ["it took longer than 2 seconds"] * 2


def test_waiting_for_a_place_is_not_counted(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> str:
        await asyncio.sleep(2)
        return work.id

    assert len(trial.sitting([task(f"t{n}", timeout=2.5) for n in range(5)], worker, limit=1)) == 5


def test_an_error_made_of_the_cancellation_is_the_timeout(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> str:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            raise ConnectionError("closed by the client") from None
        return "never"

    with pytest.raises(TaskFailed, match="longer than 1 seconds"):
        trial.sitting([task("a", timeout=1)], worker)


def test_a_worker_that_is_done_in_time_is_not_disturbed(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> str:
        await asyncio.sleep(1)
        return work.id

    assert trial.sitting([task("a", timeout=2), task("b", "a")], worker)["b"].value == "b"


def test_a_timeout_of_the_workers_own_is_an_ordinary_failure(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> str:
        raise TimeoutError("the server took 30 s")

    with pytest.raises(TaskFailed, match="TimeoutError: the server took 30 s"):
        trial.sitting([task("a", timeout=2)], worker)


def test_a_once_effect_cut_off_by_it_is_in_doubt_and_not_run_again(trial: Any, effects: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> str:
        async def pay() -> str:
            effects.calls.append("pay")
            await asyncio.sleep(9)
            return "paid"

        given: str = await ctx.step("pay", pay, inputs={}, effect="once")
        return given

    with pytest.raises(StepInDoubt, match="may have happened"):
        trial.sitting([task("a", timeout=1, retry=Retry(wait=0))], worker)
    assert effects.calls == ["pay"]


def test_the_seconds_of_an_allowance_stop_the_task_alone(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> str:
        await asyncio.sleep(9 if work.id == "a" else 12)
        return work.id

    with pytest.raises(TaskFailed, match=r"'a' failed: The task a's budget of 3\.0 seconds"):
        trial.sitting([task("a", allowance=Allowance(seconds=3)), task("b")], worker)
    assert trial.ids("task_finished") == ["b"]
    assert trial.seconds == 12
