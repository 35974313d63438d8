"""Ways of breaking lists, conditions and expectations that make no sense."""

from __future__ import annotations

from typing import Any

from crewgraph import Condition, Task
from crewgraph.runtime.policy import Test

from .plan import Mutant, Plan, before, calls_of, some, tool_of, with_task


def each_of_no_list(plan: Plan) -> Mutant | None:
    calls = calls_of(plan)
    task = plan.chance.choice(calls) if calls else None
    if task is None:
        return None
    earlier = before(plan, task)
    options = ["three", 3, {"a": 1}, *(f"${t.id}" for t in earlier), *(f"${t.id}.words" for t in earlier)]
    return with_task(plan, task, each=plan.chance.choice(options))


def each_of_other_entries(plan: Plan) -> Mutant | None:
    calls = [t for t in calls_of(plan) if t.each is not None]
    if not calls:
        return None
    return with_task(
        plan, plan.chance.choice(calls), each=plan.chance.choice([["x", 2], [None], [{}], [["a"]]])
    )


def senseless_condition(plan: Plan) -> Mutant | None:
    task = some(plan)
    earlier = before(plan, task)
    if not earlier:
        return None
    value = f"${plan.chance.choice(earlier).id}" + plan.chance.choice(["", "", ".words", ".amount", ".parts"])
    test, to = plan.chance.choice(
        [("above", "five"), ("below", True), ("at_least", None), ("above", [1]), ("one_of", "a"), ("contains", 5), ("above", 5)]
    )  # fmt: skip
    return with_task(plan, task, when=Condition(value=value, test=test, to=to))


def condition_on_nothing(plan: Plan) -> Mutant | None:
    value = plan.chance.choice(["$t99", "$item", "$result", "$t1.cost"])
    return with_task(plan, some(plan), when=Condition(value=value, test="not_empty"))


def condition_that_never_holds(plan: Plan) -> Mutant | None:
    test, to = plan.chance.choice([("equals", 2), ("below", 1), ("one_of", [4, 5]), ("differs", 3)])
    return with_task(plan, some(plan), when=Condition(value=3, test=test, to=to))


def answer_passed_over(plan: Plan) -> Mutant | None:
    last = plan.tasks[-1]
    given = [t for t in calls_of(plan) if tool_of(plan, t).returns in (int, float) and t.each is None]
    facts = [
        t
        for t in calls_of(plan)
        if "value" in getattr(tool_of(plan, t).returns, "model_fields", {}) and t.each is None
    ]
    if not given and not facts:
        return None
    value = f"${given[0].id}" if given else f"${facts[0].id}.value"
    tests: tuple[Test, ...] = ("above", "at_most", "equals")
    return with_task(plan, last, when=Condition(value=value, test=plan.chance.choice(tests), to=5))


def both_branches_read(plan: Plan) -> Mutant | None:
    given = [
        t
        for t in calls_of(plan)
        if tool_of(plan, t).returns in (int, float) and t.each is None and t.when is None
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


def expects_of_others(plan: Plan) -> Mutant | None:
    task = some(plan)
    earlier = before(plan, task)
    value = f"${earlier[0].id}" if earlier else "$t1"
    return with_task(plan, task, expects=(Condition(value=value, test="not_empty"),))


def expects_senseless(plan: Plan) -> Mutant | None:
    value = plan.chance.choice(["$result", "$result.words", "$result.cost", "$result.value"])
    senseless: list[tuple[Test, Any]] = [("above", [1]), ("one_of", 3), ("below", {})]
    senseless += [("above", None), ("not_empty", None)]
    test, to = plan.chance.choice(senseless)
    return with_task(plan, some(plan), expects=(Condition(value=value, test=test, to=to),))


WAYS = (
    each_of_no_list,
    each_of_other_entries,
    senseless_condition,
    condition_on_nothing,
    condition_that_never_holds,
    answer_passed_over,
    both_branches_read,
    expects_of_others,
    expects_senseless,
)
