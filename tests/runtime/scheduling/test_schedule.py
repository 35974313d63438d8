"""What is next is decided without a clock: whatever becomes of tasks, each ends once, in its turn and in its place."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph.runtime.errors import InvalidGraph, InvalidInput
from crewgraph.runtime.graph import Task, TaskGraph
from crewgraph.runtime.scheduling.schedule import Schedule, Unit

ENDS = {"finished", "failed", "skipped", "passed_over"}


def task(name: str, *needs: str, **more: Any) -> Task:
    return Task(id=name, description=name, depends_on=needs, **more)


def order(schedule: Schedule) -> list[str]:
    """Which tasks come one after the other, when each is done before the next is asked for."""
    found = []
    while (unit := schedule.next()) is not None:
        found.append(unit.id)
        schedule.finish(unit)
    return found


def begun(schedule: Schedule) -> Unit:
    """The next one, of which there must be one."""
    unit = schedule.next()
    assert unit is not None
    return unit


def drawn_task(draw: st.DrawFn, name: str, known: list[str]) -> Task:
    needs = draw(st.lists(st.sampled_from(known), unique=True, max_size=3)) if known else []
    reads = draw(st.sets(st.sampled_from(needs))) if needs else set()
    return Task(
        id=name,
        description=name,
        agent=draw(st.sampled_from([None, "writer", "reader"])),
        depends_on=[need for need in needs if need not in reads],
        args={f"x{n}": f"${need}" for n, need in enumerate(sorted(reads))},
        expected_seconds=draw(st.sampled_from([None, 0, 0.5, 7])),
    )


class Driver:
    """Drives a schedule at random and holds it to its promises after every move."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        names = [f"t{n}" for n in range(draw(st.integers(1, 12)))]
        tasks = [drawn_task(draw, name, names[:number]) for number, name in enumerate(names)]
        self.limit = draw(st.integers(1, 4))
        self.agents = draw(st.sampled_from([{}, {"writer": 1}, {"writer": 1, "reader": 2}]))
        self.schedule = Schedule(
            TaskGraph(draw(st.permutations(tasks))), limit=self.limit, agents=self.agents
        )
        self.running: list[Unit] = []
        self.paused: list[Unit] = []
        self.ended: dict[str, str] = {}
        self.open: dict[str, set[str]] = {}
        self.added = 0

    def drive(self) -> None:
        while self.begin() or self.running or self.paused:
            move = self.draw(
                st.sampled_from(["finish", "finish", "fail", "pass_over", "pause", "open", "add", "again"])
            )
            unit = self.draw(st.sampled_from(self.running)) if self.running else None
            if move == "again" or unit is None:
                if self.paused:
                    self.schedule.again(self.paused.pop())
            elif move == "add":
                self.add()
            else:
                self.running.remove(unit)
                self.move(move, unit)
            self.check()

    def begin(self) -> bool:
        unit = self.schedule.next()
        if unit is None:
            places = self.limit - len(self.running)
            busy = Counter(one.task.agent for one in self.running)
            idle = [
                one.id
                for one in self.schedule
                if one.state == "ready" and busy[one.task.agent] < self.agents.get(one.task.agent or "", 99)
            ]
            assert not places or not idle, "there was a place, and something to begin"
            return False
        assert all(self.schedule[need].state in ("finished", "passed_over") for need in unit.needs)
        assert unit.id not in self.ended
        self.running.append(unit)
        return True

    def move(self, move: str, unit: Unit) -> None:
        if move == "pause":
            self.schedule.pause(unit)
            self.paused.append(unit)
        elif move == "open" and not unit.index:
            entries = [
                task(f"{unit.id}.{n}", agent=unit.task.agent) for n in range(self.draw(st.integers(1, 3)))
            ]
            self.open[unit.id] = {one.id for one in self.schedule.open(unit, entries)}
        elif move == "pass_over" and not unit.index:
            self.schedule.pass_over(unit)
        elif move == "fail":
            self.schedule.fail(unit)
            self.close(unit)
        else:
            self.schedule.finish(unit)
            self.close(unit)

    def close(self, unit: Unit) -> None:
        parent = unit.id.partition(".")[0]
        if unit.index:
            self.open[parent].discard(unit.id)
            if not self.open[parent]:
                self.schedule.finish(self.schedule[parent])

    def add(self) -> None:
        known = [unit.id for unit in self.schedule if not unit.index]
        new = []
        for _ in range(self.draw(st.integers(1, 3))):
            if self.added < 8:
                new.append(drawn_task(self.draw, f"n{self.added}", known + [one.id for one in new]))
                self.added += 1
        then = self.draw(st.lists(st.sampled_from(known), max_size=2, unique=True))
        before = [(unit.id, unit.needs, unit.state, unit.chain) for unit in self.schedule]
        try:
            assert list(self.schedule.add(new, then)) == new
        except InvalidGraph:
            assert [(unit.id, unit.needs, unit.state, unit.chain) for unit in self.schedule] == before
        else:
            assert self.schedule.add(new, then) == (), "the same again is nothing"
            waiting = [
                self.schedule[name] for name in then if self.schedule[name].state in ("waiting", "ready")
            ]
            assert all({one.id for one in new} <= set(unit.needs) for unit in waiting)

    def check(self) -> None:
        assert len(self.running) <= self.limit
        busy = Counter(unit.task.agent for unit in self.running)
        assert all(busy[role] <= most for role, most in self.agents.items())
        for unit in self.schedule:
            if unit.id in self.ended:
                assert unit.state == self.ended[unit.id], "an end is an end"
            elif unit.state in ENDS:
                self.ended[unit.id] = unit.state
        left = sum(unit.seconds for unit in self.schedule if unit.state not in {*ENDS, "open"})
        assert self.schedule.seconds_left == pytest.approx(left), (
            "what is left are the tasks that have not ended"
        )
        for skip in self.schedule.skips:
            assert self.ended[skip.task_id] == ("passed_over" if skip.reason == "condition" else "skipped")


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_happens_every_task_ends_once_and_for_a_reason(data: st.DataObject) -> None:
    driver = Driver(data.draw)  # type: ignore[arg-type]
    driver.check()
    driver.drive()
    schedule = driver.schedule
    told = Counter(skip.task_id for skip in schedule.skips)
    for unit in schedule:
        lost = [need for need in unit.needs if schedule[need].state in ("failed", "skipped")]
        unread = [need for need in unit.task.refers_to if schedule[need].state == "passed_over"]
        assert unit.state in ENDS
        assert (unit.state == "skipped") == bool(lost)
        if unread and not lost:
            assert unit.state == "passed_over"
        assert told[unit.id] == (bool(lost) or bool(unread)), "those that follow from others are told, once"


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_the_chain_that_hangs_on_a_task_is_right_however_the_graph_grew(data: st.DataObject) -> None:
    driver = Driver(data.draw)  # type: ignore[arg-type]
    for _ in range(data.draw(st.integers(0, 4))):
        driver.add()
    units = {unit.id: unit for unit in driver.schedule}

    def chain(unit_id: str) -> float:
        seconds = units[unit_id].task.expected_seconds
        after = [chain(unit.id) for unit in units.values() if unit_id in unit.needs]
        return (1.0 if seconds is None else seconds) + max(after, default=0.0)

    assert {unit_id: unit.chain for unit_id, unit in units.items()} == {
        unit_id: pytest.approx(chain(unit_id)) for unit_id in units
    }


