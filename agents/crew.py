"""A crew: agents, the tools they share, and the tasks their author fixed, if any."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from ..runtime.errors import InvalidCrew
from ..runtime.graph import Task, TaskGraph
from ..tools.builtin.figures import COMBINERS
from ..tools.tool import Tool
from ..tools.toolset import Toolset
from .agent import Agent
from .working.permission import permits

if TYPE_CHECKING:
    from .guarding.guardrail import Guardrail
    from .memory.memory import Memory
    from .working.blackboard import Blackboard


class Process(StrEnum):
    """How a crew goes about a request.

    `planned`: the planner makes a graph of tasks, and each is begun when its inputs are there. `sequential`: the
    author's tasks one after the other, each with the results before it; without tasks each agent in turn. `hierarchical`: a
    manager hands pieces to colleagues and puts their results together. `conversation`: the agents speak in turns.
    """

    planned = "planned"
    sequential = "sequential"
    hierarchical = "hierarchical"
    conversation = "conversation"


@dataclass(frozen=True)
class Crew:
    """Agents that work together.

    `tools` may be used by every agent, beside its own. Without `tasks` the planner makes the task graph from the
    request; with `tasks` the author has fixed its outline, and the planner only fills in tool calls. Ids that an
    author leaves out become t1, t2, …. `briefing` is what every agent is told before all else, such as the house's
    rules and background: the same bytes at the start of every prompt, which an engine computes only once. `planner` plans
    its requests in a way of the author's own: a `crewgraph.planner.strategies.strategy.Strategy`. `risky` says what
    becomes of calls with an effect that a request has not asked for in so many words: a person is asked first, it is
    noted, or nothing (left out: a person is asked where a model planned them).

    `process` is how it goes about a request; `manager` leads a hierarchical crew (left out: one is made), or says who
    speaks next in a conversation, and is none of the `agents`. A conversation has at most `turns` turns (left out: three
    for each agent). `depth` is how far one question may lead to another where agents `delegates`. `guardrails` hold the
    results of the author's tasks, by their ids, beside those of the agents. `board` is what agents tell each other on.
    `memory` is what they remember from run to run: a `Memory`, or True for the one that the house keeps. What has to do
    with a request is recalled for each agent that works it out, and what people say of themselves is remembered.

    Raises:
        InvalidCrew: no agents, two with one role, a task for an unknown agent or tool, a process without what it needs, a
            tool that nobody may use, or something that names what is not there.
        InvalidGraph: the tasks wait for each other, or for one that is not there.
    """

    agents: Sequence[Agent]
    tools: Sequence[object] = ()
    tasks: Sequence[Task] = ()
    name: str = "crew"
    description: str = ""
    briefing: str = ""
    planner: Any = None
    risky: Literal["ask", "note", "allow"] | None = None
    process: Process | Literal["planned", "sequential", "hierarchical", "conversation"] = Process.planned
    manager: Agent | None = None
    turns: int | None = None
    depth: int = 2
    guardrails: Mapping[str, Sequence[Guardrail]] = field(default_factory=dict, hash=False)
    board: Blackboard | None = field(default=None, hash=False)
    memory: Memory | bool | None = field(default=None, hash=False)
    toolset: Toolset = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.agents:
            raise InvalidCrew(f"The crew {self.name!r} has no agents: it needs at least one.")
        roles = [agent.role for agent in self.agents]
        doubled = next((role for role in roles if roles.count(role) > 1), None)
        if doubled is not None:
            raise InvalidCrew(
                f"Two agents of the crew {self.name!r} have the role {doubled!r}: rename one of them."
            )
        if self.briefing:
            briefed = tuple(a if a.briefing else replace(a, briefing=self.briefing) for a in self.agents)
            object.__setattr__(self, "agents", briefed)
        lead = self.manager.tools if self.manager is not None else ()
        every = [*self.tools, *(given for agent in self.agents for given in agent.tools), *lead, *COMBINERS]
        object.__setattr__(self, "toolset", Toolset(every))
        numbered = [
            task if task.id else task.model_copy(update={"id": f"t{n}"})
            for n, task in enumerate(self.tasks, 1)
        ]
        object.__setattr__(self, "tasks", tuple(numbered))
        if self.manager is not None:
            roles.append(self.manager.role)
        for task in numbered:
            if task.agent is not None and task.agent not in roles:
                raise InvalidCrew(
                    f"Task {task.id!r} is for {task.agent!r}, who is not in the crew; "
                    f"its agents are: {', '.join(roles)}."
                )
            if task.tool is not None and task.tool not in self.toolset:
                raise InvalidCrew(
                    f"Task {task.id!r} uses the tool {task.tool!r}, which the crew does not have; "
                    f"it has: {', '.join(self.toolset)}."
                )
        TaskGraph(numbered)
        self._settle()

    def _settle(self) -> None:
        """Its process, who leads it, and that everything it names is there."""
        from .working.fitting import check_crew, manager_of, process_of

        object.__setattr__(self, "process", process_of(self))
        object.__setattr__(self, "manager", manager_of(self))
        check_crew(self)

    @property
    def everyone(self) -> Sequence[Agent]:
        """The agents, and the manager where there is one."""
        return self.agents if self.manager is None else (*self.agents, self.manager)

    def among(self, agents: Sequence[Agent]) -> Crew:
        """The same crew with only these of its agents and no manager, for those who work on a piece of a task.

        It is not looked at again, for what they name may stand outside.
        """
        fewer = copy.copy(self)
        object.__setattr__(fewer, "agents", tuple(agents))
        object.__setattr__(fewer, "manager", None)
        return fewer

    def without(self, names: Collection[str]) -> Crew:
        """The same crew without these tools; itself where there are none of them.

        Raises:
            InvalidCrew: a task that its author fixed uses one of them.
        """
        gone = [name for name in names if name in self.toolset and not self.toolset[name].combines]
        if not gone:
            return self

        def left(tools: Sequence[object]) -> tuple[object, ...]:
            return tuple(tool for tool in tools if not any(name in gone for name in Toolset([tool])))

        agents = tuple(replace(agent, tools=left(agent.tools)) for agent in self.agents)
        lead = self.manager and replace(self.manager, tools=left(self.manager.tools))
        return replace(self, agents=agents, tools=left(self.tools), manager=lead)

    def agent(self, role: str | None) -> Agent:
        """The agent of that role; the last agent where no role is given.

        Raises:
            InvalidCrew: nobody has that role.
        """
        if role is None:
            return self.agents[-1]
        found = next((agent for agent in self.everyone if agent.role == role), None)
        if found is None:
            raise InvalidCrew(
                f"Nobody in the crew {self.name!r} has the role {role!r}; "
                f"there are: {', '.join(a.role for a in self.everyone)}."
            )
        return found

    def tools_of(self, agent: Agent) -> Toolset:
        """What an agent may use: the crew's tools, its own, and those that combine results; none beyond what it `may`."""
        every = Toolset([*self.tools, *agent.tools, *COMBINERS])
        if agent.may is None:
            return every
        return Toolset(tool for tool in every.values() if permits(agent, tool))

    def holders(self, tool: Tool) -> Iterator[Agent]:
        """The agents that may use a tool; those that hold it as their own come first."""
        may = [a for a in self.agents if permits(a, tool)]
        own = [a for a in may if tool.name in Toolset(a.tools)]
        yield from own
        if tool.name in Toolset([*self.tools, *COMBINERS]):
            yield from (a for a in may if a not in own)
