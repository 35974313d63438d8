"""Pressure: whether what is left of a plan fits what is left of the budget, and what is left out where it does not. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...agents.crew import Crew
from ...runtime.budget import Meter
from ...runtime.graph import Task, ordered
from ..plan import TaskEstimate
from .without import Left, without

_WORDS = {"tokens": "tokens", "seconds": "seconds", "tool_calls": "tool calls", "money": "in money"}
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Amounts:
    """Tokens, seconds, tool calls and money: what is needed, or what is left. None is no limit."""

    tokens: float | None = None
    seconds: float | None = None
    tool_calls: float | None = None
    money: float | None = None

    @property
    def any_limit(self) -> bool:
        """Whether anything is limited."""
        return any(getattr(self, name) is not None for name in _WORDS)


def room_of(meter: Meter) -> Amounts:
    """What is left of a run's budget, and of those above it."""
    left: dict[str, float] = {}
    at: Meter | None = meter
    while at is not None:
        limits, spent = at.budget, at.spent
        for name, limit, used in (
            ("tokens", limits.tokens, spent.tokens),
            ("seconds", limits.seconds, at.seconds if limits.seconds is not None else 0.0),
            ("tool_calls", limits.tool_calls, spent.tool_calls),
            ("money", limits.money, spent.money),
        ):
            if limit is not None:
                left[name] = min(left.get(name, float("inf")), max(0.0, limit - used))
        at = at.within
    return Amounts(**left)


def need(tasks: Iterable[Task], estimates: Mapping[str, TaskEstimate]) -> Amounts:
    """What these tasks are thought to take; the seconds are those of the longest chain of them."""
    given = list(tasks)
    known = {task.id: estimates.get(task.id, _unknown(task)) for task in given}
    ends: dict[str, float] = {}
    inner = {task.id: [other for other in task.needs if other in known] for task in given}
    for one in ordered(inner):
        ends[one] = known[one].seconds + max((ends[other] for other in inner[one]), default=0.0)
    every = known.values()
    return Amounts(
        sum(one.tokens for one in every),
        max(ends.values(), default=0.0),
        sum(one.tool_calls for one in every),
        sum(one.money for one in every),
    )


def short(needed: Amounts, room: Amounts) -> str:
    """By what the room is too small, in words; "" where it is not."""
    said = [
        f"{_amount(getattr(needed, name))} {word} where {_amount(getattr(room, name))} are left"
        for name, word in _WORDS.items()
        if getattr(room, name) is not None and getattr(needed, name) > getattr(room, name) + _ROUNDING
    ]
    return ", ".join(said)


def pressed(
    tasks: Sequence[Task],
    estimates: Mapping[str, TaskEstimate],
    done: Collection[str],
    room: Amounts,
    crew: Crew,
    *,
    request: str = "",
    number: int = 1,
) -> Left | None:
    """The cheaper plan where what is not `done` does not fit the room; None where it fits, or nothing can be left out.

    What is optional goes first, the dearest of it before the others, as long as the rest does not fit; then branches that
    only the answer needs, the dearest first, but for those only what is measured or counted is reason enough: a guess gives
    up nothing that was asked for. The answer stays, and so does everything that is done.
    """
    if not room.any_limit:
        return None
    without_optional = _smaller(tasks, estimates, done, room, crew, request, number, only_optional=True)
    now = without_optional.tasks if without_optional is not None else tuple(tasks)
    certain = _certain(estimates)
    if _fits(now, certain, done, room):
        return without_optional
    fewer = _smaller(now, certain, done, room, crew, request, number, only_optional=False)
    return fewer if fewer is not None and _fits(fewer.tasks, certain, done, room) else without_optional


def _smaller(
    tasks: Sequence[Task],
    estimates: Mapping[str, TaskEstimate],
    done: Collection[str],
    room: Amounts,
    crew: Crew,
    request: str,
    number: int,
    *,
    only_optional: bool,
) -> Left | None:
    """The plan without as much as it takes to fit; None where nothing is left out. It may still not fit."""
    found: Left | None = None
    while not _fits(now := found.tasks if found is not None else tuple(tasks), estimates, done, room):
        better: Left | None = None
        known, users = {task.id: task for task in now}, _users(now)
        for task in _droppable(now, done, estimates, room):
            if only_optional and not task.optional:
                continue
            for out in ({task.id, *_only_for(task.id, known, users, done)}, {task.id}):
                left = without(now, out, crew, request=request, number=number)
                if left is not None and _kept(done, left):
                    better = left
                    break
            if better is not None:
                break
        if better is None:
            break
        found = better
    return found


def _fits(
    tasks: Sequence[Task], estimates: Mapping[str, TaskEstimate], done: Collection[str], room: Amounts
) -> bool:
    return not short(need((task for task in tasks if task.id not in done), estimates), room)


def _certain(estimates: Mapping[str, TaskEstimate]) -> dict[str, TaskEstimate]:
    """Of what tasks are thought to take, that which is no guess: calls and prices, and what was measured."""
    unknown = {"tokens": 0, "seconds": 0.0}
    return {
        task_id: one if one.measured else one.model_copy(update=unknown) for task_id, one in estimates.items()
    }


def _droppable(
    tasks: Sequence[Task], done: Collection[str], estimates: Mapping[str, TaskEstimate], room: Amounts
) -> list[Task]:
    """Unfinished tasks in the order in which they are given up: optional before others, ends of branches before what they
    rest on, dear before cheap, later before earlier."""
    known = {task.id: task for task in tasks}
    users = _users(tasks)
    place = {task.id: number for number, task in enumerate(tasks)}
    behind: dict[str, set[str]] = {}
    for task_id in reversed(ordered({task.id: task.needs for task in tasks})):
        behind[task_id] = set(users[task_id]).union(*(behind[user] for user in users[task_id]))

    def price(task: Task) -> float:
        one = need([task, *(known[other] for other in _only_for(task.id, known, users, done))], estimates)
        parts = [
            getattr(one, name) / max(limit, _ROUNDING)
            for name in _WORDS
            if (limit := getattr(room, name)) is not None
        ]
        return max(parts, default=0.0)

    last = tasks[-1].id
    prices = {task.id: price(task) for task in tasks if task.id not in done and task.id != last}
    dear = [known[task_id] for task_id, one in prices.items() if one > 0]
    return sorted(dear, key=lambda t: (not t.optional, len(behind[t.id]), -prices[t.id], -place[t.id]))


def _users(tasks: Sequence[Task]) -> dict[str, list[str]]:
    """For each task, those that need it."""
    users: dict[str, list[str]] = {task.id: [] for task in tasks}
    for task in tasks:
        for other in task.needs:
            users[other].append(task.id)
    return users


def _only_for(
    task_id: str, known: Mapping[str, Task], users: Mapping[str, Sequence[str]], done: Collection[str]
) -> set[str]:
    """The unfinished tasks whose results only this one uses, at first or second hand."""
    found = {task_id}
    pending = list(known[task_id].needs)
    while pending:
        other = pending.pop()
        if other not in found and other not in done and found.issuperset(users[other]):
            found.add(other)
            pending += known[other].needs
    return found - {task_id}


def _kept(done: Collection[str], left: Left) -> bool:
    ids = {task.id for task in left.tasks}
    return all(task_id in ids for task_id in done)


def _unknown(task: Task) -> TaskEstimate:
    return TaskEstimate(tool_calls=1 if task.tool is not None else 0)


def _amount(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"