def test_the_longest_chain_in_seconds_goes_first_and_then_the_order_given() -> None:
    tasks = [task("a"), task("b"), task("long", expected_seconds=5), task("head"), task("tail", "head")]
    assert order(Schedule(TaskGraph(tasks), limit=1)) == ["long", "head", "a", "b", "tail"]


def test_a_busy_agent_lets_the_next_go_first() -> None:
    tasks = [task(f"w{n}", agent="writer", expected_seconds=9) for n in range(3)] + [task("other")]
    schedule = Schedule(TaskGraph(tasks), limit=3, agents={"writer": 1})
    first, second = begun(schedule), begun(schedule)
    assert (first.id, second.id, schedule.next()) == ("w0", "other", None)
    schedule.finish(first)
    assert (begun(schedule).id, schedule.next()) == ("w1", None)


def test_entries_stand_where_their_task_stood() -> None:
    tasks = [task("urgent", expected_seconds=9), task("m", expected_seconds=5), task("late")]
    schedule = Schedule(TaskGraph(tasks), limit=1)
    schedule.finish(begun(schedule))
    schedule.open(begun(schedule), [task("m.0"), task("m.1")])
    assert order(schedule) == ["m.0", "m.1", "late"]


def test_thousands_in_a_chain_and_side_by_side_are_no_burden() -> None:
    chain = [task("t0"), *(task(f"t{n}", f"t{n - 1}") for n in range(1, 5000))]
    fan = [task(f"f{n}", "t4999") for n in range(5000)]
    assert len(order(Schedule(TaskGraph(chain + fan), limit=1))) == 10_000
    schedule = Schedule(TaskGraph(chain + fan), limit=1)
    schedule.fail(begun(schedule))
    assert len(schedule.skips) == 9_999


def test_streamed_one_by_one_a_long_chain_is_no_burden() -> None:
    schedule = Schedule(TaskGraph([]), limit=1)
    for n in range(1000):
        schedule.add([task(f"t{n}", *([f"t{n - 1}"] if n else []))])
    assert len(order(schedule)) == 1000


@pytest.mark.parametrize("limits", [{"limit": 0}, {"agents": {"writer": 0}}])
def test_a_limit_below_one_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="1 or more"):
        Schedule(TaskGraph([]), **limits)
