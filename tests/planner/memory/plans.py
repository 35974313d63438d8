"""Plans written down in a line."""

from __future__ import annotations

from typing import Any

from crewgraph import Task


def plan(*calls: tuple[str, dict[str, Any]], request: str = "", join: str = "") -> tuple[Task, ...]:
    """A plan of these calls side by side, what joins them, and the task that answers."""
    tasks = [
        Task(
            id=f"t{n}",
            description=f"{name}: {', '.join(map(str, args.values()))}",
            agent="clerk",
            tool=name,
            args=args,
        )
        for n, (name, args) in enumerate(calls, 1)
    ]
    if join:
        facts: list[Any] = [f"${task.id}" for task in tasks]
        tasks.append(Task(id="joined", description=join, agent="clerk", tool=join, args={"facts": facts}))
    ends = ("joined",) if join else tuple(task.id for task in tasks)
    answer = Task(
        id="answer", description=f"Answer the request: {request[:200]}", agent="host", depends_on=ends
    )
    return (*tasks, answer)
