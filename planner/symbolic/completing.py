"""A proposed plan completed: the steps it lacks are found by search, its order is made safe, and all of it is proved.

Each proposed call becomes an operator that can be done once and leaves a mark; the marks are goals. So one search finds
what has to be added, in which order, for everything proposed to be possible.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from ...agents.crew import Crew
from ...runtime.errors import Unreachable
from ...runtime.graph import Task, TaskGraph, ordered
from ...tools.planning import Literal
from ..plan import Finding
from .order import Ordered
from .problem import Operator, Problem, Step, said
from .refusal import look_before, missing
from .search import SEARCH, Least, Solve, find
from .solving.request import Engine
from .tasks import answer, tasks_of
from .world import Setting

_MARK = "done:"
_TASK = "task:"


@dataclass(frozen=True, slots=True)
class _Proposal:
    """The proposed tasks that are steps, by id, and for each those among them that must come before it."""

    steps: Mapping[str, Step]
    after: Mapping[str, frozenset[str]]


async def completed(
    tasks: Sequence[Task],
    crew: Crew,
    setting: Setting,
    solve: Solve,
    *,
    goal: Sequence[Literal] = (),
    done: Collection[str] = frozenset(),
    request: str = "",
    engines: Sequence[Engine] = SEARCH,
    least: Least | None = None,
    limit: float = 30.0,
) -> tuple[tuple[Task, ...], list[Finding]]:
    """The tasks with those that they need, ordered and proved; and what is wrong where that cannot be.

    `done` are tasks that have a result already: their effects are among the facts. Findings of severity ``note`` say
    what could not be proved; with one that is ``wrong`` the tasks come back as they were.

    Raises:
        Unreachable: the goal cannot be reached, whatever is proposed.
        InvalidPlan: nothing was found in time, or no planner is installed.
    """
    look_before(setting.aiming(goal))
    graph = TaskGraph(tasks)
    findings: list[Finding] = []
    steps: dict[str, Step] = {}
    for task in tasks:
        if task.id in done or setting.problem.operator(task.tool or "") is None:
            continue
        step = setting.step_of(task)
        if step is None:
            unproved = "its things are results of other tasks, so what it needs cannot be proved"
            findings.append(
                Finding(task=task.id, problem=unproved, mend="name them, if they are known", severity="note")
            )
        elif (misfit := _misfit(step, setting.problem)) is not None:
            findings.append(Finding(task=task.id, problem=misfit, mend="name one that there is"))
        else:
            steps[task.id] = step
    if any(finding.severity == "wrong" for finding in findings):
        return tuple(tasks), findings
    soft = _soft(tasks, steps)
    for dropped in dict.fromkeys((frozenset[tuple[str, str]](), soft)):
        problem = _problem(setting, _Proposal(steps, _before(graph, steps, dropped)), goal)
        try:
            found = await find(problem, solve, engines=engines, least=least, limit=limit, explain=False)
        except Unreachable:
            continue
        if dropped:
            findings.append(_reordered(dropped))
        return _put_together(tasks, crew, setting, found.plan, dropped, request), findings
    await find(setting.aiming(goal), solve, engines=engines, limit=limit)
    return tuple(tasks), [*findings, *await _culprits(setting, steps, solve, engines, limit)]


def _reordered(dropped: Collection[tuple[str, str]]) -> Finding:
    waits = ", ".join(f"{one} after {other}" for one, other in sorted(dropped))
    return Finding(
        task="-",
        problem=f"its order could not be kept ({waits})",
        mend="it was ordered anew",
        severity="mended",
    )


def _misfit(step: Step, problem: Problem) -> str | None:
    """Which argument of a step is no thing, or one of the wrong kind."""
    operator = problem.operator(step.name)
    assert operator is not None, "only steps of known tools are looked at"
    for name, thing in zip(operator.parameters, step.args, strict=True):
        kind = operator.kinds.get(name)
        if problem.is_a(thing, kind):
            continue
        able = [one for one in problem.objects if problem.is_a(one, kind)]
        near = ", ".join(get_close_matches(thing, able, 3, 0.5) or able[:5]) or "none"
        return f"{name}={thing!r} is no {kind or 'thing'} that is known here (nearest are: {near})"
    return None


def _soft(tasks: Sequence[Task], steps: Collection[str]) -> frozenset[tuple[str, str]]:
    """Waits between steps that no reference needs, and that may so be given up: who waits, and for whom."""
    return frozenset(
        (task.id, need)
        for task in tasks
        if task.id in steps
        for need in task.depends_on
        if need in steps and need not in task.refers_to
    )


def _before(
    graph: TaskGraph, steps: Collection[str], dropped: Collection[tuple[str, str]]
) -> dict[str, frozenset[str]]:
    """For each step the other steps that must come before it, also by way of tasks that are none."""
    before: dict[str, frozenset[str]] = {}
    for task_id in graph.order:
        found: set[str] = set()
        for need in graph.needs(task_id):
            if (task_id, need) not in dropped:
                found |= before[need] | ({need} & set(steps))
        before[task_id] = frozenset(found)
    return before


def _problem(setting: Setting, proposal: _Proposal, goal: Sequence[Literal]) -> Problem:
    own = setting.problem
    marks = [Literal(f"{_MARK}{task_id}") for task_id in proposal.steps]
    operators = [
        Operator(
            f"{_TASK}{task_id}",
            (),
            (*step.before, *(Literal(f"{_MARK}{one}") for one in sorted(proposal.after[task_id]))),
            (*step.after, Literal(f"{_MARK}{task_id}")),
            {},
            step.seconds,
            step.money,
        )
        for task_id, step in proposal.steps.items()
    ]
    return replace(own, operators=(*own.operators, *operators), goal=(*goal, *marks))


async def _culprits(
    setting: Setting, steps: Mapping[str, Step], solve: Solve, engines: Sequence[Engine], limit: float
) -> list[Finding]:
    """Which need of which task nobody meets."""
    findings: list[Finding] = []
    for task_id, step in steps.items():
        for need in step.before:
            problem = setting.aiming((need,))
            if not missing(problem, need):
                try:
                    await find(problem, solve, engines=engines, limit=limit, explain=False)
                except Unreachable:
                    pass
                else:
                    continue
            findings.append(
                Finding(
                    task=task_id,
                    problem=f"it needs {said(need)}, which nobody gives",
                    mend=f"drop it, or give the crew a tool that gives {need.name}",
                )
            )
    if not findings:
        named = ", ".join(f"{task_id} ({step})" for task_id, step in steps.items())
        together = f"its tasks {named} cannot all be done, in whichever order"
        findings.append(Finding(task="-", problem=together, mend="leave one of them out"))
    return findings


def _put_together(
    tasks: Sequence[Task],
    crew: Crew,
    setting: Setting,
    plan: Ordered,
    dropped: Collection[tuple[str, str]],
    request: str,
) -> tuple[Task, ...]:
    """The proposed tasks with their new waits, and the new ones, in an order in which each follows what it needs."""
    known = {
        place: step.name.removeprefix(_TASK)
        for place, step in enumerate(plan.steps)
        if step.name.startswith(_TASK)
    }
    fresh = tasks_of(plan, crew, setting, taken={task.id for task in tasks}, known=known)
    ids = dict(known)
    names = iter(task.id for task in fresh)
    for place in range(len(plan.steps)):
        if place not in ids:
            ids[place] = next(names)
    waits = {ids[place]: [ids[one] for one in sorted(needs)] for place, needs in enumerate(plan.needs)}
    every = {task.id: task for task in fresh}
    for task in tasks:
        kept = [need for need in task.depends_on if (task.id, need) not in dropped]
        needs = dict.fromkeys((*kept, *(n for n in waits.get(task.id, ()) if n not in task.refers_to)))
        every[task.id] = task.model_copy(update={"depends_on": tuple(needs)})
    last = tasks[-1]
    needed = {need for task in every.values() for need in task.needs}
    own = dict.fromkeys((*(task.id for task in fresh), *(need for _, need in sorted(dropped))))
    loose = [one for one in own if one not in needed]
    if last.tool is None:
        every[last.id] = every[last.id].model_copy(
            update={"depends_on": (*every[last.id].depends_on, *loose)}
        )
    order = [one for one in ordered({task.id: task.needs for task in every.values()}) if one != last.id]
    if last.tool is None:
        return (*(every[one] for one in order), every[last.id])
    whole = [*(every[one] for one in order), every[last.id]]
    needed = {need for task in whole for need in task.needs}
    if all(task.id in needed for task in whole[:-1]) and last.id not in needed:
        return tuple(whole)
    whole = [every[one] for one in ordered({task.id: task.needs for task in whole})]
    return (*whole, answer(request, whole, crew))
