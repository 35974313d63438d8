"""Random runs, with failures, retries, conditions, maps and growth, broken off anywhere: every task ends as it must."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import TaskFailed
from crewgraph.runtime.graph import Task
from crewgraph.runtime.policy import Condition, Retry


@dataclass
class Program:
    """What each task does: how often it fails in all, how long it takes, what it adds, how its entries fail."""

    given: list[Task]
    all: dict[str, Task] = field(default_factory=dict)
    fails: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    adds: dict[str, tuple[list[Task], list[str]]] = field(default_factory=dict)

    def ends(self) -> dict[str, str]:
        """How each task must end: read off the definitions, without scheduling anything."""
        found: dict[str, str] = {}

        def end(task_id: str) -> str:
            if task_id not in found:
                # Whoever is to wait for added tasks needs the adder, so that this ends.
                adders = [adder for adder, (_, then) in self.adds.items() if task_id in then]
                begun = [adder for adder in adders if end(adder) in ("finished", "failed")]
                waits = [one.id for adder in begun for one in self.adds[adder][0]]
                found[task_id] = self._end(self.all[task_id], end, waits)
            return found[task_id]

        for task in self.given:
            end(task.id)
        for adder, (tasks, _) in self.adds.items():
            for task in tasks if end(adder) in ("finished", "failed") else ():
                end(task.id)
        return found

    def _end(self, task: Task, end: Any, waits: list[str]) -> str:
        ends = {need: end(need) for need in (*task.needs, *waits)}
        if any(state in ("failed", "skipped") for state in ends.values()):
            return "skipped"
        if any(ends[need] == "passed_over" for need in task.refers_to):
            return "passed_over"
        if task.when is not None and task.when.value == "never":
            return "passed_over"
        parts = (
            [f"{task.id}.{n}" for n in range(len(task.each))] if isinstance(task.each, list) else [task.id]
        )
        attempts = task.retry.attempts if task.retry else 1
        return "failed" if any(self.fails[part] >= attempts for part in parts) else "finished"


@st.composite
def programs(draw: st.DrawFn) -> Program:
    program = Program([])
    added = 0

    def one(name: str, known: list[str]) -> Task:
        needs = draw(st.lists(st.sampled_from(known), unique=True, max_size=3)) if known else []
        reads = draw(st.sets(st.sampled_from(needs))) if needs else set()
        entries = draw(st.sampled_from([None, None, None, [1], [1, 2, 3]]))
        made = Task(
            id=name,
            description=name,
            agent=draw(st.sampled_from([None, "writer"])),
            depends_on=[need for need in needs if need not in reads],
            args={f"x{n}": f"${need}" for n, need in enumerate(sorted(reads))},
            each=entries,
            when=draw(st.sampled_from([None, None, Condition(value="never", test="empty")])),
            retry=draw(st.sampled_from([None, Retry(attempts=3, wait=2, jitter=0.5)])),
            expected_seconds=draw(st.sampled_from([None, 3])),
        )
        program.all[name] = made
        for part in (f"{name}.{n}" for n in range(len(entries))) if entries else (name,):
            program.fails[part] = draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3]))
            program.seconds[part] = draw(st.integers(0, 5)) / 2
        return made

    for number in range(draw(st.integers(1, 7))):
        program.given.append(one(f"t{number}", [task.id for task in program.given]))
    names = [task.id for task in program.given]
    for position, adder in enumerate(names):
        if program.all[adder].each is None and draw(st.integers(0, 3)) == 0:
            new: list[Task] = []
            for _ in range(draw(st.integers(1, 2))):
                # Only on what comes before the adder, so that no `then` can make a circle.
                new.append(one(f"n{added}", [*names[: position + 1], *(task.id for task in new)]))
                added += 1
            later = [name for name in names[position + 1 :] if adder in program.all[name].needs]
            program.adds[adder] = (
                new,
                draw(st.lists(st.sampled_from(later), unique=True, max_size=1)) if later else [],
            )
    return program


def worker_of(program: Program, limit: int, busy: dict[str, int]) -> Any:
    tried: Counter[str] = Counter()
    running: Counter[str | None] = Counter()

    async def worker(task: Task, ctx: RunContext) -> Any:
        running[task.agent] += 1
        try:
            assert running.total() <= limit
            assert all(running[role] <= most for role, most in busy.items())
            tried[task.id] += 1
            now = tried[task.id]
            if task.id in program.adds:
                tasks, then = program.adds[task.id]
                await ctx.add_tasks(tasks, then=then)
            await asyncio.sleep(program.seconds[task.id])

            async def call() -> str:
                if now <= program.fails[task.id]:
                    raise ConnectionError("busy")
                return task.id

            return await ctx.step("call", call, inputs=dict(task.args))
        finally:
            running[task.agent] -= 1

    return worker


def ends_of(trial: Any) -> dict[str, str]:
    """How the tasks of the latest sitting ended, by its events; each ends exactly once."""
    found: dict[str, str] = {}
    for event in trial.events:
        end = {
            "task_finished": "finished",
            "task_erred": "failed",
            "task_skipped": "passed_over" if getattr(event, "reason", "") == "condition" else "skipped",
        }.get(event.kind)
        if end and "." not in event.task_id:
            assert event.task_id not in found, "a task ends once"
            found[event.task_id] = end
    return found


def sitting(trial: Any, program: Program, worker: Any, expected: dict[str, str], **options: Any) -> Any:
    if "failed" in expected.values():
        with pytest.raises(TaskFailed):
            trial.sitting(program.given, worker, **options)
        return None
    return trial.sitting(program.given, worker, **options)


@given(
    program=programs(),
    limit=st.integers(1, 5),
    busy=st.sampled_from([{}, {"writer": 1}]),
    cut=st.floats(0, 1),
)
@settings(max_examples=200, deadline=None)
def test_every_task_ends_exactly_as_its_definition_says(
    new_trial: Any, program: Program, limit: int, busy: dict[str, int], cut: float
) -> None:
    expected = program.ends()
    trial = new_trial()
    results = sitting(trial, program, worker_of(program, limit, busy), expected, limit=limit, agents=busy)
    assert ends_of(trial) == expected
    if results is not None:
        assert set(results) == {name for name, end in expected.items() if end == "finished"}
    begun: set[str] = set()
    finished: set[str] = set()
    for event in trial.events:
        name = event.task_id
        if event.kind == "task_started" and "." not in name:
            needs = program.all[name].needs
            assert {need for need in needs if expected[need] == "finished"} <= finished
            begun.add(name)
        elif event.kind == "task_finished":
            finished.add(name)
    assert begun == {name for name, end in expected.items() if end in ("finished", "failed")}

    # Broken off anywhere and resumed, with whatever failures were not used up yet, nothing finished is done again.
    upto = round(cut * len(trial.tape.rows))
    kept = {row.task_id for row in trial.tape.rows[:upto] if row.kind == "task_finished"}
    calm = Program(program.given, program.all, dict.fromkeys(program.fails, 0), program.seconds, program.adds)
    after = sitting(
        trial, calm, worker_of(calm, limit, busy), calm.ends(), upto=upto, limit=limit, agents=busy
    )
    assert ends_of(trial) == calm.ends()
    assert kept.isdisjoint(trial.done)
    assert trial.replay(calm.given, worker_of(calm, limit, busy), limit=limit, agents=busy) == after
