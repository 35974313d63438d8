"""The guided strategy: rules lay out which tools and values a request may mean, and a model chooses among them.

A small model writes noise where it may write freely, and chooses badly among many things; a few enumerated ones it can
choose from. What it then makes is a valid plan in form; where the checker refuses it all the same, the rules' own stands.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...agents.calls import ask_model
from ...agents.model import Message, ModelClient, ModelRequest
from ...runtime.context import RunContext
from ...runtime.errors import ModelError
from ...runtime.graph import Task, references
from ...tools.tool import Tool
from ..asked import Asked
from ..checking.checker import check
from ..plan import ANSWER, Finding, Plan, listed, wrong
from ..reading.filling.filling import candidates
from ..reading.shortlist import shortlist
from .rules import by_rules
from .written.items import Unreadable, answer_task, items_of, task_of
from .written.prompt import system

_MOST_TASKS = 8
_MOST_VALUES = 8
_MOST_TEXT = 80
_TOKENS_A_TASK = 110
_ASK = "Write the plan as JSON. Keep what is right in the draft, and change what is not."

STRATEGY = "guided"


@dataclass(frozen=True)
class Guided:
    """Plans by rules, and lets a model choose: `most` tools are laid before it, and of values those the request holds."""

    client: ModelClient
    most: int = 6

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """A checked plan: the model's choice, or the rules' own where the model's cannot be carried out.

        Raises:
            EngineError: the engine does not answer.
        """
        draft = by_rules(asked.crew, asked.request, earlier=asked.earlier, examples=asked.examples)
        calls = [task for task in draft.tasks if task.tool is not None and task.id != ANSWER]
        tools = self._laid_out(asked, calls)
        if not tools or any(tool.combines for tool in tools):
            return draft
        reply = ""
        try:
            reply = (await ask_model(ctx, self.client, self._request(asked, calls, tools))).text
            tasks = _tasks(reply, asked)
            findings = wrong(check(tasks, asked.crew, budget=ctx.meter.budget))
        except ModelError as error:
            return _kept(draft, str(error))
        except Unreadable as error:
            return _kept(draft, str(error.finding))
        if findings:
            return _kept(draft, listed(findings))
        return Plan(tasks=tasks, strategy=STRATEGY, notes=("The model chose among what the rules found.",))

    def _laid_out(self, asked: Asked, calls: Sequence[Task]) -> list[Tool]:
        """The tools of the draft, then those nearest to the request."""
        every = [tool for tool in asked.crew.toolset.values() if not tool.combines]
        own = [asked.crew.toolset[task.tool] for task in calls if task.tool]
        near = shortlist(asked.request, every, self.most)
        return list({tool.name: tool for tool in (*own, *near)}.values())[: max(self.most, len(own))]

    def _request(self, asked: Asked, calls: Sequence[Task], tools: Sequence[Tool]) -> ModelRequest:
        written = json.dumps(
            {"tasks": [{"tool": task.tool, "args": task.args} for task in calls]}, ensure_ascii=False
        )
        said = f"Request: {asked.request}\nDraft: {written}\n{_ASK}"
        most = min(_MOST_TASKS, max(2, len(calls) + 1))
        return ModelRequest(
            (system(asked.crew, tools), *asked.history, Message("user", said)),
            max_tokens=_TOKENS_A_TASK * most,
            schema=choice_schema(asked.request, tools, calls, most=most),
        )


def choice_schema(request: str, tools: Sequence[Tool], draft: Sequence[Task], *, most: int) -> dict[str, Any]:
    """The JSON schema of at most `most` calls of these tools, with values that the request or the draft holds."""
    variants = [_variant(tool, request, [task for task in draft if task.tool == tool.name]) for tool in tools]
    item = {"anyOf": variants} if len(variants) > 1 else variants[0]
    tasks = {"type": "array", "items": item, "minItems": 1, "maxItems": most}
    return _object({"tasks": tasks}, ["tasks"])


def _variant(tool: Tool, request: str, drafted: Sequence[Task]) -> dict[str, Any]:
    schema = tool.parameters
    described = schema.get("properties", {})
    required = list(schema.get("required", ()))
    found = candidates(tool, request)
    arguments: dict[str, Any] = {}
    for name, told in described.items():
        own = [task.args[name] for task in drafted if name in task.args]
        if name not in required and not own:
            continue
        values: list[Any] = []
        for value in (*own, *(v for v in found.get(name, ()) if not _taken(v))):
            if value not in values:
                values.append(value)
        arguments[name] = {"enum": values[:_MOST_VALUES]} if values else _free(told, schema)
    return _object(
        {"tool": {"const": tool.name}, "args": _object(arguments, [n for n in required if n in arguments])},
        ["tool", "args"],
    )


def _taken(value: object) -> bool:
    """Whether a value would be read as a reference."""
    return any(True for _ in references(value))


def _free(told: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A value of which the request says nothing: of the right type, and short."""
    plain = {key: value for key, value in told.items() if key not in ("title", "default", "format")}
    if "$ref" in json.dumps(plain):
        return plain | {"$defs": schema.get("$defs", {})} if "$ref" not in plain else {"type": "object"}
    return plain | ({"maxLength": _MOST_TEXT} if plain.get("type") == "string" else {})


def _tasks(reply: str, asked: Asked) -> tuple[Task, ...]:
    """The tasks of a reply, the same call once, with the task that answers behind them. Raises `Unreadable`."""
    tasks: list[Task] = []
    seen: set[str] = set()
    for item in items_of(reply):
        key = json.dumps(item, sort_keys=True)
        if key not in seen:
            seen.add(key)
            tasks.append(task_of(item, len(tasks) + 1, asked.crew, [task.id for task in tasks]))
    if not tasks:
        raise Unreadable(Finding(task="-", problem="it has no tasks", mend="call at least one tool"))
    return (*tasks, answer_task(asked.crew, asked.request, tasks))


def _kept(draft: Plan, why: str) -> Plan:
    note = f"The rules' plan was kept: the model's choice was not usable ({why[:200]})"
    return draft.model_copy(update={"notes": (*draft.notes, note)})


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
