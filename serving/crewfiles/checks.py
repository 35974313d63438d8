"""Owns what is held against a crew file beside its form: names that mean nothing, stand twice, or are of no use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...agents.agent import Agent
from ...tools.builtin.figures import COMBINERS
from ...tools.tool import Tool
from .complaints import nearest
from .notation import Marked, Path_
from .schema import BoardSaid, CrewSaid


def check(marked: Marked, said: CrewSaid) -> None:
    """Agents, tasks and whom they name.

    Raises:
        InvalidCrew: two have one name, or a name means nobody; with the place and the nearest that there is.
    """
    roles: dict[str, int] = {}
    for n, agent in enumerate(said.agents):
        if agent.role in roles:
            first = marked.at(("agents", roles[agent.role], "role")).line
            raise marked.wrong(
                ("agents", n, "role"),
                f"two agents have the role {agent.role!r} (the first in line {first}); rename one of them.",
            )
        roles[agent.role] = n
    for n, agent in enumerate(said.agents):
        for k, colleague in enumerate(agent.delegates if isinstance(agent.delegates, tuple) else ()):
            others = [role for role in roles if role != agent.role]
            if colleague not in others:
                whom = "itself" if colleague == agent.role else f"{colleague!r}, who is not in the crew"
                raise marked.wrong(
                    ("agents", n, "delegates", k),
                    f"{agent.role!r} delegates to {whom}; {nearest(colleague, others)}.",
                )
    for k, role in enumerate((said.board.agents or ()) if isinstance(said.board, BoardSaid) else ()):
        if role not in roles:
            raise marked.wrong(
                ("board", "agents", k),
                f"the board is for {role!r}, who is not in the crew; {nearest(role, roles)}.",
            )
    _check_tasks(marked, said, list(roles))
    if said.manager is not None and said.process not in ("hierarchical", "conversation"):
        raise marked.wrong(
            ("manager",),
            f"a manager leads a hierarchical crew or a conversation, and this process is {said.process!r}.",
            key=True,
        )
    if said.manager is not None and said.manager.role in roles:
        raise marked.wrong(
            ("manager", "role"),
            f"the manager has the role of an agent, {said.manager.role!r}; rename one of them.",
        )


def _check_tasks(marked: Marked, said: CrewSaid, roles: Sequence[str]) -> None:
    ids = [task.id or f"t{n}" for n, task in enumerate(said.tasks, 1)]
    for n, task in enumerate(said.tasks):
        if ids.index(ids[n]) < n:
            raise marked.wrong(("tasks", n, "id"), f"two tasks are called {ids[n]!r}; give each its own id.")
        if task.agent is not None and task.agent not in roles:
            raise marked.wrong(
                ("tasks", n, "agent"),
                f"task {ids[n]!r} is for {task.agent!r}, who is not in the crew; {nearest(task.agent, roles)}.",
            )
        for k, need in enumerate(task.depends_on):
            if need not in ids or need == ids[n]:
                others = [one for one in ids if one != ids[n]]
                raise marked.wrong(
                    ("tasks", n, "depends_on", k),
                    f"task {ids[n]!r} waits for {need!r}, which is none of the others; {nearest(need, others)}.",
                )
    for task_id in said.guardrails:
        if task_id not in ids:
            raise marked.wrong(
                ("guardrails", task_id),
                f"there is no task {task_id!r} to guard; {nearest(task_id, ids)}.",
                key=True,
            )


def check_tools(
    marked: Marked,
    said: CrewSaid,
    agents: Sequence[Agent],
    shared: Sequence[Tool],
    places: Mapping[str, Path_],
) -> None:
    """Tools, and who may use them. `places` says where each stands in the file.

    Raises:
        InvalidCrew: a task uses one that there is not or that its agent may not use; or nobody may use one at all.
    """
    everybody = [tool.name for tool in COMBINERS]
    for n, task in enumerate(said.tasks):
        if task.tool is not None and task.tool not in (*places, *everybody):
            raise marked.wrong(
                ("tasks", n, "tool"),
                f"it uses the tool {task.tool!r}, which the crew does not have; "
                f"{nearest(task.tool, [*places, *everybody])}.",
            )
    for tool in {t.name: t for t in (*shared, *(t for a in agents for t in _own(a)))}.values():
        holders = [a for a in agents if tool in _own(a) or tool in shared]
        if not any(a.may is None or tool.effect in a.may for a in holders):
            forbid = ", ".join(f"{a.role!r} may only {', '.join(a.may or ()) or 'nothing'}" for a in holders)
            raise marked.wrong(
                places.get(tool.name, ("tools",)),
                f"nobody may use the tool {tool.name!r}, whose effect is {tool.effect!r}: {forbid}; "
                "allow it with `may`, or take it out.",
            )


def _own(agent: Agent) -> list[Tool]:
    return [tool for tool in agent.tools if isinstance(tool, Tool)]
