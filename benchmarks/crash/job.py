"""Job: the graph that is carried out, made from a seed, and what must come of it.

Every job has a map over a list, tasks under a condition, retries, a task that does several effects at once (two of
them identical), one that adds tasks that add tasks, a planner that streams tasks, and a random graph besides. Its
effects are `once` in a database and in a file, with and without a `reconcile`, `idempotent` and `read_only`. Two
values are chance (`dice`, `quote`): whatever was drawn first must hold to the end.
"""

from __future__ import annotations

import hashlib
import json
import random
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crewgraph.runtime.graph import Task, TaskGraph, TaskResult, resolve
from crewgraph.runtime.policy import Condition, Retry

MODULUS = 997
LARGE_WORDS = 40_000
"""Words in a result that is kept apart."""
PLACES = {
    "pay": "database",  # once, found out by its own `reconcile`
    "wire": "database",  # once, found out by a person
    "post": "file",  # once, reconcile
    "mail": "file",  # once, a person
    "charge": "service",  # idempotent
    "look": "",  # read_only
}
ONCE = ("pay", "wire", "post", "mail")
TRY_AGAIN = Retry(attempts=6, wait=0.004, factor=1.5, jitter=0.5)


def amount_of(base: int, given: Any) -> int:
    """How much an effect is of: it depends on everything it was given."""
    return (base + sum(_numbers(given))) % MODULUS


def value_of(name: str, amount: int) -> int:
    """What an effect gives back."""
    return (amount * 31 + zlib.crc32(name.encode())) % MODULUS


def given_back(name: str, amount: int) -> dict[str, Any]:
    """The result of the tool. One that is called ``~large`` is too large for a row of the journal."""
    found: dict[str, Any] = {"n": value_of(name, amount)}
    return {**found, "text": f"{amount} " * LARGE_WORDS} if name.endswith("~large") else found


def total(values: Any) -> int:
    """What a task that adds up gives."""
    return sum(_numbers(values)) % MODULUS


def answer(results: Mapping[str, Any]) -> str:
    """The run's answer: it shows every result."""
    said = json.dumps({name: results[name] for name in sorted(results)}, sort_keys=True)
    return f"{total(list(results.values()))} {hashlib.sha256(said.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Batch:
    """Tasks that a task adds, and those that wait for them."""

    tasks: tuple[Task, ...]
    then: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """One job: its graph, what its planner streams, what its tasks add, whether a person is asked."""

    seed: int
    graph: TaskGraph
    stream: tuple[Task, ...]
    batches: Mapping[str, Batch]

    def all_tasks(self) -> list[Task]:
        """Every task there will be."""
        return [
            *self.graph.tasks,
            *self.stream,
            *(task for batch in self.batches.values() for task in batch.tasks),
        ]


@dataclass
class Expected:
    """What must come of a job, once chance has spoken: a value for each task, and every effect in its place."""

    values: dict[str, Any] = field(default_factory=dict)
    effects: Counter[tuple[str, str, int]] = field(default_factory=Counter)


def make_job(seed: int) -> Job:
    """The job of this seed."""
    rng = random.Random(f"job {seed}")
    batches: dict[str, Batch] = {}
    tasks = [
        _plain("dice"),
        _call("quote", "quote", rng, ()),
        _plain("list", args={"n": rng.randint(2, 4)}),
        _mapped("pays", rng.choice(ONCE), rng, approval=rng.random() < 0.25),
        _mapped("charges", "charge", rng),
        _mapped("looks", "look", rng),
        _call("high", rng.choice(ONCE), rng, ("dice",), when=_dice("at_least")),
        _call("low", rng.choice(ONCE), rng, ("dice",), when=_dice("below")),
        _call("large", "look", rng, ("quote",), mode="large"),
        _call("large-once", "pay", rng, ("list",), mode="large"),
        _plain("flaky", args={"given": ["$quote"]}, retry=TRY_AGAIN),
        _plain("gang", args={"given": ["$dice"]}),
        _plain("grow", args={"given": ["$quote"]}),
    ]
    batches["grow"] = Batch(
        (
            _call("grown", rng.choice(ONCE), rng, ()),
            _call("taller", rng.choice(ONCE), rng, ("grown",)),
            _plain("grow-more"),
        ),
        then=("sum",),
    )
    batches["grow-more"] = Batch((_call("tallest", rng.choice(ONCE), rng, ("taller",)),), then=("sum",))
    for number in range(rng.randint(5, 8)):
        known = [task.id for task in tasks if task.id not in ("high", "low", "large", "large-once")]
        needs = tuple(rng.sample(known, rng.randint(0, 2)))
        tool = rng.choice(tuple(PLACES))
        # Tools that fail, and say whether it has happened, or do not; where they do not, a person has to.
        modes = ["", "", "refused"] if tool in ONCE else ["", "unheard"]
        if tool in ("pay", "post"):
            modes += ["unheard", "unsent"]
        elif tool in ONCE and rng.random() < 0.2:
            modes = ["unheard"]
        tasks.append(_call(f"t{number}", tool, rng, needs, mode=rng.choice(modes), retry=TRY_AGAIN))
    tasks.append(_plain("sum", depends_on=tuple(task.id for task in tasks)))
    stream = (
        _call("s0", rng.choice(ONCE), rng, ()),
        _call("s1", "look", rng, ("s0",)),
        _call("s2", rng.choice(ONCE), rng, ("quote", "s1")),
    )
    return Job(seed, TaskGraph(tasks), stream, batches)


