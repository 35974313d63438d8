"""Owns `CrewAIAgent`: a CrewAI crew, agent or flow as an agent of our crews."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

# CrewAI is an extra: where it is not installed, checkers take its names for Any.
from crewai import Agent, Crew  # pyright: ignore[reportMissingImports,reportAttributeAccessIssue]  # an extra
from crewai.flow.flow import Flow  # pyright: ignore[reportMissingImports]  # an extra
from pydantic_core import to_jsonable_python

from ....runtime.errors import InvalidCrew
from ....runtime.events import Effect
from ...architectures.architecture import Concluded
from ...desk import Desk
from ..tasks.foreign_agent import ForeignAgent, concluded
from ..tasks.model import TaskModel
from ..tasks.seat import Seat
from ..tasks.thread import in_own_thread
from . import as_crewai
from .llm import CrewgraphLLM
from .tools import task_tool

_NAMES = ("{request}", "{task}", "{known}", "{asked}")

_CREWS_LLMS = ("manager_llm", "function_calling_llm", "planning_llm", "chat_llm")


class CrewAIAgent(ForeignAgent):
    """An `Architecture` over what CrewAI has; made by `crewai_agent`."""

    framework = "The CrewAI crew"

    def __init__(
        self,
        made: Any,
        *,
        given: Callable[[Desk], Mapping[str, Any]] | None,
        effects: Mapping[str, Effect] | None,
        settings: Mapping[str, Any],
        aloud: bool,
        name: str | None,
    ) -> None:
        if not isinstance(made, Crew | Agent) and not callable(made):
            raise InvalidCrew(
                f"{type(made).__name__} is neither a CrewAI Crew nor an Agent nor a Flow class, nor a function that "
                "makes one of them."
            )
        own = getattr(made, "role", None) or getattr(made, "name", None) or getattr(made, "__name__", "crew")
        super().__init__(name or str(own), effects=effects, aloud=aloud)
        self._made: Any = made
        self._given = given
        self._settings = dict(settings)

    async def work(self, seat: Seat) -> Concluded:
        """What it gives in the end."""
        # CrewAI would begin again, tools and all: that is for the task to do, which reads back.
        seat.patient = False
        binding = _Binding(seat, self._settings)
        made = self._fresh(binding)
        if isinstance(made, Crew):
            kickoff = self._crew(made, binding)
        elif isinstance(made, Agent):
            binding.agent(made)
            said = [{"role": m.role, "content": m.content} for m in seat.desk.brief.history]
            messages = [*said, {"role": "user", "content": seat.desk.asked}]
            kickoff = partial(made.kickoff, messages)
        elif isinstance(made, Flow):
            made.suppress_flow_events = True
            kickoff = partial(made.kickoff, inputs=self._inputs(seat.desk))
        else:
            raise InvalidCrew(
                f"What was to make a CrewAI crew, agent or flow made a {type(made).__name__}; return one of these."
            )
        return _concluded(await in_own_thread(kickoff, f"CrewAI {self.name}"))

    def _fresh(self, binding: _Binding) -> Any:
        made: Any = self._made
        if isinstance(made, Crew | Agent):
            return made.copy()
        if isinstance(made, type):
            return made()
        return made(binding.llm()) if inspect.signature(made).parameters else made()

    def _crew(self, crew: Any, binding: _Binding) -> Callable[[], Any]:
        binding.crew(crew)
        described = [text for task in crew.tasks for text in (task.description, task.expected_output)]
        described += [text for one in crew.agents for text in (one.role, one.goal, one.backstory)]
        if self._given is None and not any(name in str(text) for text in described for name in _NAMES):
            crew.tasks[0].description += "\n\n{asked}"
        inputs = self._inputs(binding.seat.desk)
        return partial(crew.kickoff, inputs=inputs)

    def _inputs(self, desk: Desk) -> dict[str, Any]:
        if self._given is not None:
            return dict(self._given(desk))
        return {
            "request": desk.brief.request,
            "task": f"{desk.task.description} {desk.task.expected_output}".strip(),
            "known": desk.brief.notes(),
            "asked": desk.asked,
        }


class _Binding:
    """Puts the model and the tools of one task into what CrewAI made for it."""

    def __init__(self, seat: Seat, settings: Mapping[str, Any]) -> None:
        self.seat = seat
        self._settings = settings
        self._tools: dict[int, Any] = {}

    def llm(self, had: Any = None) -> Any:
        """The LLM to use in the place of that one."""
        if isinstance(had, CrewgraphLLM):
            return had.bound(self.seat)
        return as_crewai(TaskModel(self.seat), **self._settings)

    def agent(self, agent: Any) -> None:
        """An agent on the task's model, with its tools as steps."""
        agent.llm = self.llm(agent.llm)
        if getattr(agent, "function_calling_llm", None) is not None:
            agent.function_calling_llm = self.llm(agent.function_calling_llm)
        agent.tools = self.tools(agent.tools)
        agent.max_retry_limit = 0

    def crew(self, crew: Any) -> None:
        """All agents and tasks of a crew."""
        for agent in crew.agents:
            self.agent(agent)
        if crew.manager_agent is not None:
            self.agent(crew.manager_agent)
        elif str(getattr(crew.process, "value", "")) == "hierarchical" or crew.manager_llm is not None:
            crew.manager_llm = self.llm(crew.manager_llm)
        for name in _CREWS_LLMS[1:]:
            if getattr(crew, name, None) is not None:
                setattr(crew, name, self.llm(getattr(crew, name)))
        if crew.planning and crew.planning_llm is None:
            crew.planning_llm = self.llm()
        for task in crew.tasks:
            task.tools = self.tools(task.tools)
            if task.agent is not None and task.agent not in crew.agents:
                self.agent(task.agent)

    def tools(self, tools: Any) -> list[Any]:
        """Each of them as a step; the same tool stays the same in all places."""
        return [self._tools.setdefault(id(tool), task_tool(tool, self.seat)) for tool in tools or ()]


def _concluded(found: Any) -> Concluded:
    raw = getattr(found, "raw", None)
    if not isinstance(raw, str):
        return concluded(found)
    whole = getattr(found, "pydantic", None) or getattr(found, "json_dict", None)
    return Concluded(raw, value=None if whole is None else to_jsonable_python(whole))
