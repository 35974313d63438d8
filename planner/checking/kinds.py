"""Kinds: what sort of value a type gives, and whether it may stand where another is wanted.

A result travels between tasks as JSON, so one model may stand for another that has the same fields. Where a type leaves
open which of several it is (``int | str``), one that fits is enough: what it was, the tool sees.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import (
    BaseModel,
    BeforeValidator,
    PlainValidator,
    PydanticSchemaGenerationError,
    PydanticUserError,
    RootModel,
    TypeAdapter,
    ValidationError,
    WrapValidator,
)

from ...tools.values import Fact, FactLike
from .lengths import Span, span

_READERS = (BeforeValidator, PlainValidator, WrapValidator)
_LISTS: tuple[Any, ...] = (list, set, frozenset, tuple, Sequence, AbstractSet)
_SETS: tuple[Any, ...] = (set, frozenset, AbstractSet)
_SCALARS = (bool, int, float, str)
_DEEP = 6
_NUMBERS = (int, float)


class Known(NamedTuple):
    """A value that stands fast while planning: it is held against a type as it is."""

    value: Any


def fits(given: Any, wanted: Any) -> bool:
    """Whether a value of one type may stand where another is wanted. A bare number or text may stand for a `Fact`."""
    wanted = FactLike if wanted is Fact else wanted
    return _fits(given, wanted) if _hashable(given) and _hashable(wanted) else accepts(given, wanted)


@lru_cache(maxsize=4096)
def _fits(given: Any, wanted: Any) -> bool:
    """Kept: a schema of plans asks thousands of times for the same few pairs of types."""
    return accepts(given, wanted)


@lru_cache(maxsize=512)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """What holds values against a type: dear to make, and wanted for the same few types again and again."""
    return TypeAdapter(kind)


def _hashable(kind: Any) -> bool:
    try:
        hash(kind)
    except TypeError:  # rules such as pydantic's Field are not
        return False
    return True


def is_figure(kind: Any) -> bool:
    """Whether a type is a model around one number, which can stand where a fact is wanted."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return False
    value = kind.model_fields.get("value")
    numbers = {int, float, int | float}
    return value is not None and value.annotation in numbers


def accepts(given: Any, wanted: Any) -> bool:
    """Whether a parameter of the type `wanted` takes what is `given`: a type, or a value that is `Known`."""
    if isinstance(given, Known):
        return valid(given.value, wanted)
    whole = given
    given, own = bare(given)
    inner, rules = bare(wanted)
    if given is Any or inner is Any or inner is object:
        return True
    if any(isinstance(rule, _READERS) for rule in rules):
        return accepts(whole, inner) or _tried(given, wanted)
    if not _as_long(span(own), span(rules), inner):
        return False
    if given == inner:
        return True
    if parts := options(inner):
        return any(accepts(whole, part) for part in parts)
    if parts := options(given):
        return any(accepts(part, wanted) for part in parts if part is not type(None))
    if (values := chosen(inner)) is not None:
        return any(value in values for value in chosen(given) or ())
    if (values := chosen(given)) is not None:
        return any(accepts(Known(value), inner) for value in values)
    if inner in _SCALARS:
        return (inner is float and given is int) or (given not in _SCALARS and not sort_of(given))
    if isinstance(inner, type) and issubclass(inner, BaseModel) and not issubclass(inner, RootModel):
        return _as_model(given, inner)
    if (items := entries(inner)) is not None:
        theirs = entries(given)
        return theirs is not None and all(accepts(theirs[0], item) for item in items)
    if (inside := entry_of_mapping(inner)) is not None:
        held = _inside(given)
        return held is not None and all(accepts(one, inside) for one in held)
    return _tried(given, wanted)


def _as_long(given: Span, wanted: Span, kind: Any) -> bool:
    if (get_origin(kind) or kind) in _SETS:  # equal ones become one
        given = given._replace(low=min(given.low, 1))
    return given.meets(wanted)


def span_of(kind: Any) -> Span:
    """How many entries a value of this type has; where the type leaves several open, of any of them that is a list."""
    if isinstance(kind, Known):
        return Span(len(kind.value), len(kind.value)) if isinstance(kind.value, list) else Span()
    inner, rules = bare(kind)
    own = span(rules)
    lists = [span_of(part) for part in options(inner) if entries(part) is not None]
    if own != Span() or not lists:
        return own
    return Span(min(one.low for one in lists), max(one.high for one in lists))


