"""Ways of breaking references that lead nowhere, or to a value of another type."""

from __future__ import annotations

from collections.abc import Mapping

from crewgraph import Task

from ..judge import found_in
from .plan import Mutant, Plan, any_argument, argument, before, set_to, value_at


def _referring(plan: Plan) -> tuple[Task, str] | None:
    return argument(plan, lambda _, __, value: isinstance(value, str) and bool(list(found_in(value))))


def reference_to_nowhere(plan: Plan) -> Mutant | None:
    return set_to(plan, any_argument(plan), plan.chance.choice(["$t99", "$nobody.value", "$T1", "$result"]))


def unknown_field(plan: Plan) -> Mutant | None:
    at = _referring(plan) or any_argument(plan)
    if at is None:
        return None
    earlier = before(plan, at[0])
    now = value_at(at)
    stem = now if isinstance(now, str) and list(found_in(now)) else f"${earlier[0].id}" if earlier else "$t99"
    return set_to(plan, at, f"{stem}.{plan.chance.choice(['cost', 'values', 'nam', 'x'])}")


def reference_of_another_type(plan: Plan) -> Mutant | None:
    at = any_argument(plan)
    if at is None:
        return None
    earlier = before(plan, at[0])
    if not earlier:
        return None
    field = plan.chance.choice(
        ["", "", ".value", ".amount", ".words", ".part", ".parts", ".colour", ".label"]
    )
    return set_to(plan, at, f"${plan.chance.choice(earlier).id}{field}")


def reference_inside_of_another_type(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda _, __, value: isinstance(value, list | dict) and bool(value))
    if at is None:
        return None
    earlier = before(plan, at[0])
    if not earlier:
        return None
    ref = f"${plan.chance.choice(earlier).id}" + plan.chance.choice(["", ".amount", ".words", ".parts"])
    now = value_at(at)
    if isinstance(now, list):
        return set_to(plan, at, [ref, *now[1:]])
    assert isinstance(now, Mapping)
    return set_to(plan, at, {**now, plan.chance.choice(list(now)): ref})


def whole_result_for_a_list(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda _, __, value: isinstance(value, list) and bool(list(found_in(value))))
    return set_to(plan, at, at and value_at(at)[0])


def entry_without_each(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda t, _, __: t.each is None)
    return set_to(plan, at, plan.chance.choice(["$item", "$item.name"]))


def unknown_field_of_an_entry(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda t, _, __: t.each is not None)
    return set_to(plan, at, "$item.cost")


def entry_of_another_type(plan: Plan) -> Mutant | None:
    at = argument(plan, lambda t, _, __: t.each is not None)
    return set_to(plan, at, plan.chance.choice(["$item", "$item.name", "$item.weight", "$item.part"]))


WAYS = (
    reference_to_nowhere,
    unknown_field,
    reference_of_another_type,
    reference_inside_of_another_type,
    whole_result_for_a_list,
    entry_without_each,
    unknown_field_of_an_entry,
    entry_of_another_type,
)
