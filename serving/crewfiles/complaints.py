"""Owns what is said of a crew file that does not have the form: one sentence, with the place and the nearest valid key."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ...runtime.errors import InvalidCrew
from .notation import Marked, Path_

_KINDS = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
}
_SHOWN = 60


def complaint(marked: Marked, error: ValidationError, model: type[BaseModel]) -> InvalidCrew:
    """The first thing wrong, in the order in which people read; a key nobody knows before those that it leaves missing."""
    found = [(_path(marked.data, one["loc"]), one) for one in error.errors(include_url=False)]
    unknown = [one for one in found if one[1]["type"] == "extra_forbidden"]
    path, first = min(
        unknown or found, key=lambda one: marked.at(one[0], key=one[1]["type"] == "extra_forbidden")
    )
    more = len(found) - 1
    if unknown:
        key = str(path[-1])
        valid = valid_keys(model, first["loc"][:-1])
        where = f" in {_spoken(path[:-1])}" if path[:-1] else ""
        return marked.wrong(path, f"the key {key!r} is not known{where}; {nearest(key, valid)}.", key=True)
    return marked.wrong(path, f"{_said(path, first)}{f' ({more} more is wrong)' if more else ''}.")


def nearest(word: str, valid: Iterable[str], *, none: str = "there are none") -> str:
    """The valid word that is most like this one, or all of them."""
    words = list(valid)
    lower = {one.lower(): one for one in words}
    close = get_close_matches(word.lower(), lower, 1, 0.6)
    if close:
        return f"the nearest is {lower[close[0]]!r}"
    return f"there are: {', '.join(words)}" if words else none


def _said(path: Path_, error: ErrorDetails) -> str:
    what, given = _spoken(path), error.get("input")
    kind = error["type"]
    if kind == "missing":
        return f"{_spoken(path[:-1]) or 'the crew'} has no {str(path[-1])!r}: add it"
    if kind in _KINDS:
        hint = "; put it in quotes" if kind == "string_type" and not isinstance(given, Mapping | list) else ""
        return f"{what} is {_shown(given)} and must be {_KINDS[kind]}{hint}"
    if kind == "literal_error":
        valid = [
            w.strip("' ") for w in str(error.get("ctx", {}).get("expected")).replace(" or ", ", ").split(",")
        ]
        return f"{what} is {_shown(given)}, which is not known; {nearest(str(given), valid)}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{what} is {_shown(given)}, and {message[0].lower()}{message[1:]}".rstrip(".")


def _shown(given: object) -> str:
    if isinstance(given, BaseModel):
        given = given.model_dump()
    if isinstance(given, Mapping):
        return "a map"
    if isinstance(given, Sequence) and not isinstance(given, str):
        return "a list"
    text = json.dumps(given, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _spoken(path: Path_) -> str:
    """A path in words: ``agents #2.tools``."""
    said = ""
    for part in path:
        said += f" #{part + 1}" if isinstance(part, int) else f".{part}" if said else str(part)
    return said


def _path(data: Any, loc: tuple[int | str, ...]) -> Path_:
    """A pydantic location without the names of the types that it went through; its last part may not be there."""
    path: list[str | int] = []
    here: Any = data
    for place, part in enumerate(loc):
        last = place == len(loc) - 1
        if isinstance(here, list) and isinstance(part, int):
            here = here[part]
        elif isinstance(here, dict) and part in here:
            here = here[str(part)]
        elif not (last and isinstance(part, str) and isinstance(here, dict)):
            continue
        path.append(part)
    return tuple(path)


def valid_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand in the map at a pydantic location of a model."""
    here: list[Any] = [model]
    for part in loc:
        here = [inner for one in here for inner in _inside(one, part)] or here
    keys = [key for one in here for kind in _plain(one) if _is_model(kind) for key in _keys(kind)]
    return list(dict.fromkeys(keys))


def _inside(annotation: Any, part: int | str) -> list[Any]:
    found: list[Any] = []
    for kind in _plain(annotation):
        origin, args = get_origin(kind), get_args(kind)
        if _is_model(kind):
            found += [f.annotation for n, f in kind.model_fields.items() if part in (n, f.alias)]
        elif isinstance(part, int) and origin in (tuple, list) and args:
            found.append(args[0])
        elif isinstance(part, str) and origin is dict and args:
            found.append(args[1])
    return found


def _plain(annotation: Any) -> list[Any]:
    """What stands in a union, without notes on types."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _plain(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [kind for one in get_args(annotation) for kind in _plain(one)]
    return [annotation]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
