"""Fitting: whether everything that a crew names is there, and its process has what it needs; found out when it is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

from ...runtime.errors import InvalidCrew
from ...runtime.events import Effect
from ..architectures import NAMES, architecture
from ..architectures.architecture import Architecture
from ..guarding.guardrail import check_guardrail
from ..guarding.judge import Judge
from .permission import permits

if TYPE_CHECKING:
    from ..agent import Agent
    from ..crew import Crew, Process

_LEADER = "Get the request done by giving each colleague what fits them, and put their results together."


def process_of(crew: Crew) -> Process:
    """The crew's process, by its name. Raises `InvalidCrew`: there is none of that name."""
    from ..crew import Process

    try:
        return Process(crew.process)
    except ValueError:
        names = [one.value for one in Process]
        raise InvalidCrew(
            f"The crew {crew.name!r} has the process {str(crew.process)!r}: {_instead(str(crew.process), names)}."
        ) from None


def manager_of(crew: Crew) -> Agent | None:
    """Who leads the crew. A hierarchical one has somebody made for it where its author names nobody."""
    from ..agent import Agent

    manager = crew.manager
    if crew.process != "hierarchical":
        return manager
    if manager is None:
        taken = {agent.role for agent in crew.agents}
        role = next(name for name in ("manager", "crew manager", "the manager") if name not in taken)
        manager = Agent(role, _LEADER)
    if manager.architecture is None:
        manager = replace(manager, architecture="supervisor")
    return replace(manager, briefing=crew.briefing) if crew.briefing and not manager.briefing else manager


def check_crew(crew: Crew) -> None:
    """Refuse a crew that could not work.

    Raises:
        InvalidCrew: in one sentence, what is wrong, and what would be right.
    """
    _check_process(crew)
    roles = [agent.role for agent in crew.everyone]
    for agent in crew.everyone:
        _check_agent(agent, crew, roles)
    if any(agent.may is not None for agent in crew.everyone):
        _check_tools(crew)
    _check_tasks(crew, roles)
    if crew.board is not None and crew.board.agents is not None:
        for role in crew.board.agents:
            _known(role, roles, f"The blackboard of the crew {crew.name!r} is for")


def _check_tools(crew: Crew) -> None:
    """Somebody may use each tool. Where nobody's calls are limited, that is so by itself."""
    lead = crew.tools_of(crew.manager) if crew.manager is not None else ()
    for tool in crew.toolset.values():
        if not tool.combines and tool.name not in lead and next(crew.holders(tool), None) is None:
            raise InvalidCrew(
                f"Nobody in the crew {crew.name!r} may use the tool {tool.name!r}, whose effect is {tool.effect!r}: "
                f"add {tool.effect!r} to what an agent `may`, or leave the tool out."
            )


def _check_process(crew: Crew) -> None:
    process, manager = crew.process, crew.manager
    if manager is not None:
        if any(agent is manager or agent.role == manager.role for agent in crew.agents):
            raise InvalidCrew(
                f"The manager {manager.role!r} is also one of the agents of the crew {crew.name!r}: "
                "name somebody else, or take it out of the agents."
            )
        if process not in ("hierarchical", "conversation"):
            raise InvalidCrew(
                f"The crew {crew.name!r} has a manager, and its process is {process}: "
                "a manager leads a hierarchical crew or a conversation."
            )
    if process != "planned" and crew.planner is not None:
        raise InvalidCrew(
            f"The crew {crew.name!r} has a planner of its own, and its process is {process}, which needs none: "
            "leave one of them out."
        )
    if process == "conversation":
        if len(crew.agents) < 2:
            raise InvalidCrew(f"The conversation of the crew {crew.name!r} needs two agents, and it has one.")
        if crew.tasks:
            raise InvalidCrew(
                f"The crew {crew.name!r} is a conversation and has tasks: say in the request what is to be talked "
                "about, or make it sequential."
            )
        if crew.turns is not None and crew.turns < 1:
            raise InvalidCrew(
                f"The conversation of the crew {crew.name!r} has {crew.turns} turns: 1 or more."
            )
    if crew.depth < 1:
        raise InvalidCrew(f"The crew {crew.name!r} has the depth {crew.depth}: 1 or more.")
    if process in ("sequential", "hierarchical"):
        before: set[str] = set()
        for task in crew.tasks:
            late = next((need for need in task.needs if need not in before), None)
            if late is not None:
                raise InvalidCrew(
                    f"Task {task.id!r} needs {late!r}, which comes after it: put {late!r} first, "
                    f"for a {process} crew does its tasks in their order."
                )
            before.add(task.id)


