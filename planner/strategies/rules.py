"""The rules strategy: turns a decomposition into tasks for a crew, and fills in the calls of authored tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from ...agents.crew import Crew
from ...runtime.context import RunContext
from ...runtime.graph import Task
from ...tools.text import tokens
from ...tools.tool import Tool
from ...tools.toolset import Toolset
from ...tools.values import Fact
from ..asked import Asked, Example
from ..plan import ANSWER, Plan
from ..reading.decompose import Decomposition, arguments_text, decompose, gives
from ..reading.errands import NO_HABIT, Habit
from ..reading.known.slots import Call, Taken
from ..reading.reading import Reading
from ..reading.segments import segments

_LIKE = 0.5
_SHARPNESS = 6
"""How much sooner the likest of past requests are followed than others."""


@dataclass
class _Bench:
    """Where tasks are put together: each call becomes one task, however often it is asked for."""

    crew: Crew
    prefix: str = "t"
    tasks: list[Task] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        tool: Tool,
        args: dict[str, Any],
        description: str,
        *,
        key: str,
        after: Sequence[str] = (),
        agent: str | None = None,
    ) -> str:
        """One bound call as a task; its id."""
        if key in self.ids:
            return self.ids[key]
        task_id = f"{self.prefix}{len(self.tasks) + 1}"
        doer = agent or self._doer(tool)
        self.tasks.append(
            Task(
                id=task_id,
                description=description,
                agent=doer,
                tool=tool.name,
                args=args,
                depends_on=tuple(after),
            )
        )
        self.ids[key] = task_id
        return task_id

    def _doer(self, tool: Tool) -> str:
        """The agent for a tool: of those that hold it, else of those that may use it, the one whose goal is nearest."""
        may = list(self.crew.holders(tool))
        own = [a for a in may if tool.name in Toolset(a.tools)] or may or [self.crew.agents[-1]]
        about = set(tokens(f"{tool.name} {tool.description}"))
        return max(own, key=lambda a: len(about & set(tokens(a.description)))).role

    def call(self, call: Call, *, after: Sequence[str] = (), agent: str | None = None) -> str:
        """One call, and before it those whose results it takes; its id."""
        args: dict[str, Any] = {}
        shown: dict[str, Any] = {}
        for name, value in call.args.items():
            if isinstance(value, Call):
                giver = self.call(value, after=after)
                field_path = gives(value.tool.returns, call.tool.args.model_fields[name].annotation) or ""
                args[name] = shown[name] = f"${giver}{field_path}"
            elif isinstance(value, Taken):
                giver = self.call(value.call, after=after)
                args[name] = shown[name] = f"${giver}{f'.{value.path}' if value.path else ''}"
            else:
                args[name] = f"${value}" if isinstance(value, str) and value.startswith("$") else value
                shown[name] = value
        return self.add(
            call.tool,
            args,
            f"{call.tool.name.replace('_', ' ')}: {arguments_text(shown)}",
            key=call.key,
            after=(*after, *(self.call(c) for c in call.after)),
            agent=agent,
        )

    def groups(
        self, found: Decomposition, *, after: Sequence[str] = (), agent: str | None = None
    ) -> list[str]:
        """All calls of a decomposition with what joins them; ids of the results."""
        ends: list[str] = []
        for group in found.groups:
            ids = [self.call(call, after=after, agent=agent) for call in group.calls]
            if group.join is None or not all(c.tool.returns is Fact for c in group.calls):
                ends += ids
                continue
            ends.append(self.join(group.join, ids, arguments_text(_common(group.calls))))
        return list(dict.fromkeys(ends))

    def join(self, name: str, ids: Sequence[str], about: str, *, agent: str | None = None) -> str:
        """A task that joins figures; its id."""
        tool = self.crew.toolset[name]
        return self.add(
            tool,
            {"facts": [f"${i}" for i in ids]},
            f"{name}: {about}".rstrip(": "),
            key=f"{name}{ids}",
            agent=agent,
        )


def _common(calls: Iterable[Call]) -> dict[str, Any]:
    """What several calls have in common, else everything they name."""
    every = list(calls)
    same = {n: v for n, v in every[0].args.items() if all(c.args.get(n) == v for c in every)}
    return same or {str(i): arguments_text(c.args) for i, c in enumerate(every)}


def by_rules(crew: Crew, request: str, *, earlier: str = "", examples: Sequence[Example] = ()) -> Plan:
    """The plan for a request: bound tool calls, what joins their figures, and a task that answers from them.

    `examples` are plans that worked for requests like it: they tell between tools that the words name alike.
    """
    if crew.tasks:
        return _authored(crew, request, earlier)
    if len(crew.agents) > 1 and all(tool.combines for tool in crew.toolset.values()):
        return _in_words(crew, request, examples)
    bench = _Bench(crew)
    found = decompose(request, crew.toolset.values(), earlier=earlier, habit=habit_of(examples))
    ends = bench.groups(found)
    answerer = crew.agents[-1].role
    answer = Task(
        id=ANSWER, description=f"Answer the request: {request[:200]}", agent=answerer, depends_on=tuple(ends)
    )
    if not ends:
        note = "No tool of this crew fits the request, so the model answers by itself, without evidence."
        return Plan(tasks=(answer,), strategy="direct", notes=(note,))
    return Plan(tasks=(*bench.tasks, answer), strategy="rules", notes=found.why)


def _in_words(crew: Crew, request: str, examples: Sequence[Example]) -> Plan:
    """The plan of agents without tools: the steps of a plan that worked for nearly the same request, else each part of
    the request for the agent whose goal is nearest; the last agent answers."""
    answerer = crew.agents[-1].role
    tasks = _outline(crew, examples)
    note = "The steps are those of a plan that worked for a request like this one."
    if not tasks:
        note = "Nobody has a tool: each part of the request is one agent's."
        reading = Reading(request)
        found = segments(reading, reading.words_of.verbs)
        parts = [(part, reading.text[slice(*part.span)].strip(" ,;.，；。")) for part in found]
        for part, text in parts:
            if text:
                after = (tasks[-1].id,) if tasks and (part.after or len(text) < len(request) / 6) else ()
                made = Task(
                    id=f"t{len(tasks) + 1}", description=text, agent=_nearest(crew, text), depends_on=after
                )
                tasks.append(made)
    if len(tasks) < 2:
        tasks = []
    needed = {need for task in tasks for need in task.needs}
    ends = tuple(task.id for task in tasks if task.id not in needed)
    said = f"Answer the request: {request[:200]}"
    answer = Task(id=ANSWER, description=said, agent=answerer, depends_on=ends)
    if not tasks:
        note = "No tool of this crew fits the request, so the model answers by itself, without evidence."
        return Plan(tasks=(answer,), strategy="direct", notes=(note,))
    return Plan(tasks=(*tasks, answer), strategy="rules", notes=(note,))


def _outline(crew: Crew, examples: Sequence[Example]) -> list[Task]:
    """The steps in words of the likest example, if it is like enough and this crew has its agents."""
    roles = {agent.role for agent in crew.agents}
    for example in sorted(examples, key=lambda e: -e.likeness):
        steps = [task for task in example.tasks if task.id != ANSWER]
        if example.likeness >= _LIKE and steps and all(t.tool is None and t.agent in roles for t in steps):
            return [
                Task(id=t.id, description=t.description, agent=t.agent, depends_on=t.depends_on)
                for t in steps
            ]
    return []


def _nearest(crew: Crew, text: str) -> str:
    """The agent whose words are nearest to a text; the first of equals."""
    about = set(tokens(text))
    return max(crew.agents, key=lambda agent: len(about & set(tokens(agent.description)))).role


def habit_of(examples: Sequence[Example]) -> Habit:
    """Which tools plans that worked called, each counting by how like its request is, and which before which."""
    if not examples:
        return NO_HABIT
    weights = [max(0.0, e.likeness) ** _SHARPNESS for e in examples]
    total = sum(weights) or 1.0
    share: dict[str, float] = {}
    before: Counter[tuple[str, str]] = Counter()
    for example, weight in zip(examples, weights, strict=True):
        called = list(dict.fromkeys(t.tool for t in example.tasks if t.tool))
        for tool in called:
            share[tool] = share.get(tool, 0.0) + weight / total
        before.update(combinations(called, 2))
    order = frozenset(pair for pair, times in before.items() if times > before[pair[1], pair[0]])
    return Habit(share, order, max(e.likeness for e in examples))


def _authored(crew: Crew, request: str, earlier: str) -> Plan:
    """The author's outline with tool calls filled in for every task whose agent has tools and that binds none.

    An agent with an architecture calls its tools itself.
    """
    tasks: list[Task] = []
    notes: list[str] = []
    figures: dict[str, list[str]] = {}
    compared: set[str] = set()
    for outline in crew.tasks:
        agent = crew.agent(outline.agent)
        filled = outline.model_copy(update={"agent": agent.role})
        upstream = [f for need in outline.needs for f in figures.get(need, [])]
        figures[outline.id] = list(upstream)
        if outline.tool is None:
            bench = _Bench(crew, prefix=f"{outline.id}-")
            own = [t for t in crew.tools_of(agent).values() if not t.combines and agent.architecture is None]
            found = (
                decompose(request, own, earlier=earlier, outline=outline.description, collect=True)
                if own
                else Decomposition()
            )
            ends = bench.groups(found, after=outline.needs, agent=agent.role)
            notes += [f"{outline.id}: {why}" for why in found.why]
            made = [
                t.id
                for t in bench.tasks
                if t.tool and crew.toolset[t.tool].returns is Fact and not crew.toolset[t.tool].combines
            ]
            figures[outline.id] += made
            fresh = [t for t in tasks if t.id in upstream and t.id not in compared]
            if not found.groups and Reading(f"{request}\n{outline.description}").compares:
                ends += _joined(bench, fresh, agent.role)
                compared |= {t.id for t in fresh}
            tasks += bench.tasks
            filled = filled.model_copy(update={"depends_on": tuple(dict.fromkeys((*outline.needs, *ends)))})
        tasks.append(filled)
    return Plan(tasks=tuple(tasks), strategy="rules", notes=tuple(notes))


def _joined(bench: _Bench, calls: Sequence[Task], agent: str) -> list[str]:
    """Comparisons of the figures that colleagues found, quantity by quantity: calls that differ in one argument."""
    ends: list[str] = []
    groups: dict[str, list[str]] = {}
    for task in calls:
        tool = bench.crew.toolset[task.tool or ""]
        varied = max(tool.options, key=lambda n: len(tool.options[n]), default="")
        rest = {n: v for n, v in task.args.items() if n != varied}
        groups.setdefault(f"{tool.name}: {arguments_text(rest)}", []).append(task.id)
    for about, ids in groups.items():
        if len(ids) > 1:
            ends.append(bench.join("compare", ids, about.split(": ", 1)[1], agent=agent))
    return ends


@dataclass(frozen=True)
class Rules:
    """Plans by what the words of a request name of the tools."""

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """The plan: calls, what joins their figures, and an answer; the answer alone where no tool fits."""
        return by_rules(asked.crew, asked.request, earlier=asked.earlier, examples=asked.examples)
