"""Ways of breaking the shape of a plan: circles, lost tasks, what happens twice."""

from __future__ import annotations

from crewgraph import Task

from .plan import Mutant, Plan, any_argument, argument, calls_of, set_to, some, tool_of, with_task


def circle(plan: Plan) -> Mutant | None:
    waiting = [t for t in plan.tasks if t.needs]
    if not waiting:
        return None
    task = plan.chance.choice(waiting)
    need = plan.chance.choice(task.needs)
    first = next(t for t in plan.tasks if t.id == need)
    return with_task(plan, first, depends_on=(*first.depends_on, task.id))


def waits_for_itself(plan: Plan) -> Mutant | None:
    task = some(plan)
    at = argument(plan, lambda t, _, __: t is task)
    return (
        set_to(plan, at, f"${task.id}")
        if at
        else with_task(plan, task, depends_on=(*task.depends_on, task.id))
    )


def refers_to_a_later_task(plan: Plan) -> Mutant | None:
    at = any_argument(plan)
    later = [t for t in plan.tasks if at and at[0].id in t.needs]
    return set_to(plan, at, f"${later[0].id}") if later else None


def waits_for_nobody(plan: Plan) -> Mutant | None:
    task = some(plan)
    return with_task(plan, task, depends_on=(*task.depends_on, plan.chance.choice(["t99", "answers", ""])))


def doubled_id(plan: Plan) -> Mutant | None:
    if len(plan.tasks) < 2:
        return Mutant((*plan.tasks, *plan.tasks))
    one, other = plan.chance.sample(list(plan.tasks), 2)
    return with_task(plan, one, id=other.id)


def no_id(plan: Plan) -> Mutant | None:
    return with_task(plan, some(plan), id="")


def nothing_uses_it(plan: Plan) -> Mutant | None:
    spare = Task(id="spare", description="-", agent=plan.crew.agents[0].role)
    return Mutant((*plan.tasks[:-1], spare, plan.tasks[-1]))


def dependency_lost(plan: Plan) -> Mutant | None:
    waiting = [t for t in plan.tasks if t.depends_on]
    if not waiting:
        return None
    task = plan.chance.choice(waiting)
    lost = plan.chance.choice(task.depends_on)
    return with_task(plan, task, depends_on=tuple(n for n in task.depends_on if n != lost))


def task_lost(plan: Plan) -> Mutant | None:
    lost = some(plan)
    return Mutant(tuple(t for t in plan.tasks if t is not lost))


def answer_not_last(plan: Plan) -> Mutant | None:
    return Mutant((plan.tasks[-1], *plan.tasks[:-1])) if len(plan.tasks) > 1 else None


def empty_plan(plan: Plan) -> Mutant | None:
    return Mutant(())


def too_many_tasks(plan: Plan) -> Mutant | None:
    more = [Task(id=f"x{n}", description="-", agent=plan.crew.agents[0].role) for n in range(100)]
    last = plan.tasks[-1]
    last = last.model_copy(update={"depends_on": (*last.depends_on, *(t.id for t in more))})
    return Mutant((*plan.tasks[:-1], *more, last))


def happens_twice(plan: Plan) -> Mutant | None:
    once = [t for t in calls_of(plan) if tool_of(plan, t).effect == "once"]
    if not once:
        return None
    twin = plan.chance.choice(once).model_copy(update={"id": "twin"})
    last = plan.tasks[-1]
    last = last.model_copy(update={"depends_on": (*last.depends_on, "twin")})
    return Mutant((*plan.tasks[:-1], twin, last))


WAYS = (
    circle,
    waits_for_itself,
    refers_to_a_later_task,
    waits_for_nobody,
    doubled_id,
    no_id,
    nothing_uses_it,
    dependency_lost,
    task_lost,
    answer_not_last,
    empty_plan,
    too_many_tasks,
    happens_twice,
)
