"""The plan checker: what must hold before a token is spent on a plan. It trusts no planner, ours included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from ...agents.crew import Crew
from ...runtime.budget import Budget
from ...runtime.errors import CrewgraphError, InvalidGraph
from ...runtime.graph import ITEM, Reference, Task, TaskGraph, references
from ...tools.tool import Tool
from ...tools.values import Fact
from ..plan import Finding

MAX_TASKS = 100
"""A plan with more tasks is refused."""


def check(tasks: Sequence[Task], crew: Crew, *, budget: Budget | None = None) -> list[Finding]:
    """What is wrong with a plan for a crew; empty where nothing is.

    Acyclic, references resolve and their types fit, agents exist and may use the tools they are given, arguments
    are valid, nothing hangs loose, and the calls fit the budget.
    """
    if not tasks:
        return [Finding(task="-", problem="the plan has no tasks", mend="add at least one")]
    if len(tasks) > MAX_TASKS:
        return [
            Finding(task="-", problem=f"the plan has {len(tasks)} tasks", mend=f"use at most {MAX_TASKS}")
        ]
    try:
        graph = TaskGraph(tasks)
    except InvalidGraph as error:
        return [Finding(task="-", problem=str(error).rstrip("."), mend="mend the dependencies")]
    findings = [f for task in tasks for f in _task(task, graph, crew)]
    loose = [t for t in graph.sinks() if t != tasks[-1].id]
    findings += [
        Finding(
            task=t, problem="nothing uses its result", mend=f"let {tasks[-1].id} depend on it, or drop it"
        )
        for t in loose
    ]
    calls = sum(t.tool is not None for t in tasks)
    if budget is not None and budget.tool_calls is not None and calls > budget.tool_calls:
        findings.append(
            Finding(
                task="-",
                problem=f"it calls tools {calls} time{'s' if calls != 1 else ''}, and the budget allows {budget.tool_calls}",
                mend="ask for less, or raise the budget",
            )
        )
    return findings


def _task(task: Task, graph: TaskGraph, crew: Crew) -> list[Finding]:
    found: list[Finding] = []

    def wrong(problem: str, mend: str) -> None:
        found.append(Finding(task=task.id, problem=problem, mend=mend))

    roles = [agent.role for agent in crew.agents]
    if task.agent not in roles:
        wrong(f"nobody has the role {task.agent!r}", f"choose one of {', '.join(roles)}")
    if task.tool is None:
        if task.args:
            wrong("it has arguments and no tool", "name the tool, or drop the arguments")
        return found
    if task.tool not in crew.toolset:
        wrong(f"there is no tool {task.tool!r}", f"choose one of {', '.join(crew.toolset)}")
        return found
    if task.agent in roles and task.tool not in crew.tools_of(crew.agent(task.agent)):
        holders = ", ".join(a.role for a in crew.holders(crew.toolset[task.tool])) or "nobody"
        wrong(f"{task.agent} may not use {task.tool}", f"give it to {holders}")
    found += _arguments(task, crew.toolset[task.tool], graph, crew)
    return found


def _arguments(task: Task, tool: Tool, graph: TaskGraph, crew: Crew) -> list[Finding]:
    found: list[Finding] = []
    fields = tool.args.model_fields
    for name in task.args:
        if name not in fields:
            found.append(
                Finding(
                    task=task.id,
                    problem=f"{tool.name} has no parameter {name!r}",
                    mend=f"use {', '.join(fields)}",
                )
            )
    plain: dict[str, Any] = {}
    for name, info in fields.items():
        if name not in task.args:
            if info.is_required():
                found.append(
                    Finding(task=task.id, problem=f"{tool.name} needs {name}", mend="give it a value")
                )
            continue
        value = task.args[name]
        if any(True for _ in references(value)):
            found += [
                Finding(task=task.id, problem=p, mend="refer to a result of the right type")
                for p in (
                    *_referred(name, value, info.annotation, graph, crew),
                    *_length(name, value, info.metadata),
                )
            ]
        else:
            plain[name] = value
    found += _values(task, tool, plain)
    return found


def _values(task: Task, tool: Tool, plain: Mapping[str, Any]) -> list[Finding]:
    """Findings on literal arguments, each held against its own parameter."""
    found: list[Finding] = []
    for name, value in plain.items():
        info = tool.args.model_fields[name]
        adapter: TypeAdapter[Any] = TypeAdapter(_annotated(info))
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]["msg"]
            short = problem if len(problem) < 200 else problem[:200] + "…"
            found.append(
                Finding(
                    task=task.id,
                    problem=f"{name}={value!r} does not fit {tool.name} ({short})",
                    mend="give a value that fits",
                )
            )
    return found


def _annotated(info: Any) -> Any:
    from typing import Annotated

    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def _referred(name: str, value: Any, annotation: Any, graph: TaskGraph, crew: Crew) -> list[str]:
    """Why the references in an argument do not fit its type; empty where they do."""
    if isinstance(value, list):
        inner = get_args(annotation)[0] if get_origin(annotation) is list and get_args(annotation) else Any
        return [problem for part in value for problem in _referred(name, part, inner, graph, crew)]
    ref = Reference.parse(value)
    if ref is None:
        held = isinstance(value, Mapping) and any(True for _ in references(value))
        return (
            [] if held or _is(value, annotation) else [f"{name} takes {_name(annotation)}, and not {value!r}"]
        )
    if ref.task == ITEM and ITEM not in graph:  # the entry at hand of a task with `each`: known when it runs
        return []
    given = _type_of(ref, graph, crew)
    if isinstance(given, CrewgraphError):
        return [str(given)]
    if not fits(given, annotation):
        return [f"{name} takes {_name(annotation)}, and {value} is {_name(given)}"]
    return []


def _length(name: str, value: Any, rules: Sequence[Any]) -> list[str]:
    """Why a list with references in it is too short or too long; empty where it is not."""
    if not isinstance(value, list):
        return []
    low = max((getattr(rule, "min_length", None) or 0 for rule in rules), default=0)
    high = min((getattr(rule, "max_length", None) or len(value) for rule in rules), default=len(value))
    if low <= len(value) <= high:
        return []
    wanted = f"at least {low}" if len(value) < low else f"at most {high}"
    return [f"{name} takes {wanted} values, and has {len(value)}"]


def _is(value: Any, kind: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def _type_of(ref: Reference, graph: TaskGraph, crew: Crew) -> Any:
    """The type that a reference points to: a tool's result or a field of it; text where no tool made it."""
    task = graph[ref.task]
    if task.tool is None:
        given: Any = str
    elif task.tool not in crew.toolset:
        return Any
    else:
        given = crew.toolset[task.tool].returns
    if task.each is not None:
        given = list[given] if not ref.path else Any
    for field in ref.path:
        if given is Any:
            return Any
        if not (isinstance(given, type) and issubclass(given, BaseModel) and field in given.model_fields):
            return InvalidGraph(f"the result of {ref.task} ({_name(given)}) has no field {field!r}")
        given = given.model_fields[field].annotation
    return given


def fits(given: Any, wanted: Any) -> bool:
    """Whether a value of one type may stand where another is wanted."""
    if given is Any or wanted is Any or given is wanted:
        return True
    options = get_args(wanted) if type(None) in get_args(wanted) or _union(wanted) else ()
    if get_origin(wanted) is not None and hasattr(wanted, "__metadata__"):
        return fits(given, get_args(wanted)[0])
    if options:
        return any(fits(given, option) for option in options if option is not type(None))
    if _union(given):
        return any(fits(option, wanted) for option in get_args(given) if option is not type(None))
    if wanted is Fact:
        return given in (int, float, str) or is_figure(given)
    return wanted is float and given is int


def is_figure(kind: Any) -> bool:
    """Whether a type is a model around one number, which can stand where a fact is wanted."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return False
    value = kind.model_fields.get("value")
    numbers = {int, float, int | float}
    return value is not None and value.annotation in numbers


def _union(kind: Any) -> bool:
    import types
    from typing import Union

    return get_origin(kind) in (Union, types.UnionType)


def _name(kind: Any) -> str:
    if hasattr(kind, "__metadata__"):
        return _name(get_args(kind)[0])
    return getattr(kind, "__name__", str(kind))
