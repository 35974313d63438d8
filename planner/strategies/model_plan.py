"""The model strategy: a language model writes the plan under a JSON schema made of this crew, and mends what the
checker finds wrong with it.

The schema enumerates agents, tools, typed arguments and references to earlier tasks, so whatever a model writes is
a plan in form. Parameters with many values are narrowed to those the request mentions; where it mentions none, the
first few dozen stand for all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ...agents.calls import ask_model
from ...agents.crew import Crew
from ...agents.model import Message, ModelClient, ModelRequest
from ...runtime.context import RunContext
from ...runtime.errors import InvalidPlan, ModelError
from ...runtime.graph import Task
from ...tools.tool import Tool
from ...tools.values import Fact
from ..checking.checker import check, fits
from ..plan import ANSWER, Plan, listed
from ..reading.mentions import find
from ..reading.reading import Reading
from ..reading.slots import takes_several

_MAX_TASKS = 6
_FEWEST_TO_COMBINE = 2
_MAX_OPTIONS = 40
_REPAIRS = 2


async def by_model(
    crew: Crew, request: str, client: ModelClient, ctx: RunContext, *, history: Sequence[Message] = ()
) -> Plan:
    """A checked plan written by the model.

    Raises:
        InvalidPlan: after the repairs the checker still finds something wrong; the message lists it.
        EngineError: the engine does not answer.
    """
    schema = plan_schema(crew, request)
    messages = [
        Message("system", _system(crew)),
        *history,
        Message("user", f"Request: {request}\nWrite the plan as JSON."),
    ]
    problem = ""
    for attempt in range(_REPAIRS + 1):
        try:
            reply = await ask_model(ctx, client, ModelRequest(tuple(messages), max_tokens=700, schema=schema))
        except ModelError as error:
            raise InvalidPlan(f"The model's plan was not usable: {error}") from None
        tasks = _tasks(crew, json.loads(reply.text), request)
        findings = check(tasks, crew, budget=ctx.meter.budget)
        if not findings:
            note = (
                "The model planned."
                if not attempt
                else f"The model planned, and mended its plan {attempt} times."
            )
            return Plan(tasks=tasks, strategy="model", notes=(note,))
        problem = listed(findings)
        messages += [
            Message("assistant", reply.text),
            Message("user", f"That plan cannot be carried out. {problem} Write it again, mended."),
        ]
    raise InvalidPlan(f"The model's plan stayed wrong after {_REPAIRS} repairs: {problem}")


def _system(crew: Crew) -> str:
    agents = "\n".join(f"- {agent.description}" for agent in crew.agents)
    tools = "\n".join(
        f"- {t.name}({', '.join(t.args.model_fields)}): {t.description}" for t in crew.toolset.values()
    )
    return (
        "You plan work for a crew. Break the request into the fewest tasks. Each task calls one tool. A task may use "
        "the "
        f'result of an earlier task as "$t1".\n\nAgents:\n{agents}\n\nTools:\n{tools}'
    )


def plan_schema(crew: Crew, request: str) -> dict[str, Any]:
    """The JSON schema of a plan for this crew and request: of each length one form, whose tasks refer only back."""
    reading = Reading(request)
    options = {(t.name, p): o for t in crew.toolset.values() for p, o in t.options.items()}
    mentioned = find(options, reading)
    definitions: dict[str, Any] = {}
    figures = any(fits(tool.returns, Fact) for tool in crew.toolset.values() if not tool.combines)
    for place in range(1, _MAX_TASKS + 1):
        variants: list[dict[str, Any]] = []
        for tool in crew.toolset.values():
            if tool.combines and (place <= _FEWEST_TO_COMBINE or not figures):
                continue
            schema = tool.parameters
            definitions |= schema.pop("$defs", {})
            arguments = {
                name: _argument(
                    tool, name, fragment, [m.value for m in mentioned.get((tool.name, name), [])], place
                )
                for name, fragment in schema.get("properties", {}).items()
            }
            args = _object(arguments, list(schema.get("required", ())))
            holders = [agent.role for agent in crew.holders(tool)]
            variants.append(_object({"agent": {"enum": holders}, "tool": {"const": tool.name}, "args": args}))
        definitions[f"task{place}"] = {"anyOf": variants}
    lengths = [
        {
            "type": "array",
            "prefixItems": [{"$ref": f"#/$defs/task{place}"} for place in range(1, length + 1)],
            "minItems": length,
            "maxItems": length,
        }
        for length in range(1, _MAX_TASKS + 1)
    ]
    return _object({"tasks": {"anyOf": lengths}}) | {"$defs": definitions}


def _argument(
    tool: Tool, name: str, fragment: dict[str, Any], mentioned: list[str], place: int
) -> dict[str, Any]:
    """The schema of one argument: its values, and references to earlier tasks where a result can stand in its place."""
    earlier = [f"$t{n}" for n in range(1, place)]
    if name in tool.options:
        values = {"enum": mentioned or [o.value for o in tool.options[name]][:_MAX_OPTIONS]}
        return {"type": "array", "items": values, "maxItems": 3} if takes_several(fragment) else values
    if tool.combines:
        return {"type": "array", "items": {"enum": earlier}, "minItems": 2, "maxItems": len(earlier)}
    plain = {key: value for key, value in fragment.items() if key not in ("title", "default", "format")}
    if plain.get("type") in ("integer", "number") and earlier:
        return {"anyOf": [plain, {"enum": [f"{ref}.value" for ref in earlier]}]}
    return plain | ({"maxLength": 200} if plain.get("type") == "string" and "enum" not in plain else {})


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def _tasks(crew: Crew, written: dict[str, Any], request: str) -> tuple[Task, ...]:
    """The tasks that a model wrote, numbered, with the task that answers behind them."""
    tasks: list[Task] = []
    for number, item in enumerate(written["tasks"], 1):
        text = f"{item['tool']}: {', '.join(map(str, item['args'].values()))}"
        tasks.append(
            Task(id=f"t{number}", description=text, agent=item["agent"], tool=item["tool"], args=item["args"])
        )
    needed = {need for task in tasks for need in task.needs}
    ends = tuple(task.id for task in tasks if task.id not in needed)
    answer = Task(
        id=ANSWER,
        description=f"Answer the request: {request[:200]}",
        agent=crew.agents[-1].role,
        depends_on=ends,
    )
    return (*tasks, answer)
