"""Crews that were written for CrewAI, as crews of ours: from its objects, or from its agents.yaml and tasks.yaml.

``import_crew(crew)`` and ``from_crewai_files(agents, tasks)`` give an `Imported`: the crew, and everything that was not
taken over, in a sentence each. From the files it works where CrewAI is not installed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ....runtime.errors import InvalidCrew
from ....runtime.events import Effect
from .files import read_agents, read_tasks
from .taking import Imported, Taking
from .theirs import CREW, given, told

_NOTHING: Mapping[str, Any] = {}
_MAX_TOKENS = 1024


def import_crew(
    crew: Any,
    *,
    inputs: Mapping[str, Any] | None = None,
    models: Mapping[str, str] | None = None,
    effects: Mapping[str, Effect] | None = None,
    max_tokens: int = _MAX_TOKENS,
) -> Imported:
    """A `crewai.Crew` as one of ours; CrewAI itself carries nothing out any more, except its tools.

    `inputs` are what ``kickoff`` would be given: they fill ``{placeholders}``. `models` says which model of yours stands
    for which of theirs (``{"openai/gpt-4o": "qwen"}``), for none of theirs is asked. `effects` says of tools what calling
    them twice would do. `max_tokens` bounds the replies of agents that say nothing of it.

    Raises:
        InvalidCrew: it is no crew of CrewAI's, an input is missing, or what it says cannot be.
    """
    if not (hasattr(crew, "agents") and hasattr(crew, "tasks") and hasattr(type(crew), "model_fields")):
        raise InvalidCrew(f"{type(crew).__name__} is no crew of CrewAI's: give the crewai.Crew itself.")
    taking = Taking(inputs or {}, models or {}, effects or {}, max_tokens)
    said = given(crew)
    taking.said += [told("crew", name) for name in said if name not in CREW]
    members = [*crew.agents, *(t.agent for t in crew.tasks if t.agent is not None)]
    keys = {id(agent): f"a{n}" for n, agent in enumerate({id(one): one for one in members}.values(), 1)}
    agents = {keys[id(agent)]: given(agent) for agent in {id(one): one for one in members}.values()}
    names = {id(task): str(task.name or f"t{n}") for n, task in enumerate(crew.tasks, 1)}
    tasks: list[dict[str, Any]] = []
    for task in crew.tasks:
        whole = given(task) | {"id": names[id(task)], "agent": keys.get(id(task.agent))}
        whole["context"] = (
            [names[id(one)] for one in task.context] if isinstance(task.context, list) else None
        )
        if "tools" in whole and task.agent is not None and list(task.tools) == list(task.agent.tools or ()):
            del whole["tools"]  # CrewAI gives a task without tools those of its agent
        tasks.append(whole)
    manager = getattr(crew, "manager_agent", None)
    return taking.crew(
        str(crew.name or "crew"),
        agents,
        tasks,
        str(getattr(crew.process, "value", crew.process)),
        None if manager is None else given(manager),
        getattr(crew, "manager_llm", None),
    )


def from_crewai_files(
    agents: str | os.PathLike[str],
    tasks: str | os.PathLike[str],
    *,
    inputs: Mapping[str, Any] | None = None,
    names: Mapping[str, Any] | None = None,
    process: Literal["sequential", "hierarchical"] = "sequential",
    manager: str | None = None,
    name: str = "crew",
    models: Mapping[str, str] | None = None,
    effects: Mapping[str, Effect] | None = None,
    max_tokens: int = _MAX_TOKENS,
) -> Imported:
    """CrewAI's ``agents.yaml`` and ``tasks.yaml`` as a crew of ours; CrewAI need not be installed.

    `names` says what the names in the files mean: tools, output types, guardrails, which CrewAI's projects define in
    Python. `manager` is the key of the agent that leads a hierarchical crew. The rest is as in `import_crew`.

    Raises:
        InvalidCrew: a file cannot be read, names what is not there, or an input is missing; with line and column.
    """
    taking = Taking(inputs or {}, models or {}, effects or {}, max_tokens)
    known = names or _NOTHING
    members = read_agents(Path(agents), known, taking.said)
    work = read_tasks(Path(tasks), list(members), known, taking.said)
    if manager is not None and manager not in members:
        raise InvalidCrew(
            f"The manager {manager!r} is no agent of {agents}; there are: {', '.join(members)}."
        )
    leader = members.pop(manager) if manager is not None else None
    return taking.crew(name, members, work, process, leader, None)


__all__ = ["Imported", "from_crewai_files", "import_crew"]