def _check_agent(agent: Agent, crew: Crew, roles: list[str]) -> None:
    way = agent.architecture
    if isinstance(way, str):
        if way not in NAMES:
            raise InvalidCrew(
                f"The agent {agent.role!r} has the architecture {way!r}: {_instead(way, NAMES)}."
            )
        architecture(way)
    elif way is not None and not isinstance(way, Architecture):
        raise InvalidCrew(
            f"The agent {agent.role!r} has {way!r} as its architecture: give the name of one "
            f"({', '.join(NAMES)}), or an object with `name`, `most_calls` and `conclude`."
        )
    if not isinstance(agent.delegates, bool):
        if isinstance(agent.delegates, str):
            raise InvalidCrew(
                f"The agent {agent.role!r} delegates to {agent.delegates!r}: give a list of roles."
            )
        for role in agent.delegates:
            _known(role, roles, f"The agent {agent.role!r} delegates to")
            if role == agent.role:
                raise InvalidCrew(f"The agent {agent.role!r} delegates to itself: name colleagues only.")
    if agent.delegates is True and len(roles) < 2:
        raise InvalidCrew(f"The agent {agent.role!r} delegates, and is alone in the crew {crew.name!r}.")
    for effect in agent.may or ():
        if effect not in get_args(Effect):
            raise InvalidCrew(
                f"The agent {agent.role!r} may have the effect {effect!r}: {_instead(effect, get_args(Effect))}."
            )
    if agent.corrections < 0:
        raise InvalidCrew(f"The agent {agent.role!r} has {agent.corrections} corrections: 0 or more.")
    kind = agent.output_type
    if kind is not None and not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        raise InvalidCrew(
            f"The agent {agent.role!r} has the output type {kind!r}, which is no pydantic model."
        )
    _check_guardrails(agent.guardrails, f"the agent {agent.role!r}", roles)


def _check_tasks(crew: Crew, roles: list[str]) -> None:
    ids = [task.id for task in crew.tasks]
    for task_id, guardrails in crew.guardrails.items():
        if task_id not in ids:
            raise InvalidCrew(
                f"The crew {crew.name!r} has guardrails for the task {task_id!r}: {_instead(task_id, ids)}."
            )
        _check_guardrails(guardrails, f"the task {task_id!r}", roles)
    for task in crew.tasks:
        if task.tool is None or task.agent is None:
            continue
        agent, tool = crew.agent(task.agent), crew.toolset[task.tool]
        if not permits(agent, tool):
            raise InvalidCrew(
                f"Task {task.id!r} has {agent.role!r} call {tool.name!r}, whose effect is {tool.effect!r}, and it may "
                f"have {', '.join(agent.may or ()) or 'none'}: give it to somebody else, or let it."
            )


def _check_guardrails(given: object, of: str, roles: list[str]) -> None:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidCrew(f"The guardrails of {of} are {given!r}: give a list of them.")
    for guardrail in given:
        check_guardrail(guardrail, of)
        if isinstance(guardrail, Judge) and isinstance(guardrail.agent, str):
            _known(guardrail.agent, roles, f"A judge of {of} is")


def _known(role: str, roles: list[str], head: str) -> None:
    if role not in roles:
        near = get_close_matches(role, roles, 1, 0.5)
        hint = f"did you mean {near[0]!r}? There are" if near else "there are"
        raise InvalidCrew(f"{head} {role!r}, who is not in the crew: {hint}: {', '.join(roles)}.")


def _instead(wrong: str, names: Iterable[str]) -> str:
    known = list(names)
    near = get_close_matches(wrong.strip().casefold(), known, 1, 0.5)
    hint = f"did you mean {near[0]!r}? There are" if near else "there are"
    return f"{hint}: {', '.join(known)}" if known else "there are none"
