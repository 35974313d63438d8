"""Arguments: what is wrong with those of one tool call, before its references have values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic.fields import FieldInfo

from ....runtime.graph import Reference, Task
from ....tools.options import nearest
from ....tools.tool import Tool
from ...plan import Finding
from ..kinds import (
    Known,
    accepts,
    annotated,
    bare,
    entries,
    entry_of_mapping,
    name_of,
    options,
    span_of,
    valid,
)
from ..lengths import Span, span
from ..sources import Sources, Unknown, refers
from ..words import choose, short

_MEND = "refer to a result of the right type"
_ENTRIES = 200


def arguments(task: Task, tool: Tool, sources: Sources) -> list[Finding]:
    """What is wrong with a call's arguments.

    Each literal is held against its own parameter, each reference against the type of what it points to, and where
    nothing is referred to the arguments are held against all that the tool asks of them together.
    """
    fields = parameters(tool)
    found = list(_named(task, tool, fields))
    if task.each is None:
        return found + _call(task, tool, fields, sources)
    try:
        items = list(sources.entries(task))
    except Unknown as error:
        return [*found, Finding(task=task.id, problem=error.problem, mend=error.mend)]
    for number, item in enumerate(items[:_ENTRIES]):
        wrong = _call(task, tool, fields, sources.with_item(item))
        if wrong:
            where = f"for entry {number} ({name_of(item)}): " if len(items) > 1 else ""
            return found + [f.model_copy(update={"problem": where + f.problem}) for f in wrong]
    return found


def parameters(tool: Tool) -> dict[str, FieldInfo]:
    """The parameters of a tool, by every name that an argument may have."""
    found: dict[str, FieldInfo] = {}
    config = tool.args.model_config
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    for name, info in tool.args.model_fields.items():
        alias = info.validation_alias or info.alias
        if isinstance(alias, str):
            found[alias] = info
        if by_name or not isinstance(alias, str):
            found[name] = info
    return found


def _named(task: Task, tool: Tool, fields: Mapping[str, FieldInfo]) -> Iterator[Finding]:
    """Findings on names: those that the tool does not have, and those that are missing."""
    if tool.args.model_config.get("extra") != "allow":
        for name in task.args:
            if name not in fields:
                yield Finding(
                    task=task.id, problem=f"{tool.name} has no parameter {name!r}", mend=choose(name, fields)
                )
    said = {id(fields[name]) for name in task.args if name in fields}
    for name, info in fields.items():
        if info.is_required() and id(info) not in said:
            said.add(id(info))
            yield Finding(
                task=task.id,
                problem=f"{tool.name} needs {name}",
                mend=f"give it a value: {name_of(info.annotation)}",
            )


def _call(task: Task, tool: Tool, fields: Mapping[str, FieldInfo], sources: Sources) -> list[Finding]:
    """Findings on the values of one call, every entry of a task with `each` being one."""
    found: list[Finding] = []
    plain: dict[str, Any] = {}
    whole = True
    for name, value in task.args.items():
        if name not in fields:
            whole = False
            continue
        try:
            settled = sources.settled(value)
        except Unknown as error:
            found.append(Finding(task=task.id, problem=error.problem, mend=error.mend))
            whole = False
            continue
        if isinstance(settled, Known):
            plain[name] = settled.value
            continue
        whole = False
        info = fields[name]
        problems = [*_referred(name, value, annotated(info), sources), *_length(name, value, info.metadata)]
        found += [Finding(task=task.id, problem=problem, mend=mend) for problem, mend in problems]
    return found + _literals(task, tool, fields, plain, whole=whole and not found)


def _literals(
    task: Task, tool: Tool, fields: Mapping[str, FieldInfo], plain: Mapping[str, Any], *, whole: bool
) -> list[Finding]:
    """Findings on literal arguments. `whole`: they are all that the call has."""
    try:
        tool.args.model_validate(dict(plain))
    except ValidationError as error:
        problems = [p for p in error.errors(include_url=False) if p["type"] not in _SAID or len(p["loc"]) > 1]
    except Exception as error:  # a validator in code that expects what is not there yet, or breaks at what is
        if not whole:
            return []
        return [_together(task, tool, f"{type(error).__name__}: {error}")]
    else:
        return []
    found: dict[str, Finding] = {}
    for problem in problems:
        name = str(problem["loc"][0]) if problem["loc"] else ""
        if name in plain and name not in found:
            found[name] = _unfit(task, tool, name, plain[name], problem["msg"])
    if found:
        return list(found.values())
    if whole:
        return [_together(task, tool, problem["msg"]) for problem in problems[:1]]
    # A rule over several arguments hides what is wrong with each while some of them are not known yet.
    hidden = bool(problems) and not any(problem["loc"] for problem in problems)
    return [
        _unfit(task, tool, name, value, "it is of another type")
        for name, value in plain.items()
        if hidden and not valid(value, annotated(fields[name]))
    ]


_SAID = ("missing", "extra_forbidden")


def _unfit(task: Task, tool: Tool, name: str, value: Any, why: str) -> Finding:
    known = tool.options.get(name, ())
    mend = (
        nearest(str(value), known).rstrip("?")
        if known and not isinstance(value, list)
        else "give a value that fits"
    )
    return Finding(
        task=task.id,
        problem=f"{name}={short(value)} does not fit {tool.name} ({why if len(why) < 200 else why[:200] + '…'})",
        mend=mend,
    )


def _together(task: Task, tool: Tool, why: str) -> Finding:
    return Finding(
        task=task.id,
        problem=f"the arguments do not fit {tool.name} together ({why[:200]})",
        mend="change one of them",
    )


def _referred(name: str, value: JsonValue, wanted: Any, sources: Sources) -> list[tuple[str, str]]:
    """Why an argument with references in it does not fit its type, and how to mend that; none where it does."""
    if not refers(value):
        settled = sources.settled(value)
        if accepts(settled, wanted):
            return []
        return [(f"{name} takes {name_of(wanted)}, and not {name_of(settled)}", "give a value that fits")]
    inner, rules = bare(wanted)
    if inner is Any or inner is object:
        return []
    if (ref := Reference.parse(value)) is not None:
        given = sources.kind(ref)
        if accepts(given, wanted):
            return []
        need, have = span_of(wanted), span_of(given)
        if not have.meets(need):
            return [(f"{name} takes {need.wanted(have)}, and {value} has {have}", "refer to as many")]
        return [
            (f"{name} takes {name_of(wanted)}, and {value} is {name_of(given)}", _mend(given, wanted, value))
        ]
    if parts := options(inner):
        each = [_referred(name, value, part, sources) for part in parts if part is not type(None)]
        return min(each, key=len, default=[])
    if isinstance(value, list):
        kinds = entries(inner)
        if kinds is None:
            return [(f"{name} takes {name_of(wanted)}, and not a list", "give it one value")]
        places = kinds if len(kinds) == len(value) else kinds[:1] * len(value)
        found = [
            p for part, kind in zip(value, places, strict=True) for p in _referred(name, part, kind, sources)
        ]
        return found + [(p, m) for p, m in _length(name, value, rules) if not found]
    assert isinstance(value, Mapping)
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return _object(name, value, inner, sources)
    inside = entry_of_mapping(inner)
    if inside is not None:
        return [p for key, part in value.items() for p in _referred(f"{name}.{key}", part, inside, sources)]
    return [(f"{name} takes {name_of(wanted)}, and not an object", "give it one value")]


def _object(
    name: str, value: Mapping[str, JsonValue], model: type[BaseModel], sources: Sources
) -> list[tuple[str, str]]:
    """The same, for an object where a model is wanted."""
    fields = {info.alias or own: info for own, info in model.model_fields.items()}
    found: list[tuple[str, str]] = []
    for key, part in value.items():
        if key in fields:
            found += _referred(f"{name}.{key}", part, annotated(fields[key]), sources)
        elif model.model_config.get("extra") == "forbid":
            found.append((f"{name} has no field {key!r}", choose(key, fields)))
    return found + [
        (f"{name} needs the field {key}", f"give it: {name_of(info.annotation)}")
        for key, info in fields.items()
        if info.is_required() and key not in value
    ]


def _mend(given: Any, wanted: Any, value: JsonValue) -> str:
    """What to refer to instead: a field of the same result that fits, where there is one."""
    inner, _ = bare(given)
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        fitting = [n for n, info in inner.model_fields.items() if accepts(annotated(info), wanted)]
        if fitting:
            return f"refer to {value}.{fitting[0]}"
    kinds = entries(wanted)
    if kinds is not None and all(accepts(given, kind) for kind in kinds):
        return f'write ["{value}"], a list of it'
    return _MEND


def _length(name: str, value: JsonValue, rules: Sequence[Any]) -> list[tuple[str, str]]:
    """Why a list with references in it is too short or too long; none where it is not."""
    if not isinstance(value, list):
        return []
    have, need = Span(len(value), len(value)), span(rules)
    return (
        [] if have.meets(need) else [(f"{name} takes {need.wanted(have)}, and has {have}", "give it as many")]
    )
