"""Results: which parts of a task's result may stand where a value of some type is wanted, and what refers to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from ....agents.crew import Crew
from ....runtime.graph import Task
from ....tools.tool import Tool
from ....tools.values import Fact
from ...checking.kinds import fits, sort_of

_DEPTH = 2
_MAX_FIELDS = 6
"""So many fields of one result are offered for one parameter, the first ones."""


class Part(NamedTuple):
    """Something inside a result: the path to it ("" is the whole, ``.day`` a field) and its type."""

    path: str
    kind: Any


def bare(kind: Any) -> Any:
    """A type without what `Annotated` says beside it."""
    return bare(get_args(kind)[0]) if hasattr(kind, "__metadata__") else kind


def fields(kind: Any, depth: int = _DEPTH) -> Iterator[Part]:
    """The fields of a result, those inside of them behind them. Of a fact only its value: the rest names it."""
    kind = bare(kind)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return
    if issubclass(kind, Fact):
        yield Part(".value", Fact.model_fields["value"].annotation)
        return
    own = [Part(f".{name}", info.annotation) for name, info in kind.model_fields.items()]
    yield from own
    if depth > 1:
        for part in own:
            yield from (Part(part.path + inner.path, inner.kind) for inner in fields(part.kind, depth - 1))


def paths(given: Any, wanted: Any) -> list[str]:
    """By which paths a result of the type `given` holds what is `wanted`: the whole of it, else fields of it."""
    if fits(given, wanted):
        return [""]
    found = [part for part in fields(given) if fits(part.kind, wanted)]
    if bare(wanted) is Fact:  # what is compared or added up is a figure; any text could be called a fact
        found = [part for part in found if "number" in sort_of(part.kind)]
    return [part.path for part in found][:_MAX_FIELDS]


def lists(given: Any) -> list[Part]:
    """The lists in a result, each with the type of its entries."""
    found = [Part("", given), *fields(given)]
    return [Part(part.path, inner) for part in found if (inner := entry(part.kind)) is not None]


def entry(kind: Any) -> Any:
    """The type of a list's entries; None where it is no list."""
    kind = bare(kind)
    if kind is list:
        return Any
    return get_args(kind)[0] if get_origin(kind) is list else None


def in_entry(kind: Any, wanted: Any) -> list[str]:
    """What refers to what is wanted in an entry of that type: ``$item``, ``$item.day``; a fact gives its name too."""
    found = paths(kind, wanted)
    kind = bare(kind)
    if isinstance(kind, type) and issubclass(kind, Fact) and found != [""] and fits(str, wanted):
        found = [".label", *found]
    return [f"$item{path}" for path in found]


def kind_of(task: Task, crew: Crew) -> Any:
    """The type of a task's result: its tool's, a list of those where it has `each`, text where an agent works it out."""
    if task.tool is None:
        given: Any = str
    else:
        given = crew.toolset[task.tool].returns if task.tool in crew.toolset else Any
    return list_of(given) if task.each is not None else given


def list_of(kind: Any) -> Any:
    """The type of a list of these."""
    return list[kind]


def reference(task: str, tool: Tool | None, wanted: Any) -> str:
    """What refers to a tool's result where a value of some type is wanted: the whole, where nothing in it fits."""
    found = paths(tool.returns if tool is not None else str, wanted)
    return f"${task}{found[0] if found else ''}"