def gang_calls(amount: int) -> list[tuple[str, dict[str, Any]]]:
    """What the task `gang` does at once: every kind of effect, and two that are the same."""
    calls = [(tool, {"name": f"gang-{tool}", "base": amount, "given": []}) for tool in PLACES]
    twin = {"name": "twin", "base": amount, "given": []}
    return [*calls, ("pay", dict(twin)), ("pay", dict(twin)), ("mail", dict(twin)), ("mail", dict(twin))]


def flaky_calls(amount: int) -> list[tuple[str, dict[str, Any]]]:
    """What the task `flaky` does one after the other; between them it fails twice."""
    return [
        ("wire", {"name": "flaky-a", "base": amount, "given": []}),
        ("charge", {"name": "flaky-b", "base": amount, "given": []}),
        ("post", {"name": "flaky-c", "base": amount, "given": []}),
    ]


def list_of(count: int) -> list[dict[str, Any]]:
    """What the task `list` gives."""
    return [{"name": f"item-{number}", "n": number * 7 + count} for number in range(count)]


def expected(job: Job, chance: Mapping[str, Any]) -> Expected:
    """What must come of a job whose chance values are these (of the tasks `dice` and `quote`)."""
    found = Expected(dict(chance))
    pending = [task for task in job.all_tasks() if task.id not in chance]
    waits: dict[str, list[str]] = {}
    for batch in job.batches.values():
        for name in batch.then:
            waits.setdefault(name, []).extend(task.id for task in batch.tasks)
    passed: set[str] = set()
    while pending:
        for task in list(pending):
            needs = list(dict.fromkeys([*task.needs, *waits.get(task.id, ())]))
            if all(need in found.values or need in passed for need in needs):
                pending.remove(task)
                if not _expect(task, needs, found):
                    passed.add(task.id)
    return found


def _expect(task: Task, needs: list[str], found: Expected) -> bool:
    results = {name: TaskResult(value=value) for name, value in found.values.items()}
    when = task.when
    if when is not None and not when.holds(resolve(when.value, results), resolve(when.to, results)):
        return False
    if task.each is not None:
        entries: Any = resolve(task.each, results)
        found.values[task.id] = [
            _effect(found, task.tool, resolve(task.args, {**results, "item": TaskResult(value=entry)}))
            for entry in entries
        ]
        return True
    args: Any = resolve(task.args, results)
    if task.tool is not None:
        found.values[task.id] = _effect(found, task.tool, args)
    elif task.description == "list":
        found.values[task.id] = list_of(args["n"])
    elif task.description in ("gang", "flaky"):
        calls = (gang_calls if task.description == "gang" else flaky_calls)(amount_of(1, args["given"]))
        found.values[task.id] = {"n": total([_effect(found, tool, more) for tool, more in calls])}
    elif task.description == "sum":
        found.values[task.id] = {"n": total([found.values[need] for need in needs if need in found.values])}
    else:
        found.values[task.id] = {"n": total(args.get("given", []))}
    return True


def _effect(found: Expected, tool: str | None, args: Mapping[str, Any]) -> dict[str, Any]:
    amount = amount_of(args["base"], args["given"])
    if place := PLACES[str(tool)]:
        found.effects[place, args["name"], amount] += 1
    return given_back(args["name"], amount)


def _plain(name: str, **more: Any) -> Task:
    return Task(id=name, description=name, **more)


def _call(
    name: str, tool: str, rng: random.Random, needs: tuple[str, ...], mode: str = "", **more: Any
) -> Task:
    args = {
        "name": f"{name}~{mode}" if mode else name,
        "base": rng.randint(1, 99),
        "given": [f"${need}" for need in needs],
    }
    return Task(id=name, description="call", tool=tool, args=args, **more)


def _mapped(name: str, tool: str, rng: random.Random, **more: Any) -> Task:
    args = {"name": "$item.name", "base": rng.randint(1, 99), "given": ["$item.n", "$dice"]}
    return Task(id=name, description="call", tool=tool, args=args, each="$list", **more)


def _dice(test: Any) -> Condition:
    return Condition(value="$dice.n", test=test, to=500)


def _numbers(value: Any) -> list[int]:
    if isinstance(value, Mapping):
        return _numbers(value.get("n", 0))
    if isinstance(value, list | tuple):
        return [number for part in value for number in _numbers(part)]
    return [int(value)]
