"""Owns datasets: a JSON Lines file, one case a line, read as a whole before anything is run."""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ...runtime.errors import InvalidInput
from .case import Case
from .choosing import scorers_of

_KEYS = [field.alias or name for name, field in Case.model_fields.items()]
_SHOWN = 5


@dataclass(frozen=True)
class Dataset:
    """The cases of a file, in its order, each with an id of its own. `hash` is of the file's bytes."""

    name: str
    cases: tuple[Case, ...]
    hash: str


def read_dataset(path: str | Path) -> Dataset:
    """The dataset in a file of JSON Lines; empty lines are passed over, and a case without an id has its line's number.

    Raises:
        InvalidInput: it cannot be read, or lines are wrong: which, and what about them.
    """
    file = Path(path)
    try:
        body = file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"The dataset {str(file)!r} cannot be read: {error.strerror or error}.") from None
    cases: dict[str, tuple[int, Case]] = {}
    wrong: list[str] = []
    for number, raw in enumerate(body.split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            case = _case(raw, number)
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
            continue
        if case.id in cases:
            wrong.append(
                f"line {number}: the id {case.id!r} is that of line {cases[case.id][0]} too; rename one"
            )
            continue
        cases[case.id] = number, case
    if wrong:
        more = f" (and {len(wrong) - _SHOWN} more lines)" if len(wrong) > _SHOWN else ""
        raise InvalidInput(f"The dataset {file} is wrong in {'; '.join(wrong[:_SHOWN])}{more}.")
    if not cases:
        raise InvalidInput(f'The dataset {file} has no cases: write one a line, such as {{"input": "…"}}.')
    return Dataset(file.name, tuple(case for _, case in cases.values()), hashlib.sha256(body).hexdigest())


def _case(raw: bytes, number: int) -> Case:
    """Raises ValueError, which says what is wrong for people."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text (byte {error.start + 1})") from None
    try:
        told = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON (column {error.colno}: {error.msg})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(told, dict):
        raise ValueError(f'a case is an object such as {{"input": "…"}}, and this is a {_sort(told)}')
    for key in told:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it may have {', '.join(_KEYS)}"
            raise ValueError(f"{key!r} is no key of a case; {hint}")
    try:
        case = Case.model_validate(told)
    except ValidationError as error:
        raise ValueError(_words(error)) from None
    case = case if case.id else case.model_copy(update={"id": str(number)})
    try:
        scorers_of(case)
    except InvalidInput as error:
        raise ValueError(str(error).rstrip(".")) from None
    return case


def _words(error: ValidationError) -> str:
    """The first thing that pydantic says, with where it is."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    return f"{where}: {said}" if where else said


def _sort(value: object) -> str:
    return {list: "list", str: "text", type(None): "null", bool: "truth value"}.get(type(value), "number")
