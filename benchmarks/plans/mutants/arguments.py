"""Ways of breaking arguments that do not fit their tool."""

from __future__ import annotations

from typing import Any

from crewgraph import Task

from .plan import Mutant, Plan, any_argument, argument, calls_of, set_to, tool_of, value_at, with_task


def drop_argument(plan: Plan) -> Mutant | None:
    def required(task: Task, name: str, _: Any) -> bool:
        info = tool_of(plan, task).args.model_fields.get(name)
        return info is not None and info.is_required()

    at = argument(plan, required)
    return with_task(plan, at[0], args={n: v for n, v in at[0].args.items() if n != at[1]}) if at else None


def extra_argument(plan: Plan) -> Mutant | None:
    calls = calls_of(plan)
    task = plan.chance.choice(calls) if calls else None
    name = plan.chance.choice(["colour", "amounts", "Query", "item "])
    return with_task(plan, task, args={**task.args, name: 1}) if task else None


def renamed_argument(plan: Plan) -> Mutant | None:
    at = any_argument(plan)
    if at is None:
        return None
    return with_task(plan, at[0], args={(f"{n}s" if n == at[1] else n): v for n, v in at[0].args.items()})


def wrong_type(plan: Plan) -> Mutant | None:
    value = plan.chance.choice(["much", 3.7, True, {}, [], ["much"], {"name": 1}, "12x", -1, [[1]]])
    return set_to(plan, any_argument(plan), value)


def nothing(plan: Plan) -> Mutant | None:
    return set_to(plan, any_argument(plan), None)


def value_out_of_bounds(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda _, __, value: isinstance(value, int | float) and not isinstance(value, bool))
    return set_to(plan, at, plan.chance.choice([0, 501, 10**9, -1000, -5000.5, 2**70]))


def value_not_enumerated(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda t, name, _: name in tool_of(plan, t).options)
    return set_to(plan, at, plan.chance.choice(["apples", "Red", "", "purple", 4]))


def text_against_its_pattern(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda _, __, value: isinstance(value, str) and not value.startswith("$"))
    return set_to(plan, at, plan.chance.choice(["NOT lower", "", "x" * 60, "a1"]))


def list_too_short(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda _, __, value: isinstance(value, list) and len(value) > 0)
    return set_to(plan, at, [] if at is None or plan.chance.random() < 0.5 else value_at(at)[:1])


def list_too_long(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda _, __, value: isinstance(value, list) and len(value) > 0)
    return set_to(plan, at, at and value_at(at) * 4)


def list_of_something_else(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda _, __, value: isinstance(value, list))
    value = plan.chance.choice([["x", 2], [None], [{"nam": 1}], "x", [[]]])
    return set_to(plan, at, value)


def field_of_an_object(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda _, __, value: isinstance(value, dict) and bool(value))
    if at is None:
        return None
    value: dict[str, Any] = dict(value_at(at))
    name = plan.chance.choice(list(value))
    how = plan.chance.randrange(3)
    if how == 0:
        del value[name]
    elif how == 1:
        value["colour"] = "red"
    else:
        value[name] = plan.chance.choice([None, [], -1, "text", {}])
    return set_to(plan, at, value)


def arguments_that_do_not_go_together(plan: Plan) -> Mutant | None:
    calls = [t for t in calls_of(plan) if {"low", "high"} <= set(t.args)]
    task = plan.chance.choice(calls) if calls else None
    return with_task(plan, task, args={**task.args, "low": 9, "high": 3}) if task else None


def arguments_swapped(plan: Plan) -> Mutant | None:
    calls = [t for t in calls_of(plan) if len(t.args) > 1]
    if not calls:
        return None
    task = plan.chance.choice(calls)
    one, other = plan.chance.sample(list(task.args), 2)
    return with_task(plan, task, args={**task.args, one: task.args[other], other: task.args[one]})


WAYS = (
    drop_argument,
    extra_argument,
    renamed_argument,
    wrong_type,
    nothing,
    value_out_of_bounds,
    value_not_enumerated,
    text_against_its_pattern,
    list_too_short,
    list_too_long,
    list_of_something_else,
    field_of_an_object,
    arguments_that_do_not_go_together,
    arguments_swapped,
)
