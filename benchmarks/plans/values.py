"""Values made up by chance, of any type that a tool can give."""

from __future__ import annotations

import random
import types
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError


class Anything:
    """Stands for a result whose type nobody has said: it is whatever is wanted, and has every field."""


ANYTHING = Anything()


def made_up(kind: Any, chance: random.Random) -> Any:
    """A JSON value of a type, by chance."""
    if kind is Any:
        return ANYTHING
    for _ in range(40):
        value = _any_of(kind, chance)
        try:
            return adapter_of(kind).dump_python(adapter_of(kind).validate_python(value), mode="json")
        except ValidationError:
            continue
    raise AssertionError(f"no value of {kind} was found")


_TEXTS = ("apple", "word", "some words", "a", "zz top", "北京", "2+3")


_NAMES = tuple(text for text in _TEXTS if not (text.isascii() and text.isidentifier()))


def _any_of(kind: Any, chance: random.Random) -> Any:
    if hasattr(kind, "__metadata__"):
        return _any_of(get_args(kind)[0], chance)
    origin = get_origin(kind)
    if origin is Literal:
        return chance.choice(get_args(kind))
    if origin in (Union, types.UnionType):
        return _any_of(chance.choice(get_args(kind)), chance)
    if origin is list:
        return [_any_of(get_args(kind)[0], chance) for _ in range(chance.randint(0, 3))]
    if origin is dict:
        # No name that a reference could have: whether it would be there is anybody's guess.
        names = chance.sample(_NAMES, chance.randint(0, 2))
        return {name: _any_of(get_args(kind)[1], chance) for name in names}
    if kind is Any:
        return ANYTHING
    if kind is type(None) or kind is None:
        return None
    if kind is bool:
        return chance.random() < 0.5
    if kind is int:
        return chance.choice([0, 1, 2, 3, 7, 30, 400, -5, 10**6])
    if kind is float:
        return chance.choice([0.5, 1.25, 30.5, 400.75, -5.5, 1e6 + 0.5])
    if kind is str:
        return chance.choice(_TEXTS[1:])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return chance.choice([member.value for member in kind])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {
            name: _any_of(info.annotation, chance)
            for name, info in kind.model_fields.items()
            if info.is_required() or chance.random() < 0.8
        }
    raise AssertionError(f"no values of {kind} are known")


@cache
def _plain_adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """What reads and writes a type; kept where the type can be."""
    try:
        return _plain_adapter(kind)
    except TypeError:
        return TypeAdapter(kind)
