"""By process: plans of crews that go about a request in a way of their own: in a sequence, led, or talking to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...agents.crew import Crew, Process
from ...agents.working.conversation import most_turns, opening_tasks
from ...runtime.context import RunContext
from ...runtime.graph import Task
from ..asked import Asked
from ..plan import ANSWER, Plan
from .rules import by_rules

_CUT = 200


class ByProcess:
    """Plans a crew whose process is not `planned`. No model is asked: who does what is said by the crew."""

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """The plan; its strategy is called like the process."""
        crew = asked.crew
        match crew.process:
            case Process.hierarchical:
                plan = _led(crew, asked.request)
            case Process.conversation:
                note = f"They speak in turns, at most {most_turns(crew)}; each turn becomes a task when it is known."
                plan = Plan(tasks=opening_tasks(crew, asked.request), strategy="", notes=(note,))
            case _:
                plan = _in_sequence(crew, asked)
        return plan.model_copy(update={"strategy": str(crew.process)})


def _in_sequence(crew: Crew, asked: Asked) -> Plan:
    """Each task after all those before it; the rules fill in the calls of agents that have no way of working of their own."""
    tasks = crew.tasks or [
        Task(
            id=f"t{n}" if n < len(crew.agents) else ANSWER,
            description=f"Work on the request as its {agent.role}: {asked.request[:_CUT]}",
            agent=agent.role,
        )
        for n, agent in enumerate(crew.agents, 1)
    ]
    outline = replace(crew, tasks=[_with_holder(task, crew) for task in _chained(tasks)], guardrails={})
    return by_rules(outline, asked.request, earlier=asked.earlier)


def _led(crew: Crew, request: str) -> Plan:
    """The author's tasks, each led by the manager in the order of the list; without any, the request as one."""
    assert crew.manager is not None, "a hierarchical crew has a manager from when it is made"
    role = crew.manager.role
    if not crew.tasks:
        answer = Task(id=ANSWER, description=f"Answer the request: {request[:_CUT]}", agent=role)
        return Plan(tasks=(answer,), strategy="")
    led: list[Task] = []
    for task in _chained(crew.tasks):
        if task.tool is not None:
            led.append(_with_holder(task, crew))
            continue
        meant = f" (It is meant for the {task.agent}.)" if task.agent not in (None, role) else ""
        led.append(task.model_copy(update={"agent": role, "description": f"{task.description}{meant}"}))
    return Plan(tasks=tuple(led), strategy="")


def _with_holder(task: Task, crew: Crew) -> Task:
    """A bound call for whoever may make it, where its author named nobody."""
    if task.tool is None or task.agent is not None:
        return task
    holder = next(crew.holders(crew.toolset[task.tool]), crew.agents[-1])
    return task.model_copy(update={"agent": holder.role})


def _chained(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """Tasks one after the other: each has the results of all before it."""
    chained: list[Task] = []
    for task in tasks:
        before = [other.id for other in chained if other.id not in task.refers_to]
        depends = tuple(dict.fromkeys((*task.depends_on, *before)))
        chained.append(task.model_copy(update={"depends_on": depends}))
    return tuple(chained)
