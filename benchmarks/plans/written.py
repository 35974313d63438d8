"""Plans as models may write them: a JSON schema filled in at random, and rich plans made at random for a crew."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from crewgraph import Allowance, Condition, Crew, ModelRequest, Task, Tool
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.policy import Test

from .values import ANYTHING, made_up

_TEXTS = ("apple", "word", "some words", "north pen", "$t1", "$100", "苹果")


def scripted(seed: int) -> ScriptedModel:
    """A model that fills in whatever form it is given, at random, and every so often breaks it on purpose."""
    chance = random.Random(seed)

    def reply(request: ModelRequest) -> str:
        if request.choices:
            return chance.choice(list(request.choices))
        if request.schema is None:
            return "Done."
        made = fill(request.schema, request.schema, chance)
        if chance.random() < 0.3:
            made = _spoil(made, chance)
        return json.dumps(made, ensure_ascii=False)

    return ScriptedModel(reply)


def fill(schema: Mapping[str, Any], root: Mapping[str, Any], chance: random.Random, depth: int = 0) -> Any:
    """A JSON value of a schema, by chance."""
    if "$ref" in schema:
        name = schema["$ref"].split("/")[-1]
        return fill(root.get("$defs", {}).get(name, {}), root, chance, depth + 1)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return fill(chance.choice(schema[word]), root, chance, depth + 1)
    if "allOf" in schema:
        return fill(schema["allOf"][0], root, chance, depth + 1)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kind = schema.get("type")
    kind = chance.choice(kind) if isinstance(kind, list) else kind
    if kind == "object" or (kind is None and "properties" in schema):
        required = set(schema.get("required", ()))
        own = {
            name: fill(part, root, chance, depth + 1)
            for name, part in schema.get("properties", {}).items()
            if name in required or chance.random() < 0.4
        }
        more = schema.get("additionalProperties")
        if not own and isinstance(more, Mapping):
            own["key"] = fill(more, root, chance, depth + 1)
        return own
    if kind == "array":
        first = schema.get("prefixItems", [])
        low, high = schema.get("minItems", len(first)), schema.get("maxItems", max(len(first), 3))
        number = chance.randint(low, max(low, min(high, low + 3)))
        rest = schema.get("items", {})
        return [
            fill(
                first[n] if n < len(first) else rest if isinstance(rest, Mapping) else {},
                root,
                chance,
                depth + 1,
            )
            for n in range(number)
        ]
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -20))
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 120))
        number = chance.randint(int(low) + (chance.random() < 0.9), max(int(low) + 1, int(high)))
        return number if kind == "integer" else number + chance.choice([0, 0.5])
    if kind == "boolean":
        return chance.random() < 0.5
    if kind == "null":
        return None
    return chance.choice(_TEXTS)[: schema.get("maxLength", 99)]


def _spoil(made: Any, chance: random.Random) -> Any:
    """The same with one thing in it that should not be."""
    spots = list(_spots(made))
    if not spots:
        return {"tasks": "none"}
    where, key = chance.choice(spots)
    where[key] = chance.choice(
        [None, "$t9", "$t1.nothing", 10**9, "nonsense", [], {}, ["$t1", "$t2"], "$item"]
    )
    return made


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield value, key
        yield from _spots(part)


def rich(crew: Crew, chance: random.Random) -> tuple[Task, ...]:
    """A plan of every kind of task: bound calls, references, maps, conditions, expectations. Not always a valid one."""
    tasks: list[Task] = []
    samples: dict[str, Any] = {}
    every = list(crew.toolset.values())
    for number in range(1, chance.randint(2, 6)):
        task_id = f"t{number}"
        if chance.random() < 0.1:
            agent = chance.choice(list(crew.agents))
            task = Task(id=task_id, description="write", agent=agent.role, depends_on=tuple(samples)[-1:])
            sample = made_up(agent.output_type or str, chance)
        else:
            tool = chance.choice(every)
            made = _bound(tool, task_id, crew, samples, chance)
            if made is None:
                continue
            task, sample = made, made_up(tool.returns, chance)
            if task.each is not None:
                sample = [sample]
        tasks.append(_more(task, samples, sample, chance))
        samples[task_id] = sample
    used = {need for task in tasks for need in task.needs}
    ends = tuple(task.id for task in tasks if task.id not in used)
    return (*tasks, Task(id="answer", description="answer", agent=crew.agents[-1].role, depends_on=ends))


def _bound(
    tool: Tool, task_id: str, crew: Crew, samples: Mapping[str, Any], chance: random.Random
) -> Task | None:
    holders = [agent.role for agent in crew.holders(tool)]
    if not holders:
        return None
    each: Any = None
    known = dict(samples)
    lists = [(ref, value) for ref, value in _places(samples) if isinstance(value, list) and value]
    if lists and chance.random() < 0.5:
        each, values = chance.choice(lists)
        known["item"] = values[0]
    elif chance.random() < 0.1:
        each = chance.choice([["apple", "pen"], [1, 2, 3], [{"name": "a", "weight": 2.5}]])
        known["item"] = each[0]
    args: dict[str, Any] = {}
    for name, info in tool.args.model_fields.items():
        if not info.is_required() and chance.random() < 0.5:
            continue
        kind = _whole(info)
        fitting = [ref for ref, value in _places(known) if value is ANYTHING or _takes(kind, value)]
        if fitting and chance.random() < 0.6:
            args[name] = chance.choice(fitting)
        else:
            args[name] = _literal(kind, known, chance)
    return Task(
        id=task_id, description="call", agent=chance.choice(holders), tool=tool.name, args=args, each=each
    )


def _literal(kind: Any, known: Mapping[str, Any], chance: random.Random) -> Any:
    """A value written out, with a reference inside now and then."""
    value = made_up(kind, chance)
    value = "apple" if value is ANYTHING else value
    if chance.random() < 0.3:
        for where, key in _spots(value):
            fitting = [
                ref for ref, other in _places(known) if type(other) is type(where[key]) and other != []
            ]
            if fitting:
                before, where[key] = where[key], chance.choice(fitting)
                if chance.random() < 0.5:
                    return value
                where[key] = before
    return value


def _more(task: Task, samples: Mapping[str, Any], sample: Any, chance: random.Random) -> Task:
    update: dict[str, Any] = {}
    numbers = [
        ref for ref, value in _places(samples) if isinstance(value, int | float) and type(value) is not bool
    ]
    if numbers and chance.random() < 0.2:
        tests: tuple[Test, ...] = ("above", "at_most", "equals", "differs")
        update["when"] = Condition(
            value=chance.choice(numbers), test=chance.choice(tests), to=chance.choice([5, 3.5])
        )
    own = sample[0] if task.each is not None and sample else sample
    places = list(_places({"result": own}))
    if places and chance.random() < 0.2:
        ref, value = chance.choice(places)
        if isinstance(value, str | list):
            update["expects"] = (Condition(value=ref, test="not_empty"),)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            update["expects"] = (Condition(value=ref, test="above", to=-100),)
    if chance.random() < 0.1:
        update["allowance"] = Allowance(tokens=chance.randint(1, 900))
    if chance.random() < 0.1:
        update["depends_on"] = (*task.depends_on, *tuple(samples)[:1])
    return task.model_copy(update=update)


def _places(samples: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Everything that can be referred to, and a value that it may have."""
    for name, value in samples.items():
        yield from _inside(f"${name}", value)


def _inside(ref: str, value: Any) -> Iterator[tuple[str, Any]]:
    yield ref, value
    if isinstance(value, dict):
        for name, part in value.items():
            if name.isidentifier() and name.isascii():
                yield from _inside(f"{ref}.{name}", part)


def _whole(info: Any) -> Any:
    from typing import Annotated

    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def _takes(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True