def bare(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without its rules, and the rules."""
    rules: tuple[Any, ...] = ()
    while True:
        if hasattr(kind, "__metadata__"):
            rules = (*kind.__metadata__, *rules)
            kind = get_args(kind)[0]
        elif hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        elif hasattr(kind, "__value__"):
            kind = kind.__value__
        else:
            return kind, rules


def options(kind: Any) -> tuple[Any, ...]:
    """The types that a union leaves open; none where it is no union."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else ()


def chosen(kind: Any) -> tuple[Any, ...] | None:
    """The JSON values that a type enumerates; None where it does not."""
    if get_origin(kind) is Literal:
        return tuple(value.value if isinstance(value, Enum) else value for value in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(member.value for member in kind)
    return None


def possible(kind: Any) -> tuple[Any, ...] | None:
    """Every JSON value that a type may give, where they can be counted; else None."""
    kind, _ = bare(kind)
    if kind is bool:
        return (True, False)
    if kind is None or kind is type(None):
        return (None,)
    if parts := options(kind):
        each = [possible(part) for part in parts]
        return (
            None if any(one is None for one in each) else tuple(value for one in each for value in one or ())
        )
    return chosen(kind)


def entries(kind: Any) -> tuple[Any, ...] | None:
    """What the entries of a list are (of a tuple: each of its places); None where the type is no list."""
    kind, _ = bare(kind)
    if kind in _LISTS:
        return (Any,)
    if get_origin(kind) not in _LISTS:
        return None
    inner = tuple(part for part in get_args(kind) if part is not Ellipsis)
    return inner or (Any,)


def entry_of_mapping(kind: Any) -> Any | None:
    """What the values of a mapping are; None where the type is none."""
    kind, _ = bare(kind)
    if kind in (dict, Mapping):
        return Any
    if get_origin(kind) in (dict, Mapping):
        return get_args(kind)[1]
    return None


def field_of(kind: Any, name: str) -> Any | None:
    """The type of one field of a value's JSON; None where it has no such field."""
    if isinstance(kind, Known):
        inside = kind.value
        return Known(inside[name]) if isinstance(inside, Mapping) and name in inside else None
    kind, _ = bare(kind)
    if kind is Any or kind is object:
        return Any
    if parts := options(kind):
        found = tuple(f for part in parts if (f := field_of(part, name)) is not None)
        return None if not found else found[0] if len(found) == 1 else Union[found]  # noqa: UP007  # made of a tuple
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _field_of_model(kind, name)
    if (inside := entry_of_mapping(kind)) is not None:
        return inside
    if is_typeddict(kind) or dataclasses.is_dataclass(kind):
        return get_type_hints(kind, include_extras=True).get(name)
    return None


def _field_of_model(kind: type[BaseModel], name: str) -> Any | None:
    if kind.__pydantic_decorators__.model_serializers:
        return Any  # what it writes, only it knows
    if issubclass(kind, RootModel):
        return field_of(kind.model_fields["root"].annotation, name)
    if name in kind.model_fields:
        return annotated(kind.model_fields[name])
    if name in kind.model_computed_fields:
        return kind.model_computed_fields[name].return_type
    return Any if kind.model_config.get("extra") == "allow" else None


def fields_of(kind: Any) -> tuple[str, ...]:
    """The names of the fields that a value of this type is known to have."""
    if isinstance(kind, Known):
        return tuple(map(str, kind.value)) if isinstance(kind.value, Mapping) else ()
    kind, _ = bare(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return (*kind.model_fields, *kind.model_computed_fields)
    return tuple(name for part in options(kind) for name in fields_of(part))


def annotated(info: Any) -> Any:
    """The type of a field with its rules, from pydantic's `FieldInfo`."""
    from typing import Annotated

    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def valid(value: Any, kind: Any) -> bool:
    """Whether a JSON value is one of this type. What cannot be told is let pass."""
    try:
        (_adapter(kind) if _hashable(kind) else TypeAdapter(kind)).validate_python(value)
    except ValidationError:
        return False
    except (PydanticSchemaGenerationError, PydanticUserError):
        return True
    return True


def sort_of(kind: Any) -> frozenset[str]:
    """Which sorts of JSON value a type may give: number, text, flag, list, object, nothing. Empty: it cannot be told."""
    if isinstance(kind, Known):
        return frozenset({_sort_of_value(kind.value)})
    kind, _ = bare(kind)
    if parts := options(kind):
        every = [sort_of(part) for part in parts]
        return frozenset().union(*every) if all(every) else frozenset()
    if kind is None or kind is type(None):
        return frozenset({"nothing"})
    if (values := chosen(kind)) is not None:
        return frozenset(map(_sort_of_value, values))
    if kind in _SCALARS:
        return frozenset({"flag" if kind is bool else "text" if kind is str else "number"})
    if entries(kind) is not None:
        return frozenset({"list"})
    if entry_of_mapping(kind) is not None or is_typeddict(kind):
        return frozenset({"object"})
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if issubclass(kind, RootModel) or kind.__pydantic_decorators__.model_serializers:
            return frozenset()
        return frozenset({"object"})
    return frozenset()


def name_of(kind: Any) -> str:
    """A type in words."""
    if isinstance(kind, Known):
        text = repr(kind.value)
        return text if len(text) <= 60 else text[:59] + "…"
    kind, _ = bare(kind)
    if parts := options(kind):
        return " or ".join("nothing" if part is type(None) else name_of(part) for part in parts)
    if (values := chosen(kind)) is not None:
        few = ", ".join(map(repr, values[:8]))
        return f"one of {few}{', …' if len(values) > 8 else ''}"
    if (inside := entry_of_mapping(kind)) is not None:
        return f"object of {name_of(inside)}"
    if get_args(kind) and entries(kind) is not None:
        return f"list of {' and '.join(map(name_of, entries(kind) or ()))}"
    return getattr(kind, "__name__", str(kind))


def _sort_of_value(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "object" if isinstance(value, Mapping) else "list"


def _as_model(given: Any, wanted: type[BaseModel]) -> bool:
    """Whether the JSON of a type has what a model wants."""
    if (inside := entry_of_mapping(given)) is not None:
        return all(accepts(inside, annotated(f)) for f in wanted.model_fields.values() if f.is_required())
    if not (isinstance(given, type) and issubclass(given, BaseModel)):
        return sort_of(given) <= {"object"} and _tried(given, wanted)
    if issubclass(given, wanted) and wanted.model_config.get("extra") != "forbid":
        return True
    if wanted.__pydantic_decorators__.model_validators:
        return _tried(given, wanted)
    names: set[str] = set()
    for name, info in wanted.model_fields.items():
        said = info.validation_alias or info.alias or name
        key = said if isinstance(said, str) else name
        names |= {name, key}
        own = field_of(given, key)
        if own is None:
            if info.is_required():
                return False
        elif not accepts(own, annotated(info)):
            return False
    return wanted.model_config.get("extra") != "forbid" or set(fields_of(given)) <= names


def _inside(given: Any) -> tuple[Any, ...] | None:
    if (inside := entry_of_mapping(given)) is not None:
        return (inside,)
    if isinstance(given, type) and issubclass(given, BaseModel) and not issubclass(given, RootModel):
        return tuple(annotated(info) for info in given.model_fields.values())
    return None


def _tried(given: Any, wanted: Any) -> bool:
    """Whether one of some values of a type is taken, where rules in code decide. Unknown types are let pass."""
    values = _samples(given)
    return values is None or any(valid(value, wanted) for value in values)


def _samples(kind: Any, depth: int = 0) -> list[Any] | None:
    """A few JSON values of a type; None where it is not known how they look."""
    kind, _ = bare(kind)
    if kind is type(None) or kind is None:
        return [None]
    if (values := chosen(kind)) is not None:
        return list(values)
    if kind is bool:
        return [True, False]
    if kind in _NUMBERS:
        return [1, 0, 2, 5, 10, 100, -1] if kind is int else [1.5, 0.25, 10.5, 100.5, -1.5]
    if kind is str:
        return ["word", "a", ""]
    if depth > _DEEP:
        return None
    if parts := options(kind):
        each = [_samples(part, depth + 1) for part in parts]
        return None if any(one is None for one in each) else [value for one in each for value in one or ()]
    if (inside := entry_of_mapping(kind)) is not None:
        values_of = _samples(inside, depth + 1)
        return [{}] if not values_of else [{"name": values_of[0]}, {}]
    if (items := entries(kind)) is not None:
        inner = [_samples(item, depth + 1) for item in items]
        return None if any(not one for one in inner) else [[(one or [None])[0] for one in inner]]
    if isinstance(kind, type) and issubclass(kind, BaseModel) and not issubclass(kind, RootModel):
        found: dict[str, Any] = {}
        for name, info in kind.model_fields.items():
            part = _samples(annotated(info), depth + 1)
            if not part:
                return None
            found[name] = part[0]
        return [found]
    return None
