"""Owns the way from what CrewAI's authors say to a crew of ours: `Taking`, one import."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ....agents.agent import Agent
from ....agents.crew import Crew, Process
from ....agents.guarding.guardrail import Guardrail
from ....runtime.errors import InvalidCrew
from ....runtime.events import Effect
from ....runtime.graph import Task
from ....runtime.policy import Allowance
from ....tools.tool import Tool
from ..complaints import nearest
from .foreign import taken_guardrail, taken_tool, usable
from .theirs import AGENT, TASK, model_name, told

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)}")
_TURNS = 25
_CORRECTIONS = 3
_MANAGER = "Crew Manager"
_MANAGER_GOAL = "Manage the team to complete the task in the best way possible."
_REQUEST = 4000


@dataclass(frozen=True)
class Imported:
    """A crew that was written for CrewAI, as one of ours.

    `said` names, in a sentence each, everything that was not taken over or means something a little different now.
    `request` is what to ask the crew: CrewAI's crews are only begun, and ours are asked something.
    """

    crew: Crew
    said: tuple[str, ...]
    request: str


@dataclass
class Taking:
    """One import: the words that fill placeholders, what names mean here, and what had to be left out.

    `models` says which of ours stands for which of theirs, `effects` what tools do when they are called twice.
    """

    inputs: Mapping[str, Any]
    models: Mapping[str, str]
    effects: Mapping[str, Effect]
    max_tokens: int
    said: list[str] = field(default_factory=list)
    _tools: dict[int, Tool] = field(default_factory=dict)

    def crew(
        self,
        name: str,
        agents: Mapping[str, Mapping[str, Any]],
        tasks: Sequence[Mapping[str, Any]],
        process: str,
        manager: Mapping[str, Any] | None,
        manager_llm: Any,
    ) -> Imported:
        """The crew; `agents` by the keys that `tasks` name them by, `context` of a task names others by their `id`."""
        if process not in ("sequential", "hierarchical"):
            raise InvalidCrew(
                f"CrewAI's process {process!r} is not known; {nearest(process, ('sequential', 'hierarchical'))}."
            )
        own = {key: self.agent(said) for key, said in agents.items()}
        ours, made, guardrails = self._tasks(tasks, own, led=process == "hierarchical")
        kind = Process.hierarchical if process == "hierarchical" else Process.planned
        if kind == Process.planned and all(
            one.get("context") is None and not one.get("async_execution") for one in tasks
        ):
            kind = Process.sequential
        crew = Crew(
            agents=list(made.values()),
            tasks=ours,
            name=name,
            process=kind,
            manager=self._manager(manager, manager_llm) if kind == Process.hierarchical else None,
            guardrails=guardrails,
        )
        request = "\n".join(task.description for task in ours)[:_REQUEST] or name
        return Imported(crew, tuple(dict.fromkeys(self.said)), request)

    def agent(self, said: Mapping[str, Any]) -> Agent:
        """One of their agents as ours."""
        role = self.filled(said.get("role"), "an agent", "role")
        whose = f"agent {role!r}"
        self.leave_out(whose, said, AGENT)
        tools = [self.tool(one, whose) for one in said.get("tools") or ()]
        guardrail = said.get("guardrail")
        seconds = said.get("max_execution_time")
        thinks = bool(said.get("reasoning") or said.get("planning"))
        if thinks and tools:
            self.said.append(
                f"{whose}: reasoning is not taken over, for it has tools: it acts and looks instead (react)."
            )
        return Agent(
            role,
            self.filled(said.get("goal"), whose, "goal"),
            self.filled(said.get("backstory") or "", whose, "backstory"),
            tools=tools,
            model=self.model(said.get("llm"), whose),
            architecture="react" if tools else "plan_and_solve" if thinks else "direct",
            max_turns=int(said.get("max_iter") or _TURNS),
            max_tokens=int(said.get("max_tokens") or self.max_tokens),
            delegates=bool(said.get("allow_delegation")),
            guardrails=[taken_guardrail(guardrail, role, role)] if guardrail is not None else (),
            corrections=_number(said.get("guardrail_max_retries"), _CORRECTIONS),
            allowance=Allowance(seconds=float(seconds)) if seconds else None,
        )

    def tool(self, theirs: Any, whose: str) -> Tool:
        """One of their tools as ours, the same one however often it is named."""
        known = self._tools.get(id(theirs))
        if known is None:
            known = self._tools[id(theirs)] = taken_tool(theirs, self.effects)
            name = str(getattr(theirs, "name", known.name))
            if known.name != name:
                self.said.append(f"{whose}: the tool {name!r} is called {known.name!r} here.")
            if (
                known.origin is theirs
                and known.effect == "once"
                and not {name, known.name} & set(self.effects)
            ):
                self.said.append(
                    f"{whose}: the tool {known.name!r} does not say what calling it twice would do, so it is taken for one "
                    "that must be called once; say more with effects={…}."
                )
        return known

    def model(self, llm: Any, whose: str) -> str | None:
        """Our name of their model; None, said aloud, where nobody says which one is meant."""
        name = model_name(llm)
        if name is None or name in self.models:
            return self.models.get(name or "")
        self.said.append(
            f"{whose}: the model {name!r} is not taken over, nothing is asked of it; the default is, or name one of yours "
            "with models={…}."
        )
        return None

    def filled(self, text: object, whose: str, what: str) -> str:
        """A text with its placeholders filled from the inputs.

        Raises:
            InvalidCrew: an input is missing, or it is no text.
        """
        if not isinstance(text, str):
            raise InvalidCrew(f"{whose[0].upper()}{whose[1:]} of CrewAI has no {what}: give it one.")

        def fill(found: re.Match[str]) -> str:
            name = found[1]
            if name not in self.inputs:
                hint = nearest(name, list(self.inputs), none="none were given")
                raise InvalidCrew(f"The {what} of {whose} needs the input {name!r}; of inputs {hint}.")
            return str(self.inputs[name])

        return _PLACEHOLDER.sub(fill, text).strip()

    def leave_out(self, whose: str, said: Mapping[str, Any], taken: frozenset[str]) -> None:
        """Say what is not taken over."""
        for name, value in said.items():
            if name not in taken and name != "id" and value not in (None, False, [], {}, ""):
                self.said.append(told(whose, name))

    def _manager(self, said: Mapping[str, Any] | None, llm: Any) -> Agent:
        if said is None:
            return Agent(
                _MANAGER, _MANAGER_GOAL, model=self.model(llm, "the manager"), max_tokens=self.max_tokens
            )
        made = replace(self.agent(said), architecture=None, delegates=True)
        return replace(made, model=made.model or self.model(llm, "the manager"))

    def _tasks(
        self, tasks: Sequence[Mapping[str, Any]], own: Mapping[str, Agent], *, led: bool
    ) -> tuple[list[Task], dict[str, Agent], dict[str, list[Guardrail]]]:
        made = {key: agent for key, agent in own.items() if _is_plain(key, tasks)}
        ours: list[Task] = []
        guardrails: dict[str, list[Guardrail]] = {}
        ids = _ids(tasks)
        for n, said in enumerate(tasks):
            whose = f"task {ids[n]!r}"
            self.leave_out(whose, said, TASK)
            agent = self._doing(said, own, made, whose, led=led)
            expected = self.filled(said.get("expected_output") or "", whose, "expected_output")
            if said.get("markdown"):
                expected = f"{expected} Format it as Markdown.".strip()
            if said.get("human_input"):
                self.said.append(told(whose, "human_input"))
            checks = [said.get("guardrail"), *_listed(said.get("guardrails"))]
            theirs = [one for one in checks if one is not None]
            if theirs:
                role = agent.role if agent is not None else ""
                guardrails[ids[n]] = [taken_guardrail(one, ids[n], role) for one in theirs]
            ours.append(
                Task(
                    id=ids[n],
                    description=self.filled(said.get("description"), whose, "description"),
                    expected_output=expected,
                    agent=None if agent is None else agent.role,
                    depends_on=() if led else self._before(n, tasks, ids, whose),
                    approval=bool(said.get("human_input")),
                )
            )
        if led and any(one.get("context") is not None for one in tasks):
            self.said.append(
                "tasks: in a hierarchical crew each gets the results of all before it, whatever their context."
            )
        order = list(own)
        made = dict(sorted(made.items(), key=lambda one: order.index(one[0].split("\0")[0])))
        return ours, made, guardrails

    def _before(
        self, n: int, tasks: Sequence[Mapping[str, Any]], ids: Sequence[str], whose: str
    ) -> tuple[str, ...]:
        """Whose results a task reads: those of its context; without one, what CrewAI gives it."""
        context = tasks[n].get("context")
        if context is not None:
            keys = [str(one.get("id")) for one in tasks]
            unknown = [one for one in context if one not in keys[:n]]
            if unknown:
                raise InvalidCrew(
                    f"The context of {whose} names {unknown[0]!r}, which is no task before it; {nearest(unknown[0], keys[:n])}."
                )
            if len(context) < n:
                self.said.append(
                    f"{whose}: it begins when its context is there, beside those tasks before it that it reads nothing of."
                )
            return tuple(ids[keys.index(one)] for one in context)
        if not tasks[n].get("async_execution"):
            return tuple(ids[:n])
        waited = [k for k in range(n) if not tasks[k].get("async_execution")]
        return (ids[waited[-1]],) if waited else ()

    def _doing(
        self,
        said: Mapping[str, Any],
        own: Mapping[str, Agent],
        made: dict[str, Agent],
        whose: str,
        *,
        led: bool,
    ) -> Agent | None:
        """Who does a task. Where it asks for an output or tools of its own, that is a twin of its agent."""
        key = said.get("agent")
        output = next((said[k] for k in _OUTPUTS if said.get(k) is not None), None)
        if key is None:
            if output is not None:
                self.said.append(
                    f"{whose}: its output type is not taken over, for it has no agent of its own."
                )
            if not led and own:
                self.said.append(f"{whose}: it has no agent; the last one of the crew does it.")
            return None
        if key not in own:
            raise InvalidCrew(
                f"{whose[0].upper()}{whose[1:]} is for {key!r}, who is no agent; {nearest(str(key), own)}."
            )
        agent = own[key]
        changes: dict[str, Any] = {}
        if output is not None:
            changes["output_type"] = output
        if said.get("tools"):
            tools = [self.tool(one, whose) for one in said["tools"]]
            if tools != list(agent.tools):
                changes |= {"tools": tools, "architecture": "react"}
        if said.get("guardrail") is not None or said.get("guardrails"):
            retries = _number(said.get("guardrail_max_retries"), _CORRECTIONS)
            if retries != agent.corrections:
                changes["corrections"] = retries
        if not changes:
            made[key] = agent
            return agent
        if key in made:
            number = sum(other.startswith(f"{key}\0") for other in made) + 1
            changes["role"] = f"{agent.role} ({usable(str(said.get('id') or number))})"
            self.said.append(
                f"{whose}: it has a twin of {agent.role!r}, for its own {_words(changes)}: {changes['role']!r}."
            )
            key = f"{key}\0{number}"
        made[key] = replace(agent, **changes)
        return made[key]


_OUTPUTS = ("output_pydantic", "output_json", "response_model")


def _is_plain(key: str, tasks: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an agent is needed as it is: it has no task, or one that asks nothing special of it, or several."""
    own = [one for one in tasks if one.get("agent") == key]
    special = ("tools", "guardrail", "guardrails", *_OUTPUTS)
    return len(own) != 1 or not any(own[0].get(name) for name in special)


def _ids(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ids of our own making where theirs cannot be used or are taken."""
    ids: list[str] = []
    for n, said in enumerate(tasks, 1):
        wanted = usable(str(said.get("id") or f"t{n}"))
        ids.append(wanted if wanted not in ids else f"{wanted}_{n}")
    return ids


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _number(value: Any, usual: int) -> int:
    return usual if value is None else int(value)


def _words(changes: Mapping[str, Any]) -> str:
    return " and ".join(name.replace("_", " ") for name in changes if name not in ("role", "architecture"))
