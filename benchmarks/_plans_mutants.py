"""Valid plans with one thing broken in each: about forty ways of breaking one.

A way takes a plan apart at random; where it finds nothing to break it gives None. Whether what came of it is broken, the
independent judge says: a mutant that is still valid is none.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from _plans_judge import NO_LIMITS, Limits, found_in

from crewgraph import Allowance, Condition, Crew, Task, Tool
from crewgraph.runtime.budget import Budget


class Mutant(NamedTuple):
    """A broken plan, and the limits it breaks where it is that."""

    tasks: tuple[Task, ...]
    limits: Limits = NO_LIMITS


class Plan(NamedTuple):
    """What is broken."""

    tasks: tuple[Task, ...]
    crew: Crew
    chance: random.Random


Way = Callable[[Plan], Mutant | None]
WAYS: dict[str, Way] = {}


def _way(make: Way) -> Way:
    WAYS[make.__name__] = make
    return make


def _calls(plan: Plan) -> list[Task]:
    return [task for task in plan.tasks if task.tool is not None]


def _tool(plan: Plan, task: Task) -> Tool:
    return plan.crew.toolset[task.tool or ""]


def _with(plan: Plan, task: Task, **update: Any) -> Mutant:
    return Mutant(tuple(t.model_copy(update=update) if t is task else t for t in plan.tasks))


def _arg(plan: Plan, wanted: Callable[[Task, str, Any], bool]) -> tuple[Task, str] | None:
    found = [(t, name) for t in _calls(plan) for name, value in t.args.items() if wanted(t, name, value)]
    return plan.chance.choice(found) if found else None


def _set(plan: Plan, at: tuple[Task, str] | None, value: Any) -> Mutant | None:
    return None if at is None else _with(plan, at[0], args={**at[0].args, at[1]: value})


def _any_arg(plan: Plan) -> tuple[Task, str] | None:
    return _arg(plan, lambda *_: True)


def _before(plan: Plan, task: Task) -> list[Task]:
    """Tasks that can be referred to from one without a circle."""
    after, grown = {task.id}, True
    while grown:
        more = {t.id for t in plan.tasks if set(t.needs) & after} - after
        after, grown = after | more, bool(more)
    return [t for t in plan.tasks if t.id not in after]


def _some(plan: Plan) -> Task:
    return plan.chance.choice(plan.tasks)


# Arguments


@_way
def drop_argument(plan: Plan) -> Mutant | None:
    def required(task: Task, name: str, _: Any) -> bool:
        info = _tool(plan, task).args.model_fields.get(name)
        return info is not None and info.is_required()

    at = _arg(plan, required)
    return _with(plan, at[0], args={n: v for n, v in at[0].args.items() if n != at[1]}) if at else None


@_way
def extra_argument(plan: Plan) -> Mutant | None:
    calls = _calls(plan)
    task = plan.chance.choice(calls) if calls else None
    name = plan.chance.choice(["colour", "amounts", "Query", "item "])
    return _with(plan, task, args={**task.args, name: 1}) if task else None


@_way
def renamed_argument(plan: Plan) -> Mutant | None:
    at = _any_arg(plan)
    if at is None:
        return None
    return _with(plan, at[0], args={(f"{n}s" if n == at[1] else n): v for n, v in at[0].args.items()})


@_way
def wrong_type(plan: Plan) -> Mutant | None:
    value = plan.chance.choice(["much", 3.7, True, {}, [], ["much"], {"name": 1}, "12x", -1, [[1]]])
    return _set(plan, _any_arg(plan), value)


@_way
def nothing(plan: Plan) -> Mutant | None:
    return _set(plan, _any_arg(plan), None)


@_way
def value_out_of_bounds(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda _, __, value: isinstance(value, int | float) and not isinstance(value, bool))
    return _set(plan, at, plan.chance.choice([0, 501, 10**9, -1000, -5000.5, 2**70]))


@_way
def value_not_enumerated(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda t, name, _: name in _tool(plan, t).options)
    return _set(plan, at, plan.chance.choice(["apples", "Red", "", "purple", 4]))


@_way
def text_against_its_pattern(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda _, __, value: isinstance(value, str) and not value.startswith("$"))
    return _set(plan, at, plan.chance.choice(["NOT lower", "", "x" * 60, "a1"]))


@_way
def list_too_short(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda _, __, value: isinstance(value, list) and len(value) > 0)
    return _set(plan, at, [] if at is None or plan.chance.random() < 0.5 else at[0].args[at[1]][:1])  # type: ignore[index]  # a list


@_way
def list_too_long(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda _, __, value: isinstance(value, list) and len(value) > 0)
    return _set(plan, at, at and at[0].args[at[1]] * 4)  # type: ignore[operator]  # a list


@_way
def list_of_something_else(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda _, __, value: isinstance(value, list))
    value = plan.chance.choice([["x", 2], [None], [{"nam": 1}], "x", [[]]])
    return _set(plan, at, value)


@_way
def field_of_an_object(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda _, __, value: isinstance(value, dict) and bool(value))
    if at is None:
        return None
    value: dict[str, Any] = dict(at[0].args[at[1]])  # type: ignore[arg-type]  # an object
    name = plan.chance.choice(list(value))
    how = plan.chance.randrange(3)
    if how == 0:
        del value[name]
    elif how == 1:
        value["colour"] = "red"
    else:
        value[name] = plan.chance.choice([None, [], -1, "text", {}])
    return _set(plan, at, value)


@_way
def arguments_that_do_not_go_together(plan: Plan) -> Mutant | None:
    calls = [t for t in _calls(plan) if {"low", "high"} <= set(t.args)]
    task = plan.chance.choice(calls) if calls else None
    return _with(plan, task, args={**task.args, "low": 9, "high": 3}) if task else None


@_way
def arguments_swapped(plan: Plan) -> Mutant | None:
    calls = [t for t in _calls(plan) if len(t.args) > 1]
    if not calls:
        return None
    task = plan.chance.choice(calls)
    one, other = plan.chance.sample(list(task.args), 2)
    return _with(plan, task, args={**task.args, one: task.args[other], other: task.args[one]})


# Tools and agents


@_way
def unknown_tool(plan: Plan) -> Mutant | None:
    calls = _calls(plan)
    task = plan.chance.choice(calls) if calls else None
    return _with(plan, task, tool=plan.chance.choice([f"{task.tool}s", "search_web"])) if task else None


@_way
def another_tool(plan: Plan) -> Mutant | None:
    calls = _calls(plan)
    task = plan.chance.choice(calls) if calls else None
    return _with(plan, task, tool=plan.chance.choice(list(plan.crew.toolset))) if task else None


@_way
def unknown_agent(plan: Plan) -> Mutant | None:
    return _with(plan, _some(plan), agent=plan.chance.choice(["butler", "Agent1", "", None]))


@_way
def agent_that_may_not(plan: Plan) -> Mutant | None:
    calls = _calls(plan)
    task = plan.chance.choice(calls) if calls else None
    if task is None:
        return None
    may = {agent.role for agent in plan.crew.holders(_tool(plan, task))}
    others = [agent.role for agent in plan.crew.agents if agent.role not in may]
    return _with(plan, task, agent=plan.chance.choice(others)) if others else None


@_way
def arguments_without_a_tool(plan: Plan) -> Mutant | None:
    calls = [t for t in _calls(plan) if t.args]
    return _with(plan, plan.chance.choice(calls), tool=None) if calls else None


@_way
def forbidden_tool(plan: Plan) -> Mutant | None:
    names = [t.tool for t in _calls(plan) if t.tool is not None]
    if not names:
        return None
    return Mutant(plan.tasks, Limits(forbidden=frozenset({plan.chance.choice(names)})))


# References


def _referring(plan: Plan) -> tuple[Task, str] | None:
    return _arg(plan, lambda _, __, value: isinstance(value, str) and bool(list(found_in(value))))


@_way
def reference_to_nowhere(plan: Plan) -> Mutant | None:
    return _set(plan, _any_arg(plan), plan.chance.choice(["$t99", "$nobody.value", "$T1", "$result"]))


@_way
def unknown_field(plan: Plan) -> Mutant | None:
    at = _referring(plan) or _any_arg(plan)
    if at is None:
        return None
    earlier = _before(plan, at[0])
    now = at[0].args[at[1]]
    stem = now if isinstance(now, str) and list(found_in(now)) else f"${earlier[0].id}" if earlier else "$t99"
    return _set(plan, at, f"{stem}.{plan.chance.choice(['cost', 'values', 'nam', 'x'])}")


@_way
def reference_of_another_type(plan: Plan) -> Mutant | None:
    at = _any_arg(plan)
    if at is None:
        return None
    earlier = _before(plan, at[0])
    if not earlier:
        return None
    field = plan.chance.choice(
        ["", "", ".value", ".amount", ".words", ".part", ".parts", ".colour", ".label"]
    )
    return _set(plan, at, f"${plan.chance.choice(earlier).id}{field}")


@_way
def reference_inside_of_another_type(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda _, __, value: isinstance(value, list | dict) and bool(value))
    if at is None:
        return None
    earlier = _before(plan, at[0])
    if not earlier:
        return None
    ref = f"${plan.chance.choice(earlier).id}" + plan.chance.choice(["", ".amount", ".words", ".parts"])
    now = at[0].args[at[1]]
    if isinstance(now, list):
        return _set(plan, at, [ref, *now[1:]])
    assert isinstance(now, Mapping)
    return _set(plan, at, {**now, plan.chance.choice(list(now)): ref})


@_way
def whole_result_for_a_list(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda _, __, value: isinstance(value, list) and bool(list(found_in(value))))
    return _set(plan, at, at and at[0].args[at[1]][0])  # type: ignore[index,call-overload]  # a list


@_way
def entry_without_each(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda t, _, __: t.each is None)
    return _set(plan, at, plan.chance.choice(["$item", "$item.name"]))


@_way
def unknown_field_of_an_entry(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda t, _, __: t.each is not None)
    return _set(plan, at, "$item.cost")


@_way
def entry_of_another_type(plan: Plan) -> Mutant | None:
    at = _arg(plan, lambda t, _, __: t.each is not None)
    return _set(plan, at, plan.chance.choice(["$item", "$item.name", "$item.weight", "$item.part"]))


# Each, conditions, expectations


@_way
def each_of_no_list(plan: Plan) -> Mutant | None:
    calls = _calls(plan)
    task = plan.chance.choice(calls) if calls else None
    if task is None:
        return None
    earlier = _before(plan, task)
    options = ["three", 3, {"a": 1}, *(f"${t.id}" for t in earlier), *(f"${t.id}.words" for t in earlier)]
    return _with(plan, task, each=plan.chance.choice(options))


@_way
def each_of_other_entries(plan: Plan) -> Mutant | None:
    calls = [t for t in _calls(plan) if t.each is not None]
    if not calls:
        return None
    return _with(plan, plan.chance.choice(calls), each=plan.chance.choice([["x", 2], [None], [{}], [["a"]]]))


@_way
def senseless_condition(plan: Plan) -> Mutant | None:
    task = _some(plan)
    earlier = _before(plan, task)
    if not earlier:
        return None
    value = f"${plan.chance.choice(earlier).id}" + plan.chance.choice(["", "", ".words", ".amount", ".parts"])
    test, to = plan.chance.choice(
        [("above", "five"), ("below", True), ("at_least", None), ("above", [1]), ("one_of", "a"), ("contains", 5), ("above", 5)]
    )  # fmt: skip
    return _with(plan, task, when=Condition(value=value, test=test, to=to))


@_way
def condition_on_nothing(plan: Plan) -> Mutant | None:
    value = plan.chance.choice(["$t99", "$item", "$result", "$t1.cost"])
    return _with(plan, _some(plan), when=Condition(value=value, test="not_empty"))


@_way
def condition_that_never_holds(plan: Plan) -> Mutant | None:
    test, to = plan.chance.choice([("equals", 2), ("below", 1), ("one_of", [4, 5]), ("differs", 3)])
    return _with(plan, _some(plan), when=Condition(value=3, test=test, to=to))


@_way
def answer_passed_over(plan: Plan) -> Mutant | None:
    last = plan.tasks[-1]
    given = [t for t in _calls(plan) if _tool(plan, t).returns in (int, float) and t.each is None]
    facts = [
        t
        for t in _calls(plan)
        if "value" in getattr(_tool(plan, t).returns, "model_fields", {}) and t.each is None
    ]
    if not given and not facts:
        return None
    value = f"${given[0].id}" if given else f"${facts[0].id}.value"
    test = plan.chance.choice(["above", "at_most", "equals"])
    return _with(plan, last, when=Condition(value=value, test=test, to=5))  # type: ignore[arg-type]  # one of its tests


@_way
def both_branches_read(plan: Plan) -> Mutant | None:
    given = [
        t
        for t in _calls(plan)
        if _tool(plan, t).returns in (int, float) and t.each is None and t.when is None
    ]
    texts = [
        (tool, name)
        for tool in plan.crew.toolset.values()
        for name, info in tool.args.model_fields.items()
        if not tool.combines
        and info.annotation is str
        and sum(f.is_required() for f in tool.args.model_fields.values()) == 1
    ]
    if not given or not texts:
        return None
    tool, _ = plan.chance.choice(texts)
    value, agent = f"${given[0].id}", next(iter(plan.crew.holders(tool))).role
    made = [
        Task(id=f"b{n}", description="-", agent=agent, depends_on=(given[0].id,), when=Condition(value=value, test=test, to=5))
        for n, test in enumerate(("above", "at_most"))
    ]  # fmt: skip
    both = Task(id="both", description="-", agent=agent, tool="compare", args={"facts": ["$b0", "$b1"]})
    last = plan.tasks[-1]
    last = last.model_copy(update={"depends_on": (*last.depends_on, "both")})
    return Mutant((*plan.tasks[:-1], *made, both, last))


@_way
def expects_of_others(plan: Plan) -> Mutant | None:
    task = _some(plan)
    earlier = _before(plan, task)
    value = f"${earlier[0].id}" if earlier else "$t1"
    return _with(plan, task, expects=(Condition(value=value, test="not_empty"),))


@_way
def expects_senseless(plan: Plan) -> Mutant | None:
    value = plan.chance.choice(["$result", "$result.words", "$result.cost", "$result.value"])
    test, to = plan.chance.choice(
        [("above", [1]), ("one_of", 3), ("below", {}), ("above", None), ("not_empty", None)]
    )
    return _with(plan, _some(plan), expects=(Condition(value=value, test=test, to=to),))  # type: ignore[arg-type]  # one of its tests


# Shape


@_way
def circle(plan: Plan) -> Mutant | None:
    waiting = [t for t in plan.tasks if t.needs]
    if not waiting:
        return None
    task = plan.chance.choice(waiting)
    need = plan.chance.choice(task.needs)
    first = next(t for t in plan.tasks if t.id == need)
    return _with(plan, first, depends_on=(*first.depends_on, task.id))


@_way
def waits_for_itself(plan: Plan) -> Mutant | None:
    task = _some(plan)
    at = _arg(plan, lambda t, _, __: t is task)
    return _set(plan, at, f"${task.id}") if at else _with(plan, task, depends_on=(*task.depends_on, task.id))


@_way
def refers_to_a_later_task(plan: Plan) -> Mutant | None:
    at = _any_arg(plan)
    later = [t for t in plan.tasks if at and at[0].id in t.needs]
    return _set(plan, at, f"${later[0].id}") if later else None


@_way
def waits_for_nobody(plan: Plan) -> Mutant | None:
    task = _some(plan)
    return _with(plan, task, depends_on=(*task.depends_on, plan.chance.choice(["t99", "answers", ""])))


@_way
def doubled_id(plan: Plan) -> Mutant | None:
    if len(plan.tasks) < 2:
        return Mutant((*plan.tasks, *plan.tasks))
    one, other = plan.chance.sample(list(plan.tasks), 2)
    return _with(plan, one, id=other.id)


@_way
def no_id(plan: Plan) -> Mutant | None:
    return _with(plan, _some(plan), id="")


@_way
def nothing_uses_it(plan: Plan) -> Mutant | None:
    spare = Task(id="spare", description="-", agent=plan.crew.agents[0].role)
    return Mutant((*plan.tasks[:-1], spare, plan.tasks[-1]))


@_way
def dependency_lost(plan: Plan) -> Mutant | None:
    waiting = [t for t in plan.tasks if t.depends_on]
    if not waiting:
        return None
    task = plan.chance.choice(waiting)
    lost = plan.chance.choice(task.depends_on)
    return _with(plan, task, depends_on=tuple(n for n in task.depends_on if n != lost))


@_way
def task_lost(plan: Plan) -> Mutant | None:
    lost = _some(plan)
    return Mutant(tuple(t for t in plan.tasks if t is not lost))


@_way
def answer_not_last(plan: Plan) -> Mutant | None:
    return Mutant((plan.tasks[-1], *plan.tasks[:-1])) if len(plan.tasks) > 1 else None


@_way
def empty_plan(plan: Plan) -> Mutant | None:
    return Mutant(())


@_way
def too_many_tasks(plan: Plan) -> Mutant | None:
    more = [Task(id=f"x{n}", description="-", agent=plan.crew.agents[0].role) for n in range(100)]
    last = plan.tasks[-1]
    last = last.model_copy(update={"depends_on": (*last.depends_on, *(t.id for t in more))})
    return Mutant((*plan.tasks[:-1], *more, last))


@_way
def happens_twice(plan: Plan) -> Mutant | None:
    once = [t for t in _calls(plan) if _tool(plan, t).effect == "once"]
    if not once:
        return None
    twin = plan.chance.choice(once).model_copy(update={"id": "twin"})
    last = plan.tasks[-1]
    last = last.model_copy(update={"depends_on": (*last.depends_on, "twin")})
    return Mutant((*plan.tasks[:-1], twin, last))


# Limits


@_way
def more_calls_than_allowed(plan: Plan) -> Mutant | None:
    calls = len(_calls(plan))
    return Mutant(plan.tasks, Limits(Budget(tool_calls=calls - 1))) if calls else None


@_way
def allowance_above_the_budget(plan: Plan) -> Mutant | None:
    own = {task.id for task in plan.crew.tasks}
    tasks = [t for t in plan.tasks if t.id not in own]
    if not tasks:
        return None
    allowance = plan.chance.choice(
        [Allowance(tokens=2000), Allowance(money=3.5), Allowance(seconds=90), Allowance(tool_calls=999)]
    )
    broken = _with(plan, plan.chance.choice(tasks), allowance=allowance)
    return Mutant(broken.tasks, Limits(Budget(tokens=1000, money=1.0, seconds=60, tool_calls=500)))


def mutants(
    tasks: Sequence[Task], crew: Crew, chance: random.Random, number: int
) -> list[tuple[str, Mutant]]:
    """Some ways of breaking a plan, each another one, and what came of them."""
    found: list[tuple[str, Mutant]] = []
    for name in chance.sample(list(WAYS), len(WAYS)):
        made = WAYS[name](Plan(tuple(tasks), crew, chance))
        if made is not None:
            found.append((name, made))
        if len(found) == number:
            break
    return found
